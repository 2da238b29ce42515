-- Questions are unlike the chunks that answer them, and need a better graph than chunks among themselves
-- (docs/adr/0018-hnsw-parameters.md). An index that is there stays as it was built.
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
        'WITH (m = 16, ef_construction = 200) WHERE space_id = %s', 'embeddings_hnsw_' || space, of, space);
END $$;
