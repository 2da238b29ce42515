# syntax=docker/dockerfile:1.9
# Two images: the server, without a shell, and `--target ops` with the scripts of operations and what they call.
#
#   docker build -t mcp-rag .
#   docker build -t mcp-rag-ops --target ops .
#
# Bases are arguments. A build for use names them by digest, which the workflow image.yml resolves, passes on and records in
# the provenance; tags are for builds on a desk.
ARG RUST_IMAGE=rust:1.95-bookworm
ARG PYTHON_IMAGE=python:3.13-slim-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot
ARG OPS_IMAGE=pgvector/pgvector:0.8.5-pg18-trixie

# The embedding model, exactly the file that scripts/setup.sh pins by SHA-256.
FROM ${PYTHON_IMAGE} AS model
WORKDIR /src
COPY scripts/setup.sh scripts/
RUN ["bash", "./scripts/setup.sh", "--model"]

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --bin mcp-rag \
    && install -D target/release/mcp-rag /out/usr/local/bin/mcp-rag \
    && strip /out/usr/local/bin/mcp-rag \
    # What the server may write to, where nothing is mounted over it.
    && install -d -o 65532 -g 65532 -m 0750 /out/var/lib/mcp-rag

FROM ${OPS_IMAGE} AS ops
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mcp-rag-ops" \
      org.opencontainers.image.description="Backup, restore, rotation and canary gate of mcp-rag" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Versions are the base's distribution's: the digest of the base says which.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends age awscli ca-certificates curl jq openssl python3 \
    && rm -rf /var/lib/apt/lists/* \
    # PostgreSQL runs as nobody who has no name.
    && useradd --uid 65532 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin mcp-rag
COPY --from=build /out/usr/local/bin/mcp-rag /usr/local/bin/mcp-rag
COPY --from=model /src/.local/model /usr/share/mcp-rag/model
COPY scripts /opt/mcp-rag/scripts
COPY k8s/gate /opt/mcp-rag/gate
ENV MCP_RAG_ENV=production \
    MCP_RAG__EMBEDDER__MODEL_DIR=/usr/share/mcp-rag/model \
    PG_BIN=/usr/lib/postgresql/18/bin \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /tmp
# Jobs, and a gate that has a probe of its own.
HEALTHCHECK NONE
ENTRYPOINT []
CMD ["/opt/mcp-rag/scripts/backup-database.sh", "--help"]

FROM ${RUNTIME_IMAGE} AS server
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=https://github.com/example/mcp-rag
ARG RUNTIME_IMAGE
LABEL org.opencontainers.image.title="mcp-rag" \
      org.opencontainers.image.description="Retrieval for AI agents: ingest, search, answer with verified citations" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${RUNTIME_IMAGE}"
COPY --from=build /out/ /
COPY --from=model /src/.local/model /usr/share/mcp-rag/model
COPY LICENSE /usr/share/doc/mcp-rag/LICENSE
# In production a server has a credential and an external database, or refuses to start.
ENV MCP_RAG_ENV=production \
    MCP_RAG__DATA_DIR=/var/lib/mcp-rag \
    MCP_RAG__EMBEDDER__MODEL_DIR=/usr/share/mcp-rag/model
USER 65532:65532
WORKDIR /var/lib/mcp-rag
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/mcp-rag", "health"]
ENTRYPOINT ["/usr/local/bin/mcp-rag"]
CMD ["serve"]
