-- Embedding spaces and the vectors in them.

CREATE TABLE embedding_spaces (
    tenant_id  bigint NOT NULL REFERENCES tenants,
    space_id   bigint GENERATED ALWAYS AS IDENTITY,
    model      text NOT NULL,
    dimensions int NOT NULL,
    state      text NOT NULL DEFAULT 'active' CHECK (state IN ('building', 'active', 'retired')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, space_id),
    UNIQUE (tenant_id, model, dimensions)
);

-- halfvec is as exact as a search needs, at half the size; PLAIN keeps it out of TOAST.
CREATE TABLE embeddings (
    tenant_id     bigint NOT NULL,
    space_id      bigint NOT NULL,
    chunk_id      bigint NOT NULL,
    collection_id bigint NOT NULL,
    embedding     halfvec NOT NULL,
    PRIMARY KEY (tenant_id, chunk_id, space_id),
    FOREIGN KEY (tenant_id, chunk_id) REFERENCES chunks ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, space_id) REFERENCES embedding_spaces
);
ALTER TABLE embeddings ALTER embedding SET STORAGE PLAIN;
CREATE INDEX embeddings_of_collection ON embeddings (tenant_id, space_id, collection_id);

-- The server's role may not create indexes. This function may, for a space of the caller's tenant.
CREATE FUNCTION create_space_index(space bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    tenant CONSTANT bigint := nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint;
    size int;
BEGIN
    SELECT dimensions INTO size FROM embedding_spaces WHERE tenant_id = tenant AND space_id = space;
    IF size IS NULL THEN
        RAISE EXCEPTION 'no such embedding space' USING ERRCODE = 'no_data_found';
    END IF;
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON embeddings USING hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops) '
        'WITH (m = 16, ef_construction = 64) WHERE space_id = %s', 'embeddings_hnsw_' || space, size, space);
END $$;
REVOKE ALL ON FUNCTION create_space_index FROM PUBLIC;
