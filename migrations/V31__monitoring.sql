-- What monitoring is told of the whole database (docs/adr/0031-slos-and-alerts.md): numbers over all tenants, never a
-- name or an id.

-- The work queue by class and by what its tasks wait for: `due` for a worker, `put_off` for something that is away,
-- `leased` for their end. Looks at `most` tasks of each class, by index and tenant after tenant: a bulk upload of millions
-- costs no more, and hides no task that somebody waits for.
CREATE FUNCTION queue_state(most int) RETURNS TABLE (class smallint, state text, tasks bigint, oldest float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH RECURSIVE with_tasks AS (  -- one index probe per tenant, however many tasks it has
        (SELECT tenant_id, 1 AS number FROM tasks ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT t.tenant_id FROM tasks t WHERE t.tenant_id > w.tenant_id ORDER BY t.tenant_id LIMIT 1), number + 1
        FROM with_tasks w WHERE w.tenant_id IS NOT NULL AND number < most)
    SELECT class, CASE WHEN due_at <= now() THEN 'due' WHEN lease_owner IS NULL THEN 'put_off' ELSE 'leased' END,
           count(*), max(extract(epoch FROM now() - created_at))::float8
    FROM (VALUES (0::smallint), (1::smallint)) classes (class), LATERAL (
        SELECT of_tenant.* FROM with_tasks w, LATERAL (
            SELECT due_at, lease_owner, created_at FROM tasks t
            WHERE t.tenant_id = w.tenant_id AND t.class = classes.class LIMIT most) of_tenant
        LIMIT most) seen
    GROUP BY 1, 2
$$;
REVOKE ALL ON FUNCTION queue_state FROM PUBLIC;

-- How much there is, and how near the limits. `failed` asks each of `most` collections for at most a thousand of its
-- documents, by index; `vectors` are the planner's estimate.
CREATE FUNCTION database_state(most int) RETURNS TABLE (
    bytes bigint, vector_index_bytes bigint, vectors bigint, cache_bytes bigint, connections bigint,
    most_connections bigint, chunks bigint, largest_tenant_chunks bigint, failed bigint, wal_archived_at float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT pg_database_size(current_database()), i.bytes, i.vectors,
           pg_size_bytes(current_setting('effective_cache_size')), b.connections,
           current_setting('max_connections')::bigint, c.chunks, c.largest, f.failed,
           (SELECT extract(epoch FROM last_archived_time)::float8 FROM pg_stat_archiver)
    FROM (SELECT coalesce(sum(pg_relation_size(oid)), 0)::bigint AS bytes,
                 coalesce(sum(greatest(reltuples, 0)), 0)::bigint AS vectors
          FROM pg_class WHERE relkind = 'i' AND starts_with(relname, 'embeddings_hnsw_')) i,
         (SELECT sum(numbackends)::bigint AS connections FROM pg_stat_database) b,
         (SELECT coalesce(sum(chunks), 0)::bigint AS chunks, coalesce(max(chunks), 0)::bigint AS largest
          FROM (SELECT sum(chunks) AS chunks FROM collections GROUP BY tenant_id) tenant) c,
         (SELECT count(*) AS failed
          FROM (SELECT tenant_id, collection_id FROM collections LIMIT most) one, LATERAL (
              SELECT FROM documents d
              WHERE d.tenant_id = one.tenant_id AND d.collection_id = one.collection_id AND d.status = 'failed'
              LIMIT 1000) document) f
$$;
REVOKE ALL ON FUNCTION database_state FROM PUBLIC;

GRANT EXECUTE ON FUNCTION queue_state, database_state TO mcp_rag_app;
