-- Writes that may be repeated, and documents that end by themselves.

-- What a write with an `Idempotency-Key` did. `effect` is recorded in the write's own transaction, so that a server
-- that is lost at any moment leaves either no trace of the write, or what is needed to answer its repetition.
CREATE TABLE idempotency_keys (
    tenant_id    bigint NOT NULL REFERENCES tenants,
    -- SHA-256 of the credential.
    caller       bytea NOT NULL,
    key          text NOT NULL,
    -- Whose it is while it is at work: a request that lost it cannot commit any more.
    claim        text NOT NULL,
    lease_until  timestamptz NOT NULL,
    -- Of the request: method, path, query, kind and bytes.
    fingerprint  bytea,
    effect       jsonb,
    status       smallint,
    content_type text,
    response     bytea,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, caller, key)
) WITH (fillfactor = 70);
CREATE INDEX idempotency_keys_expired ON idempotency_keys (expires_at);

-- What one process of all does at a time; no tenant's, so its rows have the tenant 0.
CREATE TABLE leases (
    tenant_id bigint NOT NULL DEFAULT 0,
    name      text NOT NULL,
    owner     text NOT NULL,
    until     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name)
);

-- Of the version accepted last, from its acceptance on.
ALTER TABLE documents ADD COLUMN expires_at timestamptz;
CREATE INDEX documents_expiring ON documents (expires_at) WHERE expires_at IS NOT NULL;
-- Of what is parsed and embedded: equal means that only metadata differs.
ALTER TABLE document_versions ADD COLUMN body_hash bytea;

-- Takes a lease, or extends it; false while another process holds it.
CREATE FUNCTION take_lease(lease text, worker text, span interval) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH taken AS (
        INSERT INTO leases AS l (name, owner, until) VALUES (lease, worker, now() + span)
        ON CONFLICT (tenant_id, name) DO UPDATE SET owner = worker, until = now() + span
        WHERE l.owner = worker OR l.until < now() RETURNING 1)
    SELECT EXISTS (SELECT FROM taken)
$$;
REVOKE ALL ON FUNCTION take_lease FROM PUBLIC;

-- Documents of any tenant whose time is over: across tenants, so it is the owner's and returns keys only.
CREATE FUNCTION expired_documents(most int) RETURNS TABLE (tenant bigint, collection bigint, document bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT tenant_id, collection_id, document_id FROM documents
    WHERE expires_at <= now() ORDER BY expires_at, document_id LIMIT most
$$;
REVOKE ALL ON FUNCTION expired_documents FROM PUBLIC;

CREATE FUNCTION sweep_idempotency_keys(most int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH old AS (
        DELETE FROM idempotency_keys WHERE (tenant_id, caller, key) IN (
            SELECT tenant_id, caller, key FROM idempotency_keys WHERE expires_at < now() AND lease_until < now()
            ORDER BY expires_at LIMIT most FOR UPDATE SKIP LOCKED) RETURNING 1)
    SELECT count(*) FROM old
$$;
REVOKE ALL ON FUNCTION sweep_idempotency_keys FROM PUBLIC;

DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['idempotency_keys', 'leases'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I USING '
            '(tenant_id = nullif(current_setting(''mcp_rag.tenant_id'', true), '''')::bigint)', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO mcp_rag_app;
GRANT SELECT ON leases TO mcp_rag_app;
GRANT EXECUTE ON FUNCTION take_lease, expired_documents, sweep_idempotency_keys TO mcp_rag_app;
