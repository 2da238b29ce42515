-- Whether a database is whole: one line for each check, its name, `ok` or `FAILED`, and a detail, apart by tabs.
-- Run by the owner or a superuser. Changes nothing.
\set QUIET on
SET client_min_messages = error;
\pset fieldsep '\t'
BEGIN;
SELECT count(*) > 0 AS migrated, coalesce(max(version), 0) AS version FROM refinery_schema_history \gset
SELECT 'schema', CASE WHEN :'migrated' THEN 'ok' ELSE 'FAILED' END, 'migration ' || :version;

SELECT 'extension vector', CASE WHEN count(*) = 1 THEN 'ok' ELSE 'FAILED' END, coalesce(max(extversion), 'not there')
FROM pg_extension WHERE extname = 'vector';

-- Each table is said to hold something, so that an empty database does not pass for a whole one.
SELECT 'documents', CASE WHEN (SELECT count(*) FROM documents) > 0 THEN 'ok' ELSE 'FAILED' END,
       (SELECT count(*) FROM documents) || ' documents, ' || (SELECT count(*) FROM chunks) || ' chunks, '
       || (SELECT count(*) FROM embeddings) || ' vectors';

SELECT 'collections count right', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'FAILED' END, count(*) || ' collections with another number of chunks than they say'
FROM (SELECT c.tenant_id, c.collection_id, c.chunks, count(k.chunk_id) AS held
      FROM collections c LEFT JOIN chunks k USING (tenant_id, collection_id) GROUP BY 1, 2, 3) s
WHERE s.chunks <> s.held;

SELECT 'every chunk has its vector', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'FAILED' END, count(*) || ' chunks without'
FROM chunks k JOIN embedding_spaces s ON s.tenant_id = k.tenant_id AND s.state = 'active' AND NOT s.behind
WHERE NOT EXISTS (SELECT FROM embeddings e WHERE e.tenant_id = k.tenant_id AND e.chunk_id = k.chunk_id AND e.space_id = s.space_id);

SELECT 'every chunk is in the lexical index', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'FAILED' END, count(*) || ' chunks without'
FROM chunks k WHERE NOT EXISTS (SELECT FROM lexical_chunks l WHERE l.tenant_id = k.tenant_id AND l.chunk_id = k.chunk_id);

SELECT 'indexes are valid', CASE WHEN count(*) FILTER (WHERE NOT (indisvalid AND indisready AND indislive)) = 0 AND count(*) > 0
       THEN 'ok' ELSE 'FAILED' END,
       coalesce(string_agg(indexrelid::regclass::text, ', ') FILTER (WHERE NOT (indisvalid AND indisready AND indislive)), count(*) || ' indexes')
FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE c.relnamespace = current_schema()::regnamespace;

SELECT 'each space has its HNSW index', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'FAILED' END,
       coalesce('missing: ' || string_agg('embeddings_hnsw_' || s.space_id, ', '), (SELECT count(*) FROM embedding_spaces) || ' spaces')
FROM embedding_spaces s
WHERE s.state <> 'removing' AND NOT EXISTS (
    SELECT FROM pg_class i JOIN pg_am a ON a.oid = i.relam AND a.amname = 'hnsw'
    WHERE i.relname = 'embeddings_hnsw_' || s.space_id AND i.relnamespace = current_schema()::regnamespace);

-- The ten nearest of up to twenty stored vectors by the index, beside an exact search.
CREATE FUNCTION pg_temp.nearest(space bigint, size int, exact boolean) RETURNS TABLE (asked bigint, found bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('enable_indexscan', (NOT exact)::text, true), set_config('enable_bitmapscan', (NOT exact)::text, true),
            set_config('enable_seqscan', exact::text, true), set_config('enable_sort', exact::text, true),
            set_config('hnsw.ef_search', '200', true);
    FOR asked IN EXECUTE format('SELECT chunk_id FROM embeddings WHERE space_id = %s AND embedding IS NOT NULL
                                 ORDER BY hashint8(chunk_id), chunk_id LIMIT 20', space) LOOP
        RETURN QUERY EXECUTE format('SELECT %1$s::bigint, e.chunk_id FROM embeddings e WHERE e.space_id = %2$s ORDER BY
            e.embedding::halfvec(%3$s) <=> (SELECT o.embedding::halfvec(%3$s) FROM embeddings o WHERE o.space_id = %2$s AND o.chunk_id = %1$s)
            LIMIT 10', asked, space, size);
    END LOOP;
END $$;
SELECT 'the HNSW index finds what there is', CASE WHEN coalesce(min(recall), 1) >= 0.9 THEN 'ok' ELSE 'FAILED' END,
       CASE WHEN count(*) = 0 THEN 'no space with half-precision vectors' ELSE 'recall@10 ' || round(min(recall), 3) || ' of an exact search' END
FROM (SELECT s.space_id, (SELECT count(*) FILTER (WHERE i.found IS NOT NULL)::numeric / greatest(count(*), 1)
          FROM pg_temp.nearest(s.space_id, s.dimensions, true) x
          LEFT JOIN pg_temp.nearest(s.space_id, s.dimensions, false) i USING (asked, found)) AS recall
      FROM embedding_spaces s WHERE s.state = 'active' AND s.storage = 'halfvec'
        AND EXISTS (SELECT FROM embeddings e WHERE e.tenant_id = s.tenant_id AND e.space_id = s.space_id)) r;

SELECT 'row-level security is on', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'FAILED' END,
       coalesce('off or without a policy: ' || string_agg(c.relname, ', '), 'on every table')
FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND c.relname <> 'refinery_schema_history'
  AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid));

SELECT 'the role mcp_rag_app is bound', CASE WHEN bool_and(NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)) THEN 'ok' ELSE 'FAILED' END,
       CASE WHEN count(*) = 0 THEN 'there is no such role' ELSE 'no superuser, does not pass row-level security' END
FROM pg_roles WHERE rolname = 'mcp_rag_app';

SELECT 'the role mcp_rag_app owns nothing', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'FAILED' END, count(*) || ' tables'
FROM pg_class WHERE relkind = 'r' AND relowner = to_regrole('mcp_rag_app') AND relnamespace = current_schema()::regnamespace;

SELECT 'its rights are there', CASE WHEN bool_and(has_table_privilege('mcp_rag_app', t, 'SELECT,INSERT,UPDATE,DELETE')) THEN 'ok' ELSE 'FAILED' END, string_agg(t, ', ')
FROM unnest(ARRAY['documents', 'chunks', 'embeddings', 'lexical_chunks', 'jobs']) t;

SELECT pg_has_role('mcp_rag_app', 'MEMBER') AS may_become \gset
\if :may_become
SET LOCAL ROLE mcp_rag_app;
SELECT 'without a tenant nothing is seen', CASE WHEN (SELECT count(*) FROM documents) = 0 AND (SELECT count(*) FROM embeddings) = 0
       THEN 'ok' ELSE 'FAILED' END, (SELECT count(*) FROM documents) || ' documents';
RESET ROLE;
\else
SELECT 'without a tenant nothing is seen', 'FAILED', 'this login may not become mcp_rag_app';
\endif
ROLLBACK;
