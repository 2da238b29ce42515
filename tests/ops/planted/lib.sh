# shellcheck shell=sh disable=SC2154 # $part is the test's
# What the tests of the verifiers share; to be sourced. Each plants one mistake in a copy of what a verifier looks at, and
# expects exactly the named tool to say FAILED, and to name the mistake. Prints TAP.
#
#   part=k8s
#   . "$(dirname "$0")/lib.sh"
#   copies k8s config                              # folders and files of the checkout that the verifier reads
#   plant SENTENCE TOOL SAYS FILE SED              # sed -E on FILE of the copy; SAYS is a pattern of the finding
#   plant_file SENTENCE TOOL SAYS FILE             # standard input is the whole of FILE
#   finish
#
# VERIFY_MISTAKES=REGEX in the environment keeps to the sentences that match it.

set -eu
checkout=$(cd "$(dirname "$0")/../../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
failures=0 count=0

copies() { wanted=$*; }

# wanted_now SENTENCE
wanted_now() { printf '%s\n' "$1" | grep -Eq -- "${VERIFY_MISTAKES:-.}"; }

fresh() {
  rm -rf "$scratch/tree"
  mkdir "$scratch/tree"
  for path in $wanted; do
    [ -e "$checkout/$path" ] || continue
    mkdir -p "$scratch/tree/$(dirname "$path")"
    cp -R "$checkout/$path" "$scratch/tree/$path"
  done
}

ok() { count=$((count + 1)); echo "ok - $1"; }
not_ok() {
  count=$((count + 1)) failures=$((failures + 1))
  echo "not ok - $1"
  sed 's/^/# /'
}

# verify TOOL: its rows in $scratch/rows, what the tools say in $scratch/err.
verify() {
  VERIFY_TOOL=$1 sh "$checkout/scripts/verify/$part.sh" "$scratch/tree" >"$scratch/rows" 2>"$scratch/err" </dev/null || true
}

# judge SENTENCE TOOL SAYS
judge() {
  verify "$2"
  if ! grep -q 'FAILED$' "$scratch/rows" && grep -q '	skipped: ' "$scratch/rows"; then
    # What cannot run here cannot catch anything; that is said, not counted.
    echo "ok - $1 # SKIP $(sed -n 's/.*	skipped: //p' "$scratch/rows" | head -n 1)"
  elif ! grep -q 'FAILED$' "$scratch/rows"; then
    not_ok "$1" <"$scratch/rows"
  elif ! grep -Eq -- "$3" "$scratch/err"; then
    tail -n 15 "$scratch/err" | not_ok "$1 (failed for another reason)"
  else
    ok "$1"
  fi
}

plant() {
  wanted_now "$1" || return 0
  fresh
  sed -E "$5" "$checkout/$4" >"$scratch/tree/$4"
  if cmp -s "$checkout/$4" "$scratch/tree/$4"; then
    echo "nothing in $4 matches $5" | not_ok "$1"
    return
  fi
  judge "$1" "$2" "$3"
}

plant_file() {
  wanted_now "$1" || return 0
  fresh
  mkdir -p "$scratch/tree/$(dirname "$4")"
  cat >"$scratch/tree/$4"
  judge "$1" "$2" "$3"
}

# sound SENTENCE TOOL: without a mistake the same tool says nothing, or the test would prove nothing.
sound() {
  wanted_now "$1" || return 0
  fresh
  verify "$2"
  if grep -q 'FAILED$' "$scratch/rows" || ! [ -s "$scratch/rows" ]; then tail -n 15 "$scratch/err" | not_ok "$1"; else ok "$1"; fi
}

finish() {
  [ "$count" -gt 0 ] || [ -z "${VERIFY_MISTAKES:-}" ] || ok "$part # SKIP no sentence matches $VERIFY_MISTAKES"
  echo "1..$count"
  [ "$failures" = 0 ] || exit 1
  exit 0
}
