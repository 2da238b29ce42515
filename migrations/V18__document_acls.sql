-- Who may see a document (docs/adr/0026-document-acls.md): everyone of its tenant, or whom its `acl` names. A session
-- says whom it speaks for in `mcp_rag.sees`, separated by U+001F; the name `*` sees all. With the setting absent only what
-- is everyone's is visible.

-- Beside `documents` themselves, whatever is made of them: so that a scan of a public document's rows asks nothing more.
ALTER TABLE chunks ADD COLUMN restricted boolean NOT NULL DEFAULT false;
ALTER TABLE embeddings ADD COLUMN restricted boolean NOT NULL DEFAULT false;
ALTER TABLE document_attributes ADD COLUMN restricted boolean NOT NULL DEFAULT false;
CREATE INDEX documents_restricted ON documents (tenant_id, collection_id) WHERE acl <> '{}';

-- Keeps them right, whichever version of the server writes: a worker writes a document's chunks before it publishes it.
CREATE FUNCTION restrict_document() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    named CONSTANT boolean := NEW.acl <> '{}';
BEGIN
    UPDATE embeddings e SET restricted = named FROM chunks c
    WHERE c.tenant_id = NEW.tenant_id AND c.document_id = NEW.document_id
      AND e.tenant_id = c.tenant_id AND e.chunk_id = c.chunk_id AND e.restricted <> named;
    UPDATE chunks SET restricted = named
    WHERE tenant_id = NEW.tenant_id AND document_id = NEW.document_id AND restricted <> named;
    RETURN NULL;
END $$;
CREATE TRIGGER restrict_document AFTER UPDATE OF acl, published_version ON documents FOR EACH ROW
    WHEN (OLD.acl <> NEW.acl OR NEW.acl <> '{}') EXECUTE FUNCTION restrict_document();

CREATE OR REPLACE FUNCTION index_attributes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM document_attributes WHERE tenant_id = NEW.tenant_id AND document_id = NEW.document_id;
    END IF;
    INSERT INTO document_attributes (tenant_id, document_id, key, kind, place, collection_id, word, number, restricted)
    SELECT NEW.tenant_id, NEW.document_id, r.key, r.kind, r.place, NEW.collection_id, r.word, r.number, NEW.acl <> '{}'
    FROM attribute_rows(NEW.attributes, NEW.title, NEW.external_id, NEW.uri, NEW.media_type, NEW.acl) r;
    RETURN NULL;
END $$;

UPDATE chunks c SET restricted = true FROM documents d
WHERE d.acl <> '{}' AND c.tenant_id = d.tenant_id AND c.document_id = d.document_id;
UPDATE embeddings e SET restricted = true FROM chunks c
WHERE c.restricted AND e.tenant_id = c.tenant_id AND e.chunk_id = c.chunk_id;
UPDATE document_attributes a SET restricted = true FROM documents d
WHERE d.acl <> '{}' AND a.tenant_id = d.tenant_id AND a.document_id = d.document_id;

-- The setting is read once per statement, as an uncorrelated query. What a writer may leave behind is the server's
-- business: it names itself, or it could not see its own document again.
CREATE POLICY sight ON documents AS RESTRICTIVE USING (
    acl = '{}' OR '*' = ANY ((SELECT string_to_array(current_setting('mcp_rag.sees', true), chr(31)))::text[])
    OR acl && (SELECT string_to_array(current_setting('mcp_rag.sees', true), chr(31)))) WITH CHECK (true);
-- Of each version its own: what waits may be meant for others than what is published.
CREATE POLICY sight ON document_versions AS RESTRICTIVE USING (
    acl = '{}' OR '*' = ANY ((SELECT string_to_array(current_setting('mcp_rag.sees', true), chr(31)))::text[])
    OR acl && (SELECT string_to_array(current_setting('mcp_rag.sees', true), chr(31)))) WITH CHECK (true);

DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['chunks', 'embeddings', 'document_attributes'] LOOP
        EXECUTE format('CREATE POLICY sight ON %1$I AS RESTRICTIVE USING ('
            'NOT restricted OR ''*'' = ANY ((SELECT string_to_array(current_setting(''mcp_rag.sees'', true), chr(31)))::text[]) '
            'OR EXISTS (SELECT FROM documents d WHERE d.tenant_id = %1$I.tenant_id AND d.document_id = %1$I.document_id)) '
            'WITH CHECK (true)', name);
    END LOOP;
    -- Hashed words and raw vectors that no search reads by itself: they follow what they belong to.
    EXECUTE 'CREATE POLICY sight ON lexical_chunks AS RESTRICTIVE USING ('
        '''*'' = ANY ((SELECT string_to_array(current_setting(''mcp_rag.sees'', true), chr(31)))::text[]) '
        'OR EXISTS (SELECT FROM chunks c WHERE c.tenant_id = lexical_chunks.tenant_id AND c.chunk_id = lexical_chunks.chunk_id)) '
        'WITH CHECK (true)';
    EXECUTE 'CREATE POLICY sight ON staged_embeddings AS RESTRICTIVE USING ('
        '''*'' = ANY ((SELECT string_to_array(current_setting(''mcp_rag.sees'', true), chr(31)))::text[]) '
        'OR EXISTS (SELECT FROM documents d WHERE d.tenant_id = staged_embeddings.tenant_id '
        'AND d.document_id = staged_embeddings.document_id)) WITH CHECK (true)';
END $$;

-- What exists in the collections of the session's tenant and is not visible to the session: how many documents and
-- chunks that could be found, so that counts tell nobody of them.
CREATE FUNCTION hidden_counts(of_collections bigint[]) RETURNS TABLE (collection bigint, documents bigint, chunks bigint)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path FROM CURRENT AS $$
    SELECT d.collection_id, count(*) FILTER (WHERE d.published_version IS NOT NULL), coalesce(sum(d.chunks), 0)::bigint
    FROM documents d
    WHERE d.tenant_id = nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint
      AND d.collection_id = ANY (of_collections) AND d.acl <> '{}'
      AND NOT d.acl && coalesce(string_to_array(current_setting('mcp_rag.sees', true), chr(31)), '{}')
      AND NOT '*' = ANY (coalesce(string_to_array(current_setting('mcp_rag.sees', true), chr(31)), '{}'))
    GROUP BY d.collection_id
$$;
-- Which of these names are taken by documents that the session may not see: whoever writes is told no, and nothing else.
CREATE FUNCTION hidden_names(of_collection bigint, names text[]) RETURNS TABLE (name text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path FROM CURRENT AS $$
    SELECT d.external_id FROM documents d
    WHERE d.tenant_id = nullif(current_setting('mcp_rag.tenant_id', true), '')::bigint
      AND d.collection_id = of_collection AND d.external_id = ANY (names) AND d.acl <> '{}'
      AND NOT d.acl && coalesce(string_to_array(current_setting('mcp_rag.sees', true), chr(31)), '{}')
      AND NOT '*' = ANY (coalesce(string_to_array(current_setting('mcp_rag.sees', true), chr(31)), '{}'))
$$;
REVOKE ALL ON FUNCTION hidden_counts, hidden_names, restrict_document FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hidden_counts, hidden_names TO mcp_rag_app;
