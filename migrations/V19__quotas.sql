-- Quotas (docs/adr/0024-quotas.md): what a key or a tenant has in place of the configured limits, and the tokens of the
-- chat model that they have used on a day.

ALTER TABLE api_keys ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';
-- Set by the owner of the schema, like everything about a tenant.
ALTER TABLE tenants ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';

CREATE TABLE llm_usage (
    tenant_id bigint NOT NULL REFERENCES tenants,
    day       date NOT NULL,
    -- The credential, as `key_1`; empty: the tenant as a whole.
    holder    text NOT NULL,
    tokens    bigint NOT NULL,
    PRIMARY KEY (tenant_id, day, holder)
) WITH (fillfactor = 70);
ALTER TABLE llm_usage ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON llm_usage USING (tenant_id = nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint);
GRANT SELECT, INSERT, UPDATE, DELETE ON llm_usage TO mcp_rag_app;
