-- The change feed (docs/adr/0036-hot-index.md): which documents a search may find otherwise than before, by the transaction
-- that did it. Written by triggers, so that no writer can forget it, one of an older version neither.
--
-- Who follows a collection remembers the snapshot of its last look, `pg_current_snapshot()`. What it lacks are the rows
-- whose transaction that snapshot did not see and the present one does: no transaction is missed or taken twice, in
-- whichever order they commit, and no writer waits for another.

-- Without a foreign key: a collection's deletion is seen by its absence, and what is left here goes with its age.
CREATE TABLE changes (
    tenant_id     bigint NOT NULL,
    collection_id bigint NOT NULL,
    xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    document_id   bigint NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, collection_id, xid, document_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX changes_by_age ON changes (at);

-- The newest transaction of which rows were forgotten: who has not seen it must begin anew.
CREATE TABLE change_floors (
    tenant_id     bigint NOT NULL,
    collection_id bigint NOT NULL,
    xid           xid8 NOT NULL,
    PRIMARY KEY (tenant_id, collection_id),
    FOREIGN KEY (tenant_id, collection_id) REFERENCES collections ON DELETE CASCADE
);

-- Every chunk is written in the transaction that publishes its document, so a document's row tells of its chunks too.
CREATE FUNCTION log_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO changes (tenant_id, collection_id, document_id)
    VALUES (coalesce(NEW.tenant_id, OLD.tenant_id), coalesce(NEW.collection_id, OLD.collection_id),
            coalesce(NEW.document_id, OLD.document_id))
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION log_change FROM PUBLIC;
CREATE TRIGGER log_insert AFTER INSERT ON documents FOR EACH ROW
    WHEN (NEW.published_version IS NOT NULL) EXECUTE FUNCTION log_change();
CREATE TRIGGER log_delete AFTER DELETE ON documents FOR EACH ROW
    WHEN (OLD.published_version IS NOT NULL) EXECUTE FUNCTION log_change();
CREATE TRIGGER log_update AFTER UPDATE ON documents FOR EACH ROW
    WHEN ((OLD.published_version IS NOT NULL OR NEW.published_version IS NOT NULL)
          AND (OLD.published_version, OLD.chunks, OLD.external_id, OLD.title, OLD.uri, OLD.media_type, OLD.attributes,
               OLD.acl, OLD.expires_at, OLD.created_at, OLD.updated_at)
              IS DISTINCT FROM
              (NEW.published_version, NEW.chunks, NEW.external_id, NEW.title, NEW.uri, NEW.media_type, NEW.attributes,
               NEW.acl, NEW.expires_at, NEW.created_at, NEW.updated_at))
    EXECUTE FUNCTION log_change();

-- Whose transactions these are: their numbers mean something in one history of one database only. A promoted copy goes on
-- with another history, which may lack the newest transactions of the one before; so does a restored backup. After a crash
-- numbers of transactions that were rolled back before it may be given out again; statistics are reset by that.
CREATE FUNCTION change_history() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) || '/'
        || coalesce((SELECT extract(epoch FROM stats_reset)::text FROM pg_stat_wal), '')
    FROM pg_control_system()
$$;
REVOKE ALL ON FUNCTION change_history FROM PUBLIC;

-- Forgets what is older, and what is more than so many rows: at most `batch` of them. Rows of a transaction that may not
-- have been seen by somebody who begins now stay; those of another history, from a restored backup, are nobody's.
CREATE FUNCTION sweep_changes(older_than interval, most bigint, batch int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH old AS MATERIALIZED (
        SELECT tenant_id, collection_id, xid, document_id FROM changes
        WHERE at <= greatest(now() - older_than, (SELECT c.at FROM changes c ORDER BY c.at DESC OFFSET most LIMIT 1))
          AND (xid < pg_snapshot_xmin(pg_current_snapshot()) OR xid >= pg_snapshot_xmax(pg_current_snapshot()))
        ORDER BY at LIMIT batch),
    gone AS (
        DELETE FROM changes c USING old o WHERE c.tenant_id = o.tenant_id AND c.collection_id = o.collection_id
            AND c.xid = o.xid AND c.document_id = o.document_id
        RETURNING c.tenant_id, c.collection_id, c.xid),
    floors AS (
        INSERT INTO change_floors AS f (tenant_id, collection_id, xid)
        SELECT DISTINCT ON (tenant_id, collection_id) tenant_id, collection_id, xid FROM gone
        WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
          AND EXISTS (SELECT FROM collections k WHERE k.tenant_id = gone.tenant_id AND k.collection_id = gone.collection_id)
        ORDER BY tenant_id, collection_id, xid DESC
        ON CONFLICT (tenant_id, collection_id) DO UPDATE SET xid = excluded.xid
        WHERE f.xid < excluded.xid OR f.xid >= pg_snapshot_xmax(pg_current_snapshot()))
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION sweep_changes FROM PUBLIC;

DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['changes', 'change_floors'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I USING '
            '(tenant_id = nullif(current_setting(''mcp_rag.tenant_id'', true), '''')::bigint)', name);
        EXECUTE format('GRANT SELECT ON %I TO mcp_rag_app', name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION change_history, sweep_changes TO mcp_rag_app;
