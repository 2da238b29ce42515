-- Work that outlives a request and a process: leased, resumed, counted.

CREATE TABLE jobs (
    tenant_id     bigint NOT NULL REFERENCES tenants,
    job_id        bigint GENERATED ALWAYS AS IDENTITY,
    collection_id bigint NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('ingest')),
    status        text NOT NULL DEFAULT 'queued'
                  CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    total         int NOT NULL,
    failed        int NOT NULL DEFAULT 0,
    attempts      int NOT NULL DEFAULT 0,
    error         text,
    lease_owner   text,
    lease_until   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, job_id),
    FOREIGN KEY (tenant_id, collection_id) REFERENCES collections ON DELETE CASCADE
);
CREATE INDEX jobs_waiting ON jobs (tenant_id, job_id) WHERE status IN ('queued', 'running');

-- Leases the oldest waiting job of any tenant: the one thing a worker does across tenants, so it is
-- a function of the owner's and returns no more than the key.
CREATE FUNCTION claim_job(worker text, lease interval) RETURNS TABLE (tenant bigint, job bigint)
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    UPDATE jobs SET status = 'running', lease_owner = worker, lease_until = now() + lease,
                    attempts = attempts + 1, updated_at = now()
    WHERE (tenant_id, job_id) = (
        SELECT tenant_id, job_id FROM jobs
        WHERE status = 'queued' OR (status = 'running' AND lease_until < now())
        ORDER BY job_id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING tenant_id, job_id
$$;
REVOKE ALL ON FUNCTION claim_job FROM PUBLIC;
