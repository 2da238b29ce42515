-- Filters (docs/adr/0015-filters.md): what a document can be selected by, one row per value, under B-trees over
-- leakproof types, so that row-level security does not keep the planner from them.

-- A document's values. `kind`:
--   s a string, n a number (as float8), b a boolean, t a string that is also a time (microseconds since 1970),
--   S, N, B the elements of an array, x an array or an object (for `exists`),
--   f a field of the document itself: title, external_id, uri, media_type, and each name of its acl
-- Words hold the first 256 characters; a longer one, or a number from 2^53 on, is looked at again in `documents`.
CREATE TABLE document_attributes (
    tenant_id     bigint NOT NULL,
    document_id   bigint NOT NULL,
    key           text COLLATE "C" NOT NULL,
    kind          "char" NOT NULL,
    place         int NOT NULL,
    collection_id bigint NOT NULL,
    word          text COLLATE "C" NOT NULL,
    number        float8 NOT NULL,
    PRIMARY KEY (tenant_id, document_id, key, kind, place) INCLUDE (word, number),
    FOREIGN KEY (tenant_id, document_id) REFERENCES documents ON DELETE CASCADE
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- A string that is an RFC 3339 date or date-time; null for any other. A date is its midnight in UTC.
CREATE FUNCTION attribute_time(value text) RETURNS float8
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
BEGIN
    IF value !~ '^\d{4}-\d\d-\d\d([Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?([Zz]|[+-](0\d|1[0-4]):[0-5]\d))?$' THEN
        RETURN NULL;
    END IF;
    RETURN trunc(extract(epoch FROM regexp_replace(value, '(\.\d{6})\d+', '\1')::timestamptz) * 1000000)::float8;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;  -- the thirtieth of February
END $$;

CREATE FUNCTION attribute_rows(attributes jsonb, title text, external_id text, uri text, media_type text, acl text[])
RETURNS TABLE (key text, kind "char", place int, word text, number float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH pairs AS (
        SELECT a.key, a.value, jsonb_typeof(a.value) AS type, a.value #>> '{}' AS text
        FROM jsonb_each(attributes) a WHERE octet_length(a.key) <= 256),
    elements AS (
        SELECT p.key, e.value, jsonb_typeof(e.value) AS type, e.value #>> '{}' AS text,
               row_number() OVER (PARTITION BY p.key)::int AS place
        FROM pairs p CROSS JOIN LATERAL (
            SELECT DISTINCT x.value FROM jsonb_array_elements(CASE WHEN p.type = 'array' THEN p.value ELSE '[]' END) x
        ) e WHERE jsonb_typeof(e.value) IN ('string', 'number', 'boolean'))
    SELECT key, (CASE type WHEN 'string' THEN 's' WHEN 'number' THEN 'n' WHEN 'boolean' THEN 'b' ELSE 'x' END)::"char", 0,
           CASE WHEN type IN ('string', 'boolean') THEN left(text, 256) ELSE '' END,
           CASE WHEN type = 'number' THEN text::float8 ELSE 0 END
    FROM pairs WHERE type <> 'null'
    UNION ALL
    SELECT key, 't', 0, '', attribute_time(text) FROM pairs
    WHERE type = 'string' AND text ~ '^\d{4}-\d\d-\d\d' AND attribute_time(text) IS NOT NULL
    UNION ALL
    SELECT key, (CASE type WHEN 'string' THEN 'S' WHEN 'number' THEN 'N' ELSE 'B' END)::"char", place,
           CASE WHEN type = 'number' THEN '' ELSE left(text, 256) END,
           CASE WHEN type = 'number' THEN text::float8 ELSE 0 END
    FROM elements
    UNION ALL
    SELECT f.key, 'f', 0, left(f.word, 256), 0
    FROM (VALUES ('title', title), ('external_id', external_id), ('uri', uri), ('media_type', media_type)) f(key, word)
    UNION ALL
    SELECT 'acl', 'f', n::int, left(name, 256), 0 FROM unnest(acl) WITH ORDINALITY AS names(name, n)
$$;

-- A trigger, so that a server of an older version keeps the rows right too.
CREATE FUNCTION index_attributes() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM document_attributes WHERE tenant_id = NEW.tenant_id AND document_id = NEW.document_id;
    END IF;
    INSERT INTO document_attributes (tenant_id, document_id, key, kind, place, collection_id, word, number)
    SELECT NEW.tenant_id, NEW.document_id, r.key, r.kind, r.place, NEW.collection_id, r.word, r.number
    FROM attribute_rows(NEW.attributes, NEW.title, NEW.external_id, NEW.uri, NEW.media_type, NEW.acl) r;
    RETURN NULL;
END $$;
CREATE TRIGGER index_new_attributes AFTER INSERT ON documents FOR EACH ROW EXECUTE FUNCTION index_attributes();
CREATE TRIGGER index_changed_attributes AFTER UPDATE OF attributes, title, uri, media_type, acl ON documents FOR EACH ROW
    WHEN ((OLD.attributes, OLD.title, OLD.uri, OLD.media_type, OLD.acl)
          IS DISTINCT FROM (NEW.attributes, NEW.title, NEW.uri, NEW.media_type, NEW.acl))
    EXECUTE FUNCTION index_attributes();

INSERT INTO document_attributes (tenant_id, document_id, key, kind, place, collection_id, word, number)
SELECT d.tenant_id, d.document_id, r.key, r.kind, r.place, d.collection_id, r.word, r.number
FROM documents d CROSS JOIN LATERAL attribute_rows(d.attributes, d.title, d.external_id, d.uri, d.media_type, d.acl) r;
CREATE INDEX document_attributes_values
    ON document_attributes (tenant_id, collection_id, key, kind, word, number, document_id);

CREATE INDEX documents_by_creation ON documents (tenant_id, collection_id, created_at);
CREATE INDEX documents_by_update ON documents (tenant_id, collection_id, updated_at);

-- The document of each vector, so that a filter needs no look at `chunks`.
ALTER TABLE embeddings ADD COLUMN document_id bigint;
UPDATE embeddings e SET document_id = c.document_id FROM chunks c WHERE c.tenant_id = e.tenant_id AND c.chunk_id = e.chunk_id;
CREATE INDEX embeddings_of_document ON embeddings (tenant_id, space_id, document_id);
CREATE INDEX chunks_of_document ON chunks (tenant_id, document_id, chunk_id);
-- What a server of an older version leaves out; only after its statement is the chunk there to be seen.
CREATE FUNCTION complete_embedding() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE embeddings e SET document_id = c.document_id FROM chunks c
    WHERE e.tenant_id = NEW.tenant_id AND e.space_id = NEW.space_id AND e.chunk_id = NEW.chunk_id
      AND c.tenant_id = NEW.tenant_id AND c.chunk_id = NEW.chunk_id;
    RETURN NULL;
END $$;
CREATE TRIGGER complete_embedding AFTER INSERT ON embeddings FOR EACH ROW WHEN (NEW.document_id IS NULL)
    EXECUTE FUNCTION complete_embedding();

ALTER TABLE document_attributes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON document_attributes USING (tenant_id = nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint);
GRANT SELECT, INSERT, UPDATE, DELETE ON document_attributes TO mcp_rag_app;

-- The lexical leg under a filter, in two steps: the likeliest chunks that match it, then their scores. As for
-- `lexical_search` (V3) these functions are the owner's because `&&` is not leakproof; they select by the tenant
-- themselves.

-- A query's posting lists within the budget, its terms with their weights, and the first pass's vector.
CREATE FUNCTION lexical_query(of_collections bigint[], bases bigint[], counts real[], budget int,
                              OUT open_keys bigint[], OUT all_bases bigint[], OUT all_idfs float8[], OUT query sparsevec)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    tenant CONSTANT bigint := nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint;
BEGIN
    WITH lists AS (
        SELECT asked.base, asked.n, c.chunks, list.key, list.df, sum(list.df) OVER (PARTITION BY asked.base) AS term_df
        FROM unnest(of_collections, bases, counts) AS asked(collection_id, base, n)
        JOIN collections c ON c.tenant_id = tenant AND c.collection_id = asked.collection_id
        CROSS JOIN LATERAL (
            SELECT t.key, t.df FROM lexical_terms t
            WHERE t.tenant_id = tenant AND t.collection_id = asked.collection_id
              AND t.key BETWEEN asked.base AND asked.base | 63 AND t.df > 0 OFFSET 0) list),
    weighed AS (
        SELECT key, df, base, n * ln(1 + (chunks - term_df + 0.5) / (term_df + 0.5)) AS idf FROM lists),
    ranked AS (
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
END $$;

-- The likeliest `most` chunks of some documents that hold a term of the query, by the first pass's score.
CREATE FUNCTION lexical_among(of_collections bigint[], bases bigint[], counts real[], most int, documents bigint[])
RETURNS TABLE (chunk_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    tenant CONSTANT bigint := nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint;
    asked record;
BEGIN
    SELECT * INTO asked FROM lexical_query(of_collections, bases, counts, 0);
    RETURN QUERY
    SELECT scored.chunk_id FROM (
        SELECT l.chunk_id, l.impacts <#> asked.query AS distance
        FROM chunks c CROSS JOIN LATERAL (
            SELECT * FROM lexical_chunks x WHERE x.tenant_id = tenant AND x.chunk_id = c.chunk_id OFFSET 0) l
        WHERE c.tenant_id = tenant AND c.document_id = ANY (documents) OFFSET 0) scored
    WHERE scored.distance < 0 ORDER BY scored.distance LIMIT most;
END $$;

-- The likeliest `most` chunks of the whole, best first, of so many postings.
CREATE FUNCTION lexical_first(of_collections bigint[], bases bigint[], counts real[], most int, budget int)
RETURNS TABLE (chunk_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1000 SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    tenant CONSTANT bigint := nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint;
    asked record;
BEGIN
    SELECT * INTO asked FROM lexical_query(of_collections, bases, counts, budget);
    RETURN QUERY
    SELECT l.chunk_id FROM lexical_chunks l
    WHERE l.keys && asked.open_keys AND l.tenant_id IS NOT DISTINCT FROM tenant
    ORDER BY l.impacts <#> asked.query LIMIT most;
END $$;

-- BM25 of these chunks, with today's statistics; 0 where no term matches.
CREATE FUNCTION lexical_scores(of_collections bigint[], bases bigint[], counts real[], wanted bigint[])
RETURNS TABLE (chunk_id bigint, score double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    tenant CONSTANT bigint := nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint;
    asked record;
BEGIN
    SELECT * INTO asked FROM lexical_query(of_collections, bases, counts, 0);
    RETURN QUERY
    SELECT l.chunk_id, coalesce((
        SELECT sum(t.idf * (key & 63) / ((key & 63) + 1.2::float8
                   * (0.25::float8 + 0.75::float8 * l.length * c.chunks / greatest(c.terms, 1))))
        FROM unnest(l.keys) AS key JOIN unnest(asked.all_bases, asked.all_idfs) AS t(base, idf) ON t.base = (key & -64)), 0)
    FROM (SELECT DISTINCT id FROM unnest(wanted) AS id) ids
    CROSS JOIN LATERAL (
        SELECT * FROM lexical_chunks x WHERE x.tenant_id = tenant AND x.chunk_id = ids.id OFFSET 0) l
    JOIN collections c ON c.tenant_id = tenant AND c.collection_id = l.collection_id;
END $$;

REVOKE ALL ON FUNCTION lexical_query, lexical_among, lexical_first, lexical_scores FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lexical_among, lexical_first, lexical_scores TO mcp_rag_app;
