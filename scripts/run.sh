#!/usr/bin/env bash
# Starts the server, ingests the project's own documents, shows one search and one cited answer and
# stays up until Ctrl-C. Usage: scripts/run.sh [path to the mcp-rag binary]
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${1:-target/release/mcp-rag}
port=${MCP_RAG__SERVER__PORT:-8080}
admin=${MCP_RAG__ADMIN__PORT:-9090}
url="http://127.0.0.1:$port"
log=.local/server.log
mkdir -p .local

"$binary" serve >"$log" 2>&1 &
server=$!
# The server gets the terminal's Ctrl-C too and stops PostgreSQL with it; all that is left is to wait.
stop() {
    trap '' INT TERM
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" || true
    printf '\nstopped; the data stays in %s\n' "${MCP_RAG__DATA_DIR:-.local/data}"
    exit 0
}
trap stop INT TERM

ready() { curl --silent --fail --output /dev/null --max-time 2 "$url/health/ready"; }
for _ in $(seq 600); do
    ready && break
    if ! kill -0 "$server" 2>/dev/null; then
        echo "the server did not start; the end of $log:" >&2
        tail -n 20 "$log" >&2
        exit 1
    fi
    sleep 0.1
done
if ! ready; then
    echo "the server is not ready after a minute; see $log" >&2
    stop
fi

printf '\n\033[1m· ingesting README.md and docs/ into the collection `docs`\033[0m\n'
"$binary" ingest --server "$url" --collection docs README.md docs
printf '\n\033[1m· mcp-rag search "how do I rotate the database password"\033[0m\n'
"$binary" search --server "$url" --collection docs --top-k 1 "how do I rotate the database password"
printf '\n\033[1m· mcp-rag ask "What happens to a search while the embedder is away?"\033[0m\n'
"$binary" ask --server "$url" --collection docs "What happens to a search while the embedder is away?"
cat <<TEXT

mcp-rag is up. Ctrl-C stops it; the data stays.
  console    $url
  API        $url/v1         (reference: $url/docs, $url/openapi.json)
  health     $url/health
  metrics    http://127.0.0.1:$admin/metrics
  log        $log
TEXT
wait "$server" || { echo "the server ended by itself; the end of $log:" >&2; tail -n 20 "$log" >&2; exit 1; }
