-- BM25 on plain PostgreSQL (docs/adr/0003-bm25-on-plain-postgresql.md).
--
-- A lexical key is a 64-bit hash of (collection, term) whose low 6 bits hold the term's count in the
-- chunk, at most 63. One GIN index over the keys thus holds a posting list per term and count, and
-- lexical_terms its length: the document frequencies, kept right in the transaction of every change.

CREATE TABLE lexical_chunks (
    tenant_id     bigint NOT NULL,
    chunk_id      bigint NOT NULL,
    collection_id bigint NOT NULL,
    -- The chunk's length in terms.
    length        int NOT NULL,
    keys          bigint[] NOT NULL,
    -- BM25's saturated term frequencies at a reference length: a first-pass score in one C call.
    impacts       sparsevec(536870912) NOT NULL,
    PRIMARY KEY (tenant_id, chunk_id),
    FOREIGN KEY (tenant_id, chunk_id) REFERENCES chunks ON DELETE CASCADE
) WITH (toast_tuple_target = 8160);
ALTER TABLE lexical_chunks ALTER keys SET STORAGE MAIN, ALTER impacts SET STORAGE MAIN;
CREATE INDEX lexical_chunks_keys ON lexical_chunks USING gin (keys) WITH (fastupdate = off);
CREATE INDEX lexical_chunks_of_collection ON lexical_chunks (tenant_id, collection_id);

CREATE TABLE lexical_terms (
    tenant_id     bigint NOT NULL,
    collection_id bigint NOT NULL,
    key           bigint NOT NULL,
    df            int NOT NULL,
    PRIMARY KEY (tenant_id, collection_id, key),
    FOREIGN KEY (tenant_id, collection_id) REFERENCES collections ON DELETE CASCADE
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- BM25 (Lucene's variant, k1 = 1.2, b = 0.75).
--   of_collections[i], bases[i], counts[i]: a term of the query: its collection, its key with the low
--     6 bits zero, its count in the query
--   depth:  how many chunks the leg returns
--   also:   chunks to score besides, 0 where no term matches
--   budget: postings the first pass may read; the most valuable lists are read first
-- `found` tells the leg's own chunks from those of `also`.
--
-- SECURITY DEFINER because `&&` is not leakproof: under row-level security PostgreSQL does not use a
-- GIN index for it. The function filters by the tenant itself, and callers join what it returns to
-- `chunks` under row-level security.
CREATE FUNCTION lexical_search(of_collections bigint[], bases bigint[], counts real[], depth int,
                               also bigint[] DEFAULT '{}', budget int DEFAULT 4000)
RETURNS TABLE (chunk_id bigint, score double precision, found boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    tenant CONSTANT bigint := nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint;
    open_keys bigint[];
    all_bases bigint[];
    all_idfs float8[];
    query sparsevec;
BEGIN
    WITH lists AS (  -- every posting list of the query, with its length
        SELECT asked.base, asked.n, c.chunks, list.key, list.df, sum(list.df) OVER (PARTITION BY asked.base) AS term_df
        FROM unnest(of_collections, bases, counts) AS asked(collection_id, base, n)
        JOIN collections c ON c.tenant_id = tenant AND c.collection_id = asked.collection_id
        CROSS JOIN LATERAL (
            SELECT t.key, t.df FROM lexical_terms t
            WHERE t.tenant_id = tenant AND t.collection_id = asked.collection_id
              AND t.key BETWEEN asked.base AND asked.base | 63 AND t.df > 0 OFFSET 0) list),
    weighed AS (
        SELECT key, df, base, n * ln(1 + (chunks - term_df + 0.5) / (term_df + 0.5)) AS idf FROM lists),
    ranked AS (  -- rare terms, and common ones only where they are frequent in the chunk
        SELECT key, sum(df) OVER value AS read_so_far, row_number() OVER value AS place FROM weighed
        WINDOW value AS (ORDER BY idf * (key & 63) / ((key & 63) + 1.2) DESC, key)),
    terms AS (SELECT base, min(idf) AS idf FROM weighed GROUP BY base)
    SELECT (SELECT array_agg(key) FILTER (WHERE read_so_far <= budget OR place = 1) FROM ranked),
           (SELECT array_agg(base ORDER BY base) FROM terms), (SELECT array_agg(idf ORDER BY base) FROM terms)
    INTO open_keys, all_bases, all_idfs;
    IF open_keys IS NOT NULL THEN
        SELECT ('{' || string_agg(dimension || ':' || weight, ',') || '}/536870912')::sparsevec INTO query
        FROM (SELECT ((base >> 6) & 536870911) + 1 AS dimension, sum(idf)::real AS weight
              FROM unnest(all_bases, all_idfs) AS t(base, idf) GROUP BY 1 ORDER BY 1) sorted;
    END IF;
    RETURN QUERY
    WITH first_pass AS MATERIALIZED (  -- `IS NOT DISTINCT FROM` keeps the planner on the GIN index
        SELECT l.chunk_id FROM lexical_chunks l
        WHERE l.keys && open_keys AND l.tenant_id IS NOT DISTINCT FROM tenant
        ORDER BY l.impacts <#> query LIMIT depth * 3 / 2 + 25),
    exact AS (  -- BM25 itself, with today's statistics
        SELECT l.chunk_id, first_pass.chunk_id IS NOT NULL AS found, coalesce((
            SELECT sum(t.idf * (key & 63) / ((key & 63) + 1.2::float8
                       * (0.25::float8 + 0.75::float8 * l.length * c.chunks / greatest(c.terms, 1))))
            FROM unnest(l.keys) AS key JOIN unnest(all_bases, all_idfs) AS t(base, idf) ON t.base = (key & -64)), 0) AS score
        FROM (SELECT f.chunk_id FROM first_pass f UNION SELECT unnest(also)) wanted
        LEFT JOIN first_pass ON first_pass.chunk_id = wanted.chunk_id
        CROSS JOIN LATERAL (
            SELECT * FROM lexical_chunks x WHERE x.tenant_id = tenant AND x.chunk_id = wanted.chunk_id OFFSET 0) l
        JOIN collections c ON c.tenant_id = tenant AND c.collection_id = l.collection_id),
    placed AS (
        SELECT exact.*, row_number() OVER (PARTITION BY exact.found ORDER BY exact.score DESC, exact.chunk_id) AS place
        FROM exact)
    SELECT p.chunk_id, p.score, p.found AND p.place <= depth FROM placed p
    WHERE p.found AND p.place <= depth OR p.chunk_id = ANY (also)
    ORDER BY p.score DESC, p.chunk_id;
END $$;
REVOKE ALL ON FUNCTION lexical_search FROM PUBLIC;
