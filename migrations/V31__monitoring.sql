-- What monitoring is told of the whole database (docs/adr/0031-slos-and-alerts.md): numbers over all tenants, never a
-- name or an id.

-- The work queue by class and by what its tasks wait for: `due` for a worker, `put_off` for something that is away,
-- `leased` for their end. Looks at `most` tasks at most, so that a queue of millions costs no more.
CREATE FUNCTION queue_state(most int) RETURNS TABLE (class smallint, state text, tasks bigint, oldest float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT t.class, t.state, count(*), max(t.age)
    FROM (SELECT class, extract(epoch FROM now() - created_at)::float8 AS age,
                 CASE WHEN due_at <= now() THEN 'due' WHEN lease_owner IS NULL THEN 'put_off' ELSE 'leased' END AS state
          FROM tasks LIMIT most) t
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
