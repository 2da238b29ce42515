#!/usr/bin/env bash
# Compares the embedding engine with ONNX Runtime on one thread of one CPU and prints a Markdown table.
#
#   scripts/bench-embedder.sh [rounds]
#
# Needs python3 and, the first time, PyPI. The model is .local/model (scripts/setup.sh) or MCP_RAG_TEST_MODEL.
# Leave the machine otherwise idle: the two CPUs of a small machine share memory bandwidth.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-5}
model=$(realpath "${MCP_RAG_TEST_MODEL:-.local/model}")
venv=.local/bench-venv
packages=(onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 tokenizers==0.23.3 safetensors==0.8.0)

if [[ ! -f "$model/model.safetensors" ]]; then
    echo "no model in $model: run scripts/setup.sh, or set MCP_RAG_TEST_MODEL" >&2
    exit 1
fi

# The marker holds the pins, so that changing them rebuilds the environment.
if [[ "$(cat "$venv/packages" 2>/dev/null)" != "$PWD ${packages[*]}" ]]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
    echo "$PWD ${packages[*]}" >"$venv/packages"
fi

cargo bench --package mcp-rag-minilm --bench engine --no-run
binary=$(cargo bench --package mcp-rag-minilm --bench engine --no-run --message-format=json 2>/dev/null |
    "$venv/bin/python" -c '
import json, sys
artifacts = (json.loads(line) for line in sys.stdin if line.startswith("{"))
print([a["executable"] for a in artifacts if a.get("executable") and a["target"]["name"] == "engine"][-1])')

OMP_NUM_THREADS=1 "$venv/bin/python" scripts/bench_embedder.py "$model" "$binary" "$rounds"
