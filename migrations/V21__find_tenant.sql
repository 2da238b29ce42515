-- Which tenant a token's claim names (docs/adr/0020-jwt.md): a name is looked for among all, and its id is all
-- that is told.
CREATE FUNCTION find_tenant(called text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT tenant_id FROM tenants WHERE name = called OR 'ten_' || tenant_id = called
    ORDER BY name = called DESC LIMIT 1
$$;
REVOKE ALL ON FUNCTION find_tenant FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_tenant TO mcp_rag_app;
