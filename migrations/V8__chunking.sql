-- How a collection cuts its documents, what a chat model says about each chunk, and what a document lacks.

ALTER TABLE collections
    ADD COLUMN chunk_strategy text NOT NULL DEFAULT 'structure',
    -- Of the strategy `sentence_window`: sentences on either side of the one that is found.
    ADD COLUMN window_sentences int NOT NULL DEFAULT 3,
    -- `llm`: a chat model situates each chunk in its document.
    ADD COLUMN chunk_context text NOT NULL DEFAULT 'none';

-- Of a chunk that is found by less than it returns: the bytes of the parsed text that were embedded.
ALTER TABLE chunks ADD COLUMN match_start int, ADD COLUMN match_end int;

-- What the published version had to do without.
ALTER TABLE documents ADD COLUMN warnings text[] NOT NULL DEFAULT '{}';

-- A chat model's sentences about a chunk, by the hash of all that it was asked: nothing is asked twice, across
-- restarts, retries and new versions. They go with their document.
CREATE TABLE chunk_contexts (
    tenant_id   bigint NOT NULL,
    document_id bigint NOT NULL,
    hash        bytea NOT NULL,
    context     text NOT NULL,
    PRIMARY KEY (tenant_id, document_id, hash),
    FOREIGN KEY (tenant_id, document_id) REFERENCES documents ON DELETE CASCADE
);
ALTER TABLE chunk_contexts ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON chunk_contexts USING
    (tenant_id = nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint);
GRANT SELECT, INSERT, UPDATE, DELETE ON chunk_contexts TO mcp_rag_app;

-- `reindex`: documents that are published already are cut, embedded and indexed anew. The code knows the kinds.
ALTER TABLE jobs DROP CONSTRAINT IF EXISTS jobs_kind_check;
