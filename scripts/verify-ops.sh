#!/bin/sh
# Verifies what deploys mcp-rag: every verifier in scripts/verify, and a table of what they found.
#
# usage: scripts/verify-ops.sh [--only PART] [--json] [--verbose] [ROOT]
#        scripts/verify-ops.sh --planted [--only PART]
#
#   --only PART  one of terraform, k8s, container, actions, monitoring, scripts, rollout, docs
#   --json       the table for machines
#   --verbose    what the tools say, also where nothing is wrong
#   --planted    plant mistakes in copies instead, and see that each is caught (tests/ops/planted)
#   ROOT         the tree to look at, by default this checkout
#
# VERIFY_JOBS=N looks at so many parts at a time, 2 by default.
#
# Exit status: 0 nothing found, 1 something failed, 64 bad usage. What could not run is in the table, with the reason.
set -eu

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }

checkout=$(cd "$(dirname "$0")/.." && pwd)
parts='terraform k8s container actions monitoring scripts rollout docs'
only='' json=0 verbose=0 planted=0 root=''
while [ $# -gt 0 ]; do
  case $1 in
    --only)
      only=${2:-}
      case " $parts " in
        *" $only "*) ;;
        *) echo "verify-ops: --only takes one of: $parts" >&2; exit 64 ;;
      esac
      shift
      ;;
    --json) json=1 ;;
    --verbose | -v) verbose=1 ;;
    --planted) planted=1 ;;
    --help | -h) usage; exit 0 ;;
    -*) echo "verify-ops: unknown option: $1" >&2; usage >&2; exit 64 ;;
    *) root=$1 ;;
  esac
  shift
done
[ -z "$only" ] || parts=$only
root=$(cd "${root:-$checkout}" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
began=$(date +%s)

export checkout work root
# each_part SCRIPT: for every part, several at a time, with the part as its argument; what fails says so in its files. The
# longest begins first, and releases under load, which are judged by their latencies too, have the machine to themselves.
each_part() {
  for part in scripts $parts; do printf '%s\n' "$part"; done | awk -v parts=" $parts " \
    'index(parts, " " $0 " ") && $0 != "rollout" && !seen[$0]++' | xargs -r -n 1 -P "${VERIFY_JOBS:-2}" sh -c "$1" part || true
  case " $parts " in *" rollout "*) sh -c "$1" part rollout || true ;; esac
}

if [ "$planted" = 1 ]; then
  status=0
  # shellcheck disable=SC2016 # for the shell that xargs starts
  each_part '
    test=$checkout/tests/ops/planted/$1.sh
    if [ ! -f "$test" ]; then echo "ok - $1 # SKIP there is no tests/ops/planted/$1.sh"; exit; fi >"$work/$1.tap"
    sh "$test" >"$work/$1.tap" 2>"$work/$1.err" && exit
    echo "not ok - $1: every mistake is caught" >>"$work/$1.tap"
    tail -n 40 "$work/$1.err" >&2'
  for part in $parts; do
    echo "# $part"
    cat "$work/$part.tap"
    # A test that plants nothing proves nothing.
    grep -q '^ok - ' "$work/$part.tap" || echo "not ok - $part plants mistakes" | tee -a "$work/$part.tap"
    cat "$work/$part.tap" >>"$work/all"
  done
  ! grep -q '^not ok - ' "$work/all" || status=1
  touch "$work/all"
  caught=$(grep -c '^ok - ' "$work/all" || true)
  missed=$(grep -c '^not ok - ' "$work/all" || true)
  echo "# $caught as expected, $missed not, in $(($(date +%s) - began)) s"
  exit "$status"
fi

# shellcheck disable=SC2016
each_part 'if [ -f "$checkout/scripts/verify/$1.sh" ]; then
    sh "$checkout/scripts/verify/$1.sh" "$root" >"$work/$1.rows" 2>"$work/$1.err" || echo "$?" >"$work/$1.status"
  else
    printf "%s\t-\t-\t-\tskipped: there is no scripts/verify/%s.sh\n" "$1" "$1" >"$work/$1.rows"
  fi'
: >"$work/table"
for part in $parts; do
  if [ -f "$work/$part.status" ] || [ "$verbose" = 1 ]; then cat "$work/$part.err" >&2; fi
  cat "$work/$part.rows" >>"$work/table"
  # A verifier that broke down, or looked at nothing, is not one that found nothing.
  if [ -f "$work/$part.status" ] && ! grep -q 'FAILED$' "$work/$part.rows"; then
    printf '%s\t%s\t-\t-\tFAILED\n' "$part" "scripts/verify/$part.sh (status $(cat "$work/$part.status"))" >>"$work/table"
  elif [ ! -s "$work/$part.rows" ]; then
    printf '%s\t%s\t-\t-\tFAILED\n' "$part" "scripts/verify/$part.sh (no checks)" >>"$work/table"
  fi
done

if [ "$json" = 1 ]; then
  awk -F '\t' '
    function text(value) { gsub(/\\/, "\\\\\\\\", value); gsub(/"/, "\\\"", value); return "\"" value "\"" }
    BEGIN { print "[" }
    { printf "%s  {\"part\": %s, \"tool\": %s, \"version\": %s, \"findings\": %s, \"status\": %s}", (NR > 1 ? ",\n" : ""),
        text($1), text($2), text($3), ($4 == "-" ? "null" : $4), text($5) }
    END { print "\n]" }' "$work/table"
else
  awk -F '\t' '
    function cell(value, width) { return sprintf("%-" width "s  ", value) }
    BEGIN { split("part,tool,version,findings,status", row, ","); for (i = 1; i <= 5; i++) { cells[0, i] = row[i]; width[i] = length(row[i]) } }
    { for (i = 1; i <= 5; i++) { cells[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } }
    END { for (line = 0; line <= NR; line++) {
      for (i = 1; i < 5; i++) printf "%s", (i == 4 ? sprintf("%" width[4] "s  ", cells[line, 4]) : cell(cells[line, i], width[i]))
      print cells[line, 5] } }' "$work/table"
fi
failed=$(grep -c 'FAILED$' "$work/table" || true)
skipped=$(grep -c '	skipped: ' "$work/table" || true)
echo "$(grep -c '' "$work/table") checks: $failed failed, $skipped skipped, in $(($(date +%s) - began)) s" >&2
[ "$failed" = 0 ]
