#!/usr/bin/env bash
# Vector searches beside a Chroma server on the same vectors, questions and cores, without and with filters.
#
#   scripts/bench-chroma.sh BINARY [options of `mcp-rag bench chroma`]
#
# Needs python3 and, the first time, PyPI. Chroma's data is thrown away afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${1:?usage: scripts/bench-chroma.sh BINARY [OPTIONS]}
venv=.local/chroma-venv
packages=('chromadb==1.5.9')
port=${CHROMA_PORT:-18000}

# The marker holds the pins, so that changing them rebuilds the environment; so does moving the checkout.
if [[ "$(cat "$venv/packages" 2>/dev/null)" != "$PWD ${packages[*]}" ]]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
    echo "$PWD ${packages[*]}" >"$venv/packages"
fi

data=$(mktemp -d)
ANONYMIZED_TELEMETRY=False "$venv/bin/chroma" run --path "$data" --host 127.0.0.1 --port "$port" >"$data.log" 2>&1 &
chroma=$!
trap 'kill "$chroma" 2>/dev/null || true; wait "$chroma" 2>/dev/null || true; rm -rf "$data" "$data.log"' EXIT
for _ in $(seq 300); do
    curl --silent --fail --output /dev/null "http://127.0.0.1:$port/api/v2/heartbeat" && break
    if ! kill -0 "$chroma" 2>/dev/null; then
        echo "bench-chroma: Chroma did not start:" >&2
        tail -5 "$data.log" >&2
        exit 1
    fi
    sleep 0.2
done
echo "${packages[*]}" >&2
"$binary" bench chroma --chroma "http://127.0.0.1:$port" "${@:2}"
