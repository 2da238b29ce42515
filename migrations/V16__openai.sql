-- Files and vector stores, as clients of OpenAI know them (docs/adr/0022-openai.md): a vector store is a collection,
-- a file in it a document. What neither has by itself is here.

-- Uploaded files. A document made of one has a copy of its bytes, so each can go without the other.
CREATE TABLE files (
    tenant_id  bigint NOT NULL REFERENCES tenants,
    file_id    bigint GENERATED ALWAYS AS IDENTITY,
    filename   text NOT NULL,
    purpose    text NOT NULL,
    -- By its name, its declared type or its bytes; one that has no parser fails where it is to be searched.
    media_type text NOT NULL,
    bytes      bigint NOT NULL,
    -- SHA-256 of the content.
    digest     bytea NOT NULL,
    content    bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    PRIMARY KEY (tenant_id, file_id)
);
CREATE INDEX files_expiring ON files (expires_at) WHERE expires_at IS NOT NULL;

-- `raw_bytes` is absent where an older version has written the document; `max_tokens` where it is cut as its collection says.
ALTER TABLE documents
    ADD COLUMN file_id bigint,
    ADD COLUMN raw_bytes bigint,
    ADD COLUMN max_tokens int,
    ADD COLUMN overlap_tokens int,
    ADD CONSTRAINT documents_file FOREIGN KEY (tenant_id, file_id) REFERENCES files ON DELETE SET NULL (file_id);
CREATE INDEX documents_of_file ON documents (tenant_id, file_id) WHERE file_id IS NOT NULL;

-- What a collection made as a vector store has besides: any name, and a time after which it ends unless it is used.
CREATE TABLE vector_stores (
    tenant_id          bigint NOT NULL,
    collection_id      bigint NOT NULL,
    name               text NOT NULL,
    expires_after_days int,
    last_active_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, collection_id),
    FOREIGN KEY (tenant_id, collection_id) REFERENCES collections ON DELETE CASCADE
) WITH (fillfactor = 70);

CREATE INDEX vector_stores_expiring ON vector_stores (tenant_id, collection_id) WHERE expires_after_days IS NOT NULL;

-- Files put into a vector store together.
CREATE TABLE file_batches (
    tenant_id     bigint NOT NULL,
    batch_id      bigint GENERATED ALWAYS AS IDENTITY,
    collection_id bigint NOT NULL,
    -- Absent where nothing was left to be worked on.
    job_id        bigint,
    files         bigint[] NOT NULL,
    cancelled     boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, batch_id),
    FOREIGN KEY (tenant_id, collection_id) REFERENCES collections ON DELETE CASCADE
);
CREATE INDEX file_batches_of_collection ON file_batches (tenant_id, collection_id);
CREATE INDEX file_batches_by_age ON file_batches (created_at);

-- Deletes files whose time is over, lets the documents of vector stores whose time is over expire, and forgets batches
-- of a month ago: at most so many of each, of any tenant, so it is the owner's and returns no more than how many.
CREATE FUNCTION sweep_files(most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    swept bigint := 0;
    count bigint;
BEGIN
    DELETE FROM files WHERE (tenant_id, file_id) IN (
        SELECT tenant_id, file_id FROM files WHERE expires_at <= now()
        ORDER BY expires_at LIMIT most FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS count = ROW_COUNT;
    swept := swept + count;
    UPDATE documents SET expires_at = now() WHERE (tenant_id, document_id) IN (
        SELECT d.tenant_id, d.document_id FROM vector_stores v
        JOIN documents d ON d.tenant_id = v.tenant_id AND d.collection_id = v.collection_id
        WHERE v.expires_after_days IS NOT NULL AND v.last_active_at + make_interval(days => v.expires_after_days) <= now()
          AND (d.expires_at IS NULL OR d.expires_at > now())
        LIMIT most FOR UPDATE OF d SKIP LOCKED);
    GET DIAGNOSTICS count = ROW_COUNT;
    swept := swept + count;
    DELETE FROM file_batches WHERE (tenant_id, batch_id) IN (
        SELECT tenant_id, batch_id FROM file_batches WHERE created_at < now() - interval '30 days'
        ORDER BY created_at LIMIT most FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS count = ROW_COUNT;
    RETURN swept + count;
END $$;
REVOKE ALL ON FUNCTION sweep_files FROM PUBLIC;

DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['files', 'vector_stores', 'file_batches'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I USING '
            '(tenant_id = nullif(current_setting(''mcp_rag.tenant_id'', true), '''')::bigint)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mcp_rag_app', name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION sweep_files TO mcp_rag_app;
