-- API keys (docs/adr/0019-identity.md). The secret itself is never stored: it has 256 bits of chance, so that its
-- SHA-256 tells nobody what it is.

CREATE TABLE api_keys (
    tenant_id    bigint NOT NULL REFERENCES tenants,
    key_id       bigint GENERATED ALWAYS AS IDENTITY,
    name         text NOT NULL,
    -- What is shown of it, and by which it is found.
    prefix       text NOT NULL,
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32),
    scopes       text[] NOT NULL,
    -- Names; null: all of the tenant's.
    collections  text[],
    -- Whom it speaks for, as documents' acls name them.
    principals   text[] NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    -- Written in batches: a few seconds behind.
    last_used_at timestamptz,
    rotated_from bigint,
    PRIMARY KEY (tenant_id, key_id),
    FOREIGN KEY (tenant_id, rotated_from) REFERENCES api_keys
) WITH (fillfactor = 70);
CREATE INDEX api_keys_by_prefix ON api_keys (prefix);
-- A key is replaced once.
CREATE UNIQUE INDEX api_keys_replaced ON api_keys (tenant_id, rotated_from) WHERE rotated_from IS NOT NULL;

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_keys USING (tenant_id = nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint);
-- A key is revoked, never deleted: what it did stays attributable.
GRANT SELECT, INSERT, UPDATE ON api_keys TO mcp_rag_app;

-- Whose key it is says only the key itself, so it is looked for across tenants: by its exact prefix, a few at most,
-- without names.
CREATE FUNCTION find_key(of_prefix text) RETURNS TABLE (tenant bigint, key bigint, key_hash bytea, key_scopes text[],
    of_collections text[], speaks_for text[], expires timestamptz, revoked timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path FROM CURRENT AS $$
    SELECT tenant_id, key_id, hash, scopes, collections, principals, expires_at, revoked_at FROM api_keys
    WHERE prefix = of_prefix ORDER BY tenant_id, key_id LIMIT 4
$$;
REVOKE ALL ON FUNCTION find_key FROM PUBLIC;

-- When keys of any tenants were used last.
CREATE FUNCTION touch_keys(tenants bigint[], keys bigint[], at timestamptz[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH touched AS (
        UPDATE api_keys k SET last_used_at = used.at FROM unnest(tenants, keys, at) AS used(tenant, key, at)
        WHERE k.tenant_id = used.tenant AND k.key_id = used.key AND (k.last_used_at IS NULL OR k.last_used_at < used.at)
        RETURNING 1)
    SELECT count(*) FROM touched
$$;
REVOKE ALL ON FUNCTION touch_keys FROM PUBLIC;

-- Whether there is a key that would let anybody in.
CREATE FUNCTION any_key() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT EXISTS (SELECT FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()))
$$;
REVOKE ALL ON FUNCTION any_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_key, touch_keys, any_key TO mcp_rag_app;
