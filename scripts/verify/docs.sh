#!/bin/sh
# Verifies the runbooks: each command that can be run is run against a real server, PostgreSQL and Prometheus; each that
# needs a cluster or an account is parsed, its kubectl command lines by the real kubectl, and counted as not run.
#
# usage: scripts/verify/docs.sh [ROOT]
#
#   ROOT  the tree to look at, by default this checkout
#
#   MCP_RAG_BIN  the server to run; by default target/release or target/debug, whichever is newer, or it is built
#
# A block is marked by the words behind its fence: `sh run` or `sh cluster`. Each runs in a shell of its own.
part=docs
# shellcheck source=scripts/verify/lib.sh
. "$(dirname "$0")/lib.sh"
begin "$@"
here=$checkout/scripts/verify/monitoring

binary() {
  if [ -n "${MCP_RAG_BIN:-}" ]; then echo "$MCP_RAG_BIN"; return; fi
  # shellcheck disable=SC2012 # names of ours
  newest=$(ls -t "$checkout/target/release/mcp-rag" "$checkout/target/debug/mcp-rag" 2>/dev/null | head -n 1)
  if [ -z "$newest" ]; then
    (cd "$checkout" && cargo build --bin mcp-rag) >&2 || return 1
    newest=$checkout/target/debug/mcp-rag
  fi
  echo "$newest"
}

missing=''
for tool in jq curl promtool prometheus; do command -v "$tool" >/dev/null || missing="$missing $tool"; done
if [ -n "$missing" ]; then
  skip $part 'runbook commands' - "not installed:$missing"
elif ! server=$(binary); then
  skip $part 'runbook commands' - 'the server cannot be built'
else
  chmod 755 "$work"
  check $part 'runbook commands' "$("$server" --version | cut -d ' ' -f 2)" python3 "$here/runbooks.py" run "$root" "$server" "$work/runbooks"
fi
check $part 'commands for a cluster, parsed' "$(kubectl version --client 2>/dev/null | sed -n 's/Client Version: v*//p')" \
  python3 "$here/runbooks.py" parse "$root"
skip $part 'commands for a cluster, run' - "$(python3 "$here/runbooks.py" count "$root") command lines need a cluster or an account"
finish
