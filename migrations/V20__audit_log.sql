-- Who did what: writes, uses of keys, denials (docs/adr/0027-audit-log.md). Without a foreign key: what was done stays
-- known after its tenant is gone; denials of unknown credentials are nobody's, so their tenant is 0.

CREATE TABLE audit_log (
    tenant_id  bigint NOT NULL,
    entry_id   bigint GENERATED ALWAYS AS IDENTITY,
    at         timestamptz NOT NULL DEFAULT now(),
    -- token, key_…, jwt:subject, none
    actor      text NOT NULL,
    -- The method and the route's pattern, or the MCP tool.
    action     text NOT NULL,
    -- What it was about, as the request named it.
    target     text NOT NULL DEFAULT '',
    -- Of the response.
    status     smallint NOT NULL,
    request_id text NOT NULL DEFAULT '',
    -- The address of whoever connected; behind a proxy, the proxy's.
    peer       text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, entry_id)
);
CREATE INDEX audit_log_by_age ON audit_log (at);

ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_log USING (tenant_id = nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint);
-- Entries are added and read, never changed.
GRANT SELECT, INSERT ON audit_log TO mcp_rag_app;

CREATE FUNCTION sweep_audit_log(older_than interval, most int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH old AS (
        DELETE FROM audit_log WHERE (tenant_id, entry_id) IN (
            SELECT tenant_id, entry_id FROM audit_log WHERE at < now() - older_than ORDER BY at LIMIT most)
        RETURNING 1)
    SELECT count(*) FROM old
$$;
REVOKE ALL ON FUNCTION sweep_audit_log FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sweep_audit_log TO mcp_rag_app;
