-- The unit of work is a task: one document to make searchable, one webhook to deliver. Tasks are leased one by
-- one, so that any number of workers share a job, and a task is gone in the transaction that does its work.

CREATE TABLE tasks (
    tenant_id   bigint NOT NULL,
    task_id     bigint GENERATED ALWAYS AS IDENTITY,
    job_id      bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('ingest', 'webhook')),
    -- 0 interactive: somebody waits for it; 1 bulk.
    class       smallint NOT NULL,
    document_id bigint,
    -- When a worker may take it. A lease puts this off: a task whose worker was lost is due again when it ends.
    due_at      timestamptz NOT NULL DEFAULT now(),
    lease_owner text,
    -- Workers that began it; what was given back in good order does not count.
    attempts    int NOT NULL DEFAULT 0,
    -- How often it was put off because something it needs was away.
    put_offs    int NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, task_id),
    UNIQUE (tenant_id, document_id),
    FOREIGN KEY (tenant_id, job_id) REFERENCES jobs ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, document_id) REFERENCES documents ON DELETE CASCADE
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX tasks_due ON tasks (tenant_id, class, due_at);
CREATE INDEX tasks_of_job ON tasks (tenant_id, job_id);
CREATE INDEX tasks_leased ON tasks (lease_owner) WHERE lease_owner IS NOT NULL;

-- Whose turn it is: tenants with work take turns, however much of it each has.
CREATE TABLE turns (
    tenant_id bigint PRIMARY KEY REFERENCES tenants,
    served_at timestamptz NOT NULL DEFAULT now(),
    turn      bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Vectors of a document that takes more than one batch, until it is published: a worker that is lost costs no
-- more than the batch it was at.
CREATE TABLE staged_embeddings (
    tenant_id    bigint NOT NULL,
    document_id  bigint NOT NULL,
    space_id     bigint NOT NULL,
    content_hash bytea NOT NULL,
    embedding    halfvec NOT NULL,
    PRIMARY KEY (tenant_id, document_id, space_id, content_hash),
    FOREIGN KEY (tenant_id, document_id) REFERENCES documents ON DELETE CASCADE
);

-- The page, slide or sheet that a chunk begins on: {"page": 3}.
ALTER TABLE chunks ADD COLUMN place jsonb;

ALTER TABLE jobs ADD COLUMN class smallint NOT NULL DEFAULT 1, ADD COLUMN webhook jsonb;
ALTER TABLE jobs DROP COLUMN lease_owner, DROP COLUMN lease_until;
DROP FUNCTION claim_job;

-- Leases up to `most` due tasks of one tenant: the one whose last turn is longest ago. Its interactive tasks go
-- first, except at every fourth turn. Works across tenants, so it is the owner's, and it returns keys only.
CREATE FUNCTION claim_tasks(worker text, lease interval, most int) RETURNS TABLE (tenant bigint, task bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    candidate bigint;
    first_class smallint;
BEGIN
    FOR candidate IN
        WITH RECURSIVE tenants_with_tasks AS (  -- one index probe per tenant, however many tasks it has
            (SELECT tenant_id FROM tasks ORDER BY tenant_id LIMIT 1)
            UNION ALL
            SELECT (SELECT t.tenant_id FROM tasks t WHERE t.tenant_id > w.tenant_id ORDER BY t.tenant_id LIMIT 1)
            FROM tenants_with_tasks w WHERE w.tenant_id IS NOT NULL)
        SELECT w.tenant_id FROM tenants_with_tasks w LEFT JOIN turns USING (tenant_id)
        WHERE EXISTS (SELECT FROM tasks t WHERE t.tenant_id = w.tenant_id AND t.class IN (0, 1) AND t.due_at <= now())
        ORDER BY turns.served_at NULLS FIRST, w.tenant_id LIMIT 16
    LOOP
        SELECT CASE WHEN turn % 4 = 3 THEN 1 ELSE 0 END INTO first_class FROM turns WHERE tenant_id = candidate;
        RETURN QUERY
        WITH due AS (
            (SELECT tenant_id, task_id FROM tasks
             WHERE tenant_id = candidate AND class = coalesce(first_class, 0) AND due_at <= now()
             ORDER BY due_at, task_id LIMIT most FOR UPDATE SKIP LOCKED)),
        others AS (
            (SELECT tenant_id, task_id FROM tasks
             WHERE tenant_id = candidate AND class = 1 - coalesce(first_class, 0) AND due_at <= now()
             ORDER BY due_at, task_id LIMIT greatest(most - (SELECT count(*) FROM due), 0) FOR UPDATE SKIP LOCKED))
        UPDATE tasks t SET lease_owner = worker, due_at = now() + lease, attempts = t.attempts + 1
        FROM (SELECT * FROM due UNION ALL SELECT * FROM others) chosen
        WHERE t.tenant_id = chosen.tenant_id AND t.task_id = chosen.task_id
        RETURNING t.tenant_id, t.task_id;
        IF FOUND THEN
            INSERT INTO turns (tenant_id, served_at) VALUES (candidate, clock_timestamp())
            ON CONFLICT (tenant_id) DO UPDATE SET served_at = clock_timestamp(), turn = turns.turn + 1;
            RETURN;
        END IF;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION claim_tasks FROM PUBLIC;

-- Extends a worker's leases on these tasks; returns what it still holds.
CREATE FUNCTION renew_leases(worker text, lease interval, tasks bigint[]) RETURNS TABLE (tenant bigint, task bigint)
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    UPDATE tasks t SET due_at = now() + lease WHERE t.lease_owner = worker AND t.task_id = ANY (tasks)
    RETURNING t.tenant_id, t.task_id
$$;
REVOKE ALL ON FUNCTION renew_leases FROM PUBLIC;

-- Makes what a worker holds due at once. Given back in good order, it does not count as an attempt.
CREATE FUNCTION release_leases(worker text, crashed boolean) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH released AS (
        UPDATE tasks SET lease_owner = NULL, due_at = now(),
                         attempts = CASE WHEN crashed THEN attempts ELSE greatest(attempts - 1, 0) END
        WHERE lease_owner = worker RETURNING 1)
    SELECT count(*) FROM released
$$;
REVOKE ALL ON FUNCTION release_leases FROM PUBLIC;

-- A task for each document that waits without one, as a server of an older version leaves it.
CREATE FUNCTION adopt_documents() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH adopted AS (
        INSERT INTO tasks (tenant_id, job_id, kind, class, document_id)
        SELECT d.tenant_id, d.job_id, 'ingest', 1, d.document_id FROM documents d
        WHERE d.status IN ('queued', 'running')
          AND NOT EXISTS (SELECT FROM tasks t WHERE t.tenant_id = d.tenant_id AND t.document_id = d.document_id)
        ON CONFLICT DO NOTHING RETURNING 1)
    SELECT count(*) FROM adopted
$$;
REVOKE ALL ON FUNCTION adopt_documents FROM PUBLIC;

-- Jobs whose tasks are all gone without their end being written: newer versions took their documents over, or a
-- worker was lost between the two.
CREATE FUNCTION ended_jobs() RETURNS TABLE (tenant bigint, job bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT j.tenant_id, j.job_id FROM jobs j
    WHERE j.status IN ('queued', 'running')
      AND NOT EXISTS (SELECT FROM tasks t WHERE t.tenant_id = j.tenant_id AND t.job_id = j.job_id AND t.kind = 'ingest')
    ORDER BY j.tenant_id, j.job_id LIMIT 1000
$$;
REVOKE ALL ON FUNCTION ended_jobs FROM PUBLIC;

-- What waits now waits as tasks.
UPDATE jobs SET status = 'queued' WHERE status = 'running';
UPDATE documents SET status = 'queued' WHERE status = 'running';
INSERT INTO tasks (tenant_id, job_id, kind, class, document_id)
SELECT tenant_id, job_id, 'ingest', 1, document_id FROM documents WHERE status = 'queued';

DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['tasks', 'turns', 'staged_embeddings'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I USING '
            '(tenant_id = nullif(current_setting(''mcp_rag.tenant_id'', true), '''')::bigint)', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON tasks, staged_embeddings TO mcp_rag_app;
GRANT SELECT ON turns TO mcp_rag_app;
GRANT EXECUTE ON FUNCTION claim_tasks, renew_leases, release_leases, adopt_documents, ended_jobs TO mcp_rag_app;
