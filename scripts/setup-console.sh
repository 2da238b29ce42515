#!/usr/bin/env bash
# What tests/console runs our console in: Chromium, from the machine or by apt-get (root), and under .local/console the
# driver and the checks of accessibility, pinned by tests/console/browser/package-lock.json.
# Run it again at any time: what is there already, in the versions wanted, is not touched.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."

here=$PWD/.local/console
wanted=tests/console/browser

fail() {
  echo "setup-console: $1" >&2
  exit 1
}

browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
sum() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

stamp=$(sum "$wanted/package-lock.json" | cut -d ' ' -f 1)
ready() {
  [ -r "$here/.stamp" ] && [ "$(cat "$here/.stamp")" = "$stamp" ] &&
    "$here/node" --version >/dev/null 2>&1 && [ -x "$here/chromium" ] && [ -d "$wanted/node_modules/" ]
}
if ready; then exit 0; fi
mkdir -p "$here"
# One at a time, where the machine can say so; the others find the work done.
if command -v flock >/dev/null; then
  exec 9>"$here/.lock"
  flock 9
  if ready; then exit 0; fi
fi
rm -f "$here/.stamp"

if ! browser >/dev/null; then
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || fail "Chromium is needed (Debian: apt-get install chromium fonts-liberation)"
  echo "· installing Chromium"
  export DEBIAN_FRONTEND=noninteractive
  log=$here/apt.log
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-liberation; } </dev/null >"$log" 2>&1 ||
    { tail -n 5 "$log" >&2; fail "apt-get could not install chromium"; }
fi
ln -sfn "$(browser)" "$here/chromium"

# The driver needs Node 20 or newer: the one on PATH, else the one of the MCP clients.
node=$(command -v node || true)
major=0
[ -z "$node" ] || major=$("$node" --version | sed 's/^v\([0-9]*\).*/\1/')
if [ "$major" -ge 20 ] && command -v npm >/dev/null; then
  npm=(npm)
else
  ./scripts/setup-mcp.sh
  node=$(python3 -c 'import os; print(os.path.realpath(".local/mcp/node"))')
  npm=("$node" "$(dirname "$node")/../lib/node_modules/npm/bin/npm-cli.js")
fi
ln -sfn "$node" "$here/node"
cp "$wanted/package.json" "$wanted/package-lock.json" "$here/"
# No script of a package is run: the driver would fetch browsers of its own.
PATH="$(dirname "$node"):$PATH" "${npm[@]}" ci --prefix "$here" --ignore-scripts --no-audit --no-fund --loglevel error </dev/null >/dev/null ||
  fail "npm could not install $wanted/package-lock.json"
# A module is looked for beside the script that imports it.
ln -sfn ../../../.local/console/node_modules "$wanted/node_modules"
echo "$stamp" >"$here/.stamp"
echo "✓ Chromium and its driver (.local/console)"
