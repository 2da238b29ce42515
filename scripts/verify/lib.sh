# shellcheck shell=sh disable=SC2034 # what begin sets is read by those who source this
# What the verifiers of scripts/verify share; to be sourced. A verifier is
#
#   part=k8s                       # its name in the table
#   . "$(dirname "$0")/lib.sh"
#   begin "$@"                     # [ROOT]: what is verified, by default this checkout
#   check "$part" TOOL VERSION COMMAND [ARGUMENT...]
#   skip "$part" TOOL VERSION REASON
#   finish                         # non-zero when a check failed
#
# VERIFY_TOOL=REGEX in the environment keeps to the tools that match it: what a test does that knows which one must fail.
#
# Each check and skip prints one line on standard output: part, tool, version, findings, status, apart by tabs. What the
# tools say goes to standard error. begin sets
#
#   checkout  this repository, where the tools come from
#   root      what is looked at: this repository, or a copy with a mistake in it
#   shared    ../shared beside the checkout, or empty when there is none
#   ops       .local/ops: installed tools
#   work      a scratch folder that is removed at the end

set -eu

begin() {
  case ${1:-} in
    --help | -h)
      sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    -*)
      echo "$0: unknown option: $1 (--help)" >&2
      exit 64
      ;;
  esac
  checkout=$(cd "$(dirname "$0")/../.." && pwd)
  root=$(cd "${1:-$checkout}" && pwd)
  shared=$checkout/../shared
  if [ -d "$shared" ]; then shared=$(cd "$shared" && pwd); else shared=''; fi
  # Copies of this file that lie elsewhere still use one set of tools.
  ops=${MCP_RAG_OPS_TOOLS:-$checkout/.local/ops}
  mkdir -p "$ops"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  failures=0
}

# row PART TOOL VERSION FINDINGS STATUS
row() { printf '%s\t%s\t%s\t%s\t%s\n' "$@"; }

# check PART TOOL VERSION COMMAND...: the command writes one line for each finding and fails when there is one. Where it
# writes more than findings, a line "findings: N" anywhere says how many. Status 77 means that it could not run, and its
# last line says why.
check() {
  check_part=$1 check_tool=$2 check_version=$3
  shift 3
  printf '%s\n' "$check_tool" | grep -Eq "${VERIFY_TOOL:-.}" || return 0
  check_status=0
  "$@" >"$work/check.log" 2>&1 || check_status=$?
  check_findings=$(sed -n 's/^findings: \([0-9][0-9]*\)$/\1/p' "$work/check.log" | tail -n 1)
  case $check_status in
    0) row "$check_part" "$check_tool" "$check_version" "${check_findings:-0}" ok ;;
    77) skip "$check_part" "$check_tool" "$check_version" "$(tail -n 1 "$work/check.log")" ;;
    *)
      failures=$((failures + 1))
      printf -- '--- %s: %s\n' "$check_part" "$check_tool" >&2
      tail -n "200" "$work/check.log" >&2
      [ -n "$check_findings" ] && [ "$check_findings" -gt 0 ] ||
        check_findings=$(grep -c '[^[:space:]]' "$work/check.log" || true)
      [ "$check_findings" -gt 0 ] || check_findings=1
      row "$check_part" "$check_tool" "$check_version" "$check_findings" FAILED
      ;;
  esac
}

# skip PART TOOL VERSION REASON
skip() {
  printf '%s\n' "$2" | grep -Eq "${VERIFY_TOOL:-.}" || return 0
  printf -- '--- %s: %s skipped: %s\n' "$1" "$2" "$4" >&2
  row "$1" "$2" "$3" - "skipped: $4"
}

finish() {
  [ "$failures" = 0 ] || exit 1
  exit 0
}

# stamp_of FILE...: changes when a file does.
stamp_of() { cat "$@" | { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; } | cut -d ' ' -f 1; }

# alone COMMAND...: while no other verifier that uses the same tools installs any. The lock is a link to the id of its process,
# so that one left by a process that was killed is seen to be nobody's.
alone() {
  mkdir -p "$ops" || return 1
  until ln -s "$$" "$ops/.installing" 2>/dev/null; do
    alone_holder=$(readlink "$ops/.installing" || true)
    [ "$alone_holder" != "$$" ] || { "$@"; return; }
    [ -z "$alone_holder" ] || kill -0 "$alone_holder" 2>/dev/null || rm -f "$ops/.installing"
    sleep 0.2
  done
  alone_status=0
  "$@" || alone_status=$?
  rm -f "$ops/.installing"
  return "$alone_status"
}

# apt_install PACKAGE...: without starting what they bring; where root may, and apt-get is.
apt_install() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
  alone apt_installed "$@"
}
# shellcheck disable=SC2329 # by name, from alone
apt_installed() {
  echo "apt-get install $*" >&2
  export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
  { apt-get install -y --no-install-recommends "$@" || { apt-get update && apt-get install -y --no-install-recommends "$@"; }; } </dev/null >&2
}

# python_tools NAME REQUIREMENTS: a virtual environment $ops/NAME with exactly what the file pins, by hash; its bin folder
# is left in $tools. Fails with a line on standard error.
python_tools() {
  tools=$ops/$1/bin
  python_stamp=$(stamp_of "$2")
  [ "$(cat "$ops/$1/.stamp" 2>/dev/null)" = "$python_stamp" ] || alone python_installed "$@"
}
# shellcheck disable=SC2329
python_installed() {
  [ "$(cat "$ops/$1/.stamp" 2>/dev/null)" != "$python_stamp" ] || return 0
  echo "installing $(basename "$2") into .local/ops/$1" >&2
  rm -rf "${ops:?}/$1"
  python3 -m venv "$ops/$1" >&2 || return 1
  "$ops/$1/bin/pip" install --quiet --disable-pip-version-check --no-input --require-hashes --only-binary=:all: \
    --requirement "$2" </dev/null >&2 || return 1
  echo "$python_stamp" >"$ops/$1/.stamp"
}

# node_tools NAME FOLDER: FOLDER's package-lock.json, installed into $ops/NAME/node_modules without running any script.
node_tools() {
  node_stamp=$(stamp_of "$2/package-lock.json")
  [ "$(cat "$ops/$1/.stamp" 2>/dev/null)" = "$node_stamp" ] || alone node_installed "$@"
}
# shellcheck disable=SC2329
node_installed() {
  [ "$(cat "$ops/$1/.stamp" 2>/dev/null)" != "$node_stamp" ] || return 0
  command -v npm >/dev/null || { echo "npm is needed (Node.js 20 or newer)" >&2; return 1; }
  echo "installing $1 into .local/ops/$1" >&2
  rm -rf "${ops:?}/$1"
  mkdir -p "$ops/$1"
  cp "$2/package.json" "$2/package-lock.json" "$ops/$1/"
  npm ci --prefix "$ops/$1" --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2 || return 1
  echo "$node_stamp" >"$ops/$1/.stamp"
}

# version_of PACKAGE: the one that requirements.in asks for.
version_of() { sed -n "s/^$1==//p" "$checkout/scripts/verify/requirements.in"; }
