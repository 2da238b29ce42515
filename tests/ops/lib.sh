# shellcheck shell=sh
# What the tests and drills of scripts/ share: a stand-in for AWS, a server, a free port. To be sourced with $checkout set.
# Everything started is ended by id at the end of `stop_all`.

tools=${MCP_RAG_OPS_TOOLS:-$checkout/.local/ops}/scripts/bin
PATH=$tools:$PATH
export PATH
pids=''

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

stop_all() {
  for pid in $pids; do kill "$pid" 2>/dev/null || true; done
  for pid in $pids; do wait "$pid" 2>/dev/null || true; done
  pids=''
}

# awaited SECONDS COMMAND...
awaited() {
  awaited_end=$(($(date +%s) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$awaited_end" ] || { echo "not within the time: $*" >&2; return 1; }
    sleep 0.2
  done
}

# moto FOLDER: a stand-in for S3 and Secrets Manager on this machine, with the bucket `backups`.
moto() {
  moto_port=$(free_port)
  export AWS_ENDPOINT_URL="http://127.0.0.1:$moto_port" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
  export AWS_EC2_METADATA_DISABLED=true AWS_PAGER=''
  "$tools/moto_server" -H 127.0.0.1 -p "$moto_port" >"$1/moto.log" 2>&1 &
  pids="$pids $!"
  awaited 30 curl -sf "$AWS_ENDPOINT_URL/moto-api/"
  aws s3api create-bucket --bucket backups >/dev/null
}

# find_server: the binary in $mcp_rag, and what it needs beside it.
find_server() {
  for mcp_rag in "${MCP_RAG_BIN:-}" "$checkout/target/release/mcp-rag" "$checkout/target/debug/mcp-rag"; do
    [ -n "$mcp_rag" ] && [ -x "$mcp_rag" ] && break
    mcp_rag=''
  done
  if [ -z "$mcp_rag" ]; then
    (cd "$checkout" && cargo build --bin mcp-rag) >&2
    mcp_rag=$checkout/target/debug/mcp-rag
  fi
  export MCP_RAG_POSTGRES_DIR="$checkout/.local/postgres" MCP_RAG__EMBEDDER__MODEL_DIR="$checkout/.local/model"
}

# serve FOLDER [OPTION...]: a server of its own in FOLDER, at $url; its id is in $server.
serve() {
  serve_folder=$1
  shift
  api_port=$(free_port) admin_port=$(free_port)
  url=http://127.0.0.1:$api_port
  mkdir -p "$serve_folder"
  (cd "$serve_folder" && exec "$mcp_rag" serve --set data_dir="$serve_folder/data" --set server.port="$api_port" \
    --set admin.port="$admin_port" "$@") >>"$serve_folder/server.log" 2>&1 &
  server=$!
  pids="$pids $server"
  awaited 60 curl -sf "$url/health/ready" || { tail -n 20 "$serve_folder/server.log" >&2; return 1; }
}

# aws_for_postgres FOLDER: a folder with an `aws` that PostgreSQL's account can run. Python's installation may lie where that
# account cannot go, below root's home for one; then the system's Python runs the same modules.
aws_for_postgres() {
  if as_postgres "$tools/aws" --version >/dev/null 2>&1; then
    echo "$tools"
    return
  fi
  modules=$("$tools/python3" -c 'import awscli, os; print(os.path.dirname(os.path.dirname(awscli.__file__)))')
  mkdir -p "$1/bin"
  printf '#!/bin/sh\nPYTHONPATH=%s exec /usr/bin/python3 -m awscli "$@"\n' "$modules" >"$1/bin/aws"
  chmod 755 "$1/bin" "$1/bin/aws"
  as_postgres "$1/bin/aws" --version >/dev/null || { echo "PostgreSQL's account cannot run the AWS command line: is $modules closed to it?" >&2; return 1; }
  echo "$1/bin"
}
