-- Row-level security on every table, and the rights of the server's role.
-- `mcp_rag_app` is created here without a login where it does not exist yet.

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mcp_rag_app') THEN
        CREATE ROLE mcp_rag_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    -- So that the login which migrates can also serve. Where another role does that (the managed
    -- PostgreSQL, or an administrator who made the role), there is nothing to grant.
    IF NOT pg_has_role(current_user, 'mcp_rag_app', 'MEMBER') THEN
        EXECUTE format('GRANT mcp_rag_app TO %I', current_user);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mcp_rag_app') THEN
        RAISE EXCEPTION 'the role mcp_rag_app does not exist and % may not create it; as an administrator run: '
            'CREATE ROLE mcp_rag_app NOLOGIN; GRANT mcp_rag_app TO %;', current_user, current_user;
    END IF;
END $$;

DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['tenants', 'collections', 'documents', 'document_versions', 'chunks',
                                'embedding_spaces', 'embeddings', 'lexical_chunks', 'lexical_terms', 'jobs'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I USING '
            '(tenant_id = nullif(current_setting(''mcp_rag.tenant_id'', true), '''')::bigint)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mcp_rag_app', name);
    END LOOP;
END $$;
REVOKE INSERT, UPDATE, DELETE ON tenants FROM mcp_rag_app;
GRANT EXECUTE ON FUNCTION claim_job, create_space_index, lexical_search TO mcp_rag_app;
