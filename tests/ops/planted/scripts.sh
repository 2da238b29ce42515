#!/bin/sh
# Plants mistakes in a copy of the scripts and expects the verifier to catch each, by the right tool.
#
# usage: tests/ops/planted/scripts.sh [--help]      prints TAP; exit status 1 when a mistake was not caught
set -eu
case ${1:-} in --help | -h) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;; esac

checkout=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
chmod 711 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
bad=0

fresh() {
  rm -rf "$work/copy"
  mkdir -p "$work/copy/tests" "$work/copy/.ci"
  cp -R "$checkout/scripts" "$work/copy/"
  cp -R "$checkout/tests/ops" "$work/copy/tests/"
  rm -rf "$work/copy/tests/ops/planted"
}
# expect TOOL SENTENCE [TESTS]: the copy's verifier says FAILED for that tool; of a suite, the tests that match are enough.
expect() {
  MCP_RAG_BATS_FILTER=${3:-.} VERIFY_TOOL="^($1)" MCP_RAG_OPS_TOOLS="${MCP_RAG_OPS_TOOLS:-$checkout/.local/ops}" \
    sh "$checkout/scripts/verify/scripts.sh" "$work/copy" >"$work/rows" 2>"$work/err" || true
  if awk -F '\t' -v tool="$1" 'index($2, tool) == 1 && $5 == "FAILED" { found = 1 } END { exit !found }' "$work/rows"; then
    echo "ok - $2"
  else
    echo "not ok - $2"
    cat "$work/rows" >&2
    tail -n 20 "$work/err" >&2
    bad=1
  fi
}
# sound TOOL [TESTS]: as it is, the copy passes, so that a failure has its mistake for a reason.
sound() {
  MCP_RAG_BATS_FILTER=${2:-.} VERIFY_TOOL="^($1)" MCP_RAG_OPS_TOOLS="${MCP_RAG_OPS_TOOLS:-$checkout/.local/ops}" \
    sh "$checkout/scripts/verify/scripts.sh" "$work/copy" >"$work/rows" 2>"$work/err" || true
  if awk -F '\t' '$5 == "ok" { ok++ } $5 != "ok" { other++ } END { exit !(ok == 1 && !other) }' "$work/rows"; then
    echo "ok - the scripts as they are pass $1"
  else
    echo "not ok - the scripts as they are pass $1"
    cat "$work/rows" "$work/err" >&2
    bad=1
  fi
}
# plant FILE SED: the mistake; a sed that changes nothing plants nothing.
plant() {
  cp "$work/copy/$1" "$work/before"
  sed -i.bak "$2" "$work/copy/$1"
  rm -f "$work/copy/$1.bak"
  ! cmp -s "$work/before" "$work/copy/$1" || { echo "not ok - $1 has nothing to plant '$2' in"; bad=1; }
}

fresh
for tool in shellcheck POSIX 'bats: help' 'bats: data'; do sound "$tool"; done
sound 'bats: smoke' 'a good server passes|is away'
sound 'bats: backup' 'a damaged dump is found|an invalid index'
plant scripts/restore-database.sh 's|mkdir -p "$data_dir"|mkdir -p $data_dir|'
expect shellcheck "an unquoted variable is caught"
fresh
plant scripts/backup-database.sh 's|^if \[ "$kind" = logical \]; then|if [[ "$kind" == logical ]]; then|'
expect shellcheck "a bashism in a POSIX script is caught"
fresh
plant scripts/rotate-secrets.sh '1s|.*|#!/bin/bash|'
expect POSIX "a script that wants bash where operations run sh is caught"
fresh
plant scripts/archive-wal.sh 's|^set -eu|set -eu; if true|'
expect POSIX "a script that does not parse is caught"
fresh
plant scripts/smoke-tests.sh "s|'Search endpoint working'|'Search works'|"
expect "bats: smoke" "a smoke test whose output line changed is caught" "a good server passes"
fresh
plant scripts/smoke-tests.sh '/^    exit 1/d'
expect "bats: smoke" "a smoke test that passes whatever happens is caught" "is away"
fresh
plant scripts/restore-database.sh 's/^#   --dry-run .*//'
expect "bats: help" "an option that is not in the help is caught"
fresh
plant scripts/lib/common.sh 's|^piped() .*|piped() { "$@"; }|'
expect "bats: help" "a pipeline whose failure nobody notices is caught"
fresh
plant scripts/lib/anonymize.py 's|made\["uri"\] = .*|made["uri"] = document["uri"]|'
expect "bats: data" "an anonymisation that lets a link through is caught"
fresh
plant scripts/lib/vault.sh 's|^  \[ "$fetched" = .*|  true \|\||'
expect "bats: backup" "a restore that does not look at the checksum is caught" "a damaged dump is found"
fresh
plant scripts/lib/verify.sql 's/WHEN count(\*) FILTER (WHERE NOT (indisvalid AND indisready AND indislive)) = 0 AND count(\*) > 0/WHEN true/'
expect "bats: backup" "a verification that takes an invalid index is caught" "an invalid index"
exit "$bad"
