-- Embedding spaces with a life: one is built beside the one that is searched, takes its place, and gives it back.

ALTER TABLE embedding_spaces
    ADD COLUMN storage      text NOT NULL DEFAULT 'halfvec' CHECK (storage IN ('halfvec', 'vector', 'bit')),
    -- Whether a chunk may lack its vector: while it is built, or since a document was published without one.
    ADD COLUMN behind       boolean NOT NULL DEFAULT false,
    -- Who fills or removes it.
    ADD COLUMN job_id       bigint,
    ADD COLUMN activated_at timestamptz,
    ADD COLUMN retired_at   timestamptz;
ALTER TABLE embedding_spaces DROP CONSTRAINT embedding_spaces_state_check;
ALTER TABLE embedding_spaces ADD CONSTRAINT embedding_spaces_state_check
    CHECK (state IN ('building', 'active', 'retired', 'removing'));
-- A server of an older version made an active space for each model it was started with: the fullest is meant.
UPDATE embedding_spaces s SET state = 'retired', behind = true, retired_at = now()
WHERE s.state = 'active' AND s.space_id <> (
    SELECT o.space_id FROM embedding_spaces o WHERE o.tenant_id = s.tenant_id AND o.state = 'active'
    ORDER BY (SELECT count(*) FROM embeddings e WHERE e.tenant_id = o.tenant_id AND e.space_id = o.space_id) DESC,
             o.space_id DESC LIMIT 1);
UPDATE embedding_spaces SET activated_at = created_at WHERE state = 'active';
ALTER TABLE embedding_spaces DROP CONSTRAINT embedding_spaces_tenant_id_model_dimensions_key;
CREATE UNIQUE INDEX embedding_spaces_active ON embedding_spaces (tenant_id) WHERE state = 'active';
CREATE UNIQUE INDEX embedding_spaces_key ON embedding_spaces (tenant_id, model, dimensions, storage)
    WHERE state <> 'removing';

-- Full precision where a space asks for it. `bit` has no column: its index is made of the signs of `embedding`.
ALTER TABLE embeddings ALTER embedding DROP NOT NULL, ADD COLUMN full_embedding vector;
ALTER TABLE embeddings ALTER full_embedding SET STORAGE PLAIN,
    ADD CONSTRAINT embeddings_once CHECK ((embedding IS NULL) <> (full_embedding IS NULL)) NOT VALID;
ALTER TABLE staged_embeddings ALTER embedding DROP NOT NULL, ADD COLUMN full_embedding vector;

-- What the embedder read of a chunk, for the next one to read too: the text behind a prefix, or another text
-- altogether. Both null: not known, from before.
ALTER TABLE chunks ADD COLUMN embedded_prefix text, ADD COLUMN embedded_text text;

-- Work on a space is a job of no collection, whose progress is counted by what remains.
ALTER TABLE jobs ALTER collection_id DROP NOT NULL, ADD COLUMN remaining int;
ALTER TABLE jobs DROP CONSTRAINT IF EXISTS jobs_kind_check;
ALTER TABLE tasks DROP CONSTRAINT IF EXISTS tasks_kind_check;
-- A range of chunk ids; without an end it goes on to the newest.
ALTER TABLE tasks ADD COLUMN space_id bigint, ADD COLUMN from_chunk bigint, ADD COLUMN to_chunk bigint,
    ADD FOREIGN KEY (tenant_id, space_id) REFERENCES embedding_spaces;
CREATE INDEX tasks_of_space ON tasks (tenant_id, space_id) WHERE space_id IS NOT NULL;

-- The index is made while the space is empty, which takes one scan of the table and no time to fill; inserts fill it.
CREATE OR REPLACE FUNCTION create_space_index(space bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '2s' AS $$
DECLARE
    tenant CONSTANT bigint := nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint;
    kept text;
    size int;
    of text;
BEGIN
    SELECT dimensions, storage INTO size, kept FROM embedding_spaces WHERE tenant_id = tenant AND space_id = space;
    IF size IS NULL THEN
        RAISE EXCEPTION 'no such embedding space' USING ERRCODE = 'no_data_found';
    END IF;
    of := CASE kept
        WHEN 'vector' THEN format('(full_embedding::vector(%s)) vector_cosine_ops', size)
        WHEN 'bit' THEN format('(binary_quantize(embedding)::bit(%s)) bit_hamming_ops', size)
        ELSE format('(embedding::halfvec(%s)) halfvec_cosine_ops', size) END;
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON embeddings USING hnsw (%s) '
        'WITH (m = 16, ef_construction = 64) WHERE space_id = %s', 'embeddings_hnsw_' || space, of, space);
END $$;

-- Of a space that is on its way out. Whoever holds the table up for longer is let go first: the caller tries again.
CREATE FUNCTION drop_space_index(space bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '200ms' AS $$
DECLARE
    tenant CONSTANT bigint := nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint;
BEGIN
    PERFORM FROM embedding_spaces WHERE tenant_id = tenant AND space_id = space AND state = 'removing';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such embedding space on its way out' USING ERRCODE = 'no_data_found';
    END IF;
    EXECUTE format('DROP INDEX IF EXISTS %I', 'embeddings_hnsw_' || space);
END $$;
REVOKE ALL ON FUNCTION drop_space_index FROM PUBLIC;

-- Which model each tenant is searched with, to compare with what a server is started with.
CREATE FUNCTION active_spaces() RETURNS TABLE (tenant bigint, model text, dimensions int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT tenant_id, model, dimensions FROM embedding_spaces WHERE state = 'active' ORDER BY tenant_id LIMIT 1000
$$;
REVOKE ALL ON FUNCTION active_spaces FROM PUBLIC;

-- As before, for tasks of every kind but the webhook that tells of the end.
CREATE OR REPLACE FUNCTION ended_jobs() RETURNS TABLE (tenant bigint, job bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT j.tenant_id, j.job_id FROM jobs j
    WHERE j.status IN ('queued', 'running')
      AND NOT EXISTS (SELECT FROM tasks t WHERE t.tenant_id = j.tenant_id AND t.job_id = j.job_id AND t.kind <> 'webhook')
    ORDER BY j.tenant_id, j.job_id LIMIT 1000
$$;

GRANT EXECUTE ON FUNCTION drop_space_index, active_spaces TO mcp_rag_app;
