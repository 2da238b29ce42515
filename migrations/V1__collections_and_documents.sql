-- Tenants, collections, documents and their chunks.
--
-- Every table is bound to one tenant by row-level security. The server's sessions take the role
-- mcp_rag_app, which owns nothing, and set `mcp_rag.tenant_id`; with the setting absent no row is visible.
-- Every primary and unique key starts with tenant_id, and foreign keys stay inside a tenant, so that
-- the schema can be distributed by tenant.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE tenants (
    tenant_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO tenants (name) VALUES ('default');

CREATE TABLE collections (
    tenant_id      bigint NOT NULL REFERENCES tenants,
    collection_id  bigint GENERATED ALWAYS AS IDENTITY,
    name           text NOT NULL,
    description    text NOT NULL DEFAULT '',
    metadata       jsonb NOT NULL DEFAULT '{}',
    language       text NOT NULL,
    max_tokens     int NOT NULL,
    overlap_tokens int NOT NULL,
    -- Raised by every change of what a search can return: the key of cached results.
    epoch          bigint NOT NULL DEFAULT 0,
    -- Kept right in the transaction of every change: what is searchable now.
    documents      bigint NOT NULL DEFAULT 0,
    chunks         bigint NOT NULL DEFAULT 0,
    terms          bigint NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, collection_id),
    UNIQUE (tenant_id, name)
) WITH (fillfactor = 50);

-- What is searchable, or on its way: metadata of the published version.
CREATE TABLE documents (
    tenant_id         bigint NOT NULL,
    document_id       bigint GENERATED ALWAYS AS IDENTITY,
    collection_id     bigint NOT NULL,
    external_id       text NOT NULL,
    -- The version accepted last, and the one a search finds (null until the first is ready).
    version           int NOT NULL DEFAULT 1,
    published_version int,
    status            text NOT NULL CHECK (status IN ('queued', 'running', 'ready', 'failed')),
    error             text,
    job_id            bigint,
    title             text NOT NULL DEFAULT '',
    uri               text NOT NULL DEFAULT '',
    media_type        text NOT NULL,
    attributes        jsonb NOT NULL DEFAULT '{}',
    acl               text[] NOT NULL DEFAULT '{}',
    chunks            int NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, document_id),
    UNIQUE (tenant_id, collection_id, external_id),
    FOREIGN KEY (tenant_id, collection_id) REFERENCES collections ON DELETE CASCADE
);
CREATE INDEX documents_of_job ON documents (tenant_id, job_id) WHERE status IN ('queued', 'running');
CREATE INDEX documents_by_status ON documents (tenant_id, collection_id, status, document_id);

-- The bytes of each version that is published or waiting, with the metadata that is published with it.
CREATE TABLE document_versions (
    tenant_id    bigint NOT NULL,
    document_id  bigint NOT NULL,
    version      int NOT NULL,
    content_hash bytea NOT NULL,
    title        text NOT NULL,
    uri          text NOT NULL,
    media_type   text NOT NULL,
    attributes   jsonb NOT NULL,
    acl          text[] NOT NULL,
    raw          bytea NOT NULL,
    -- The parsed text that spans point into; null where it equals raw.
    text         text,
    PRIMARY KEY (tenant_id, document_id, version),
    FOREIGN KEY (tenant_id, document_id) REFERENCES documents ON DELETE CASCADE
);

CREATE TABLE chunks (
    tenant_id     bigint NOT NULL,
    chunk_id      bigint GENERATED ALWAYS AS IDENTITY,
    collection_id bigint NOT NULL,
    document_id   bigint NOT NULL,
    ordinal       int NOT NULL,
    text          text NOT NULL,
    -- Bytes of the document's parsed text.
    span_start    int NOT NULL,
    span_end      int NOT NULL,
    headings      jsonb NOT NULL,
    tokens        int NOT NULL,
    -- Of what was embedded: an unchanged chunk keeps its embedding.
    content_hash  bytea NOT NULL,
    PRIMARY KEY (tenant_id, chunk_id),
    UNIQUE (tenant_id, document_id, ordinal),
    FOREIGN KEY (tenant_id, document_id) REFERENCES documents ON DELETE CASCADE
);
