#!/usr/bin/env bash
# How much of real documents the parsers keep, and in what order, beside markitdown on the same files.
#
#   scripts/documents.sh DIRECTORY [--files]
#
# DIRECTORY/<format>/<file>.expected.md is what DIRECTORY/<format>/<file> should give. Needs python3 and, the first time,
# PyPI. Ends with a status other than 0 where markitdown is ahead in a format.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=${1:?usage: scripts/documents.sh DIRECTORY [--files]}
venv=.local/markitdown-venv
packages=('markitdown[docx,pptx,xlsx,pdf]==0.1.9')

# The marker holds the pins, so that changing them rebuilds the environment.
if [[ "$(cat "$venv/packages" 2>/dev/null)" != "$PWD ${packages[*]}" ]]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
    echo "$PWD ${packages[*]}" >"$venv/packages"
fi

output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
"$venv/bin/python" scripts/markitdown_all.py "$directory" "$output"
cargo run --quiet --package mcp-rag-text --example fidelity -- "$directory" --against "$output" "${@:2}"
