# shellcheck shell=sh
# What the scripts for operations share; to be sourced. Messages go to standard error, results to standard output.

say() { printf '· %s\n' "$*" >&2; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { warn "$*"; exit 1; }
bad_usage() { warn "$*"; warn "see ${0##*/} --help"; exit 64; }

# The script's own head is its help.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# value_of OPTION REST...: the option's value, which must be there.
value_of() {
  [ $# -ge 2 ] && [ -n "$2" ] || bad_usage "$1 needs a value"
  printf '%s' "$2"
}

need() { command -v "$1" >/dev/null 2>&1 || die "$1 is needed: $2"; }

# change COMMAND...: what changes something; with --dry-run it is only shown.
dry_run=${dry_run:-0}
change() {
  if [ "$dry_run" = 1 ]; then
    printf 'would run:' >&2
    printf ' %s' "$@" >&2
    printf '\n' >&2
  else
    "$@"
  fi
}

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

sha256_of() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# until_true SECONDS COMMAND...: tries twice a second until the command succeeds.
until_true() {
  until_end=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$until_end" ] || return 1
    sleep 0.5
  done
}

# scratch: a private folder in $scratch that is removed at the end. A script that has more to clean up sets `cleanup`.
scratch() {
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/mcp-rag-ops.XXXXXX")
  cleanup=${cleanup:-:}
  trap 'leave $?' EXIT
  trap 'exit 130' INT
  # PostgreSQL ends what it runs so.
  trap 'exit 131' QUIT
  trap 'exit 143' TERM HUP
}

leave() {
  trap - EXIT
  $cleanup || true
  rm -rf "$scratch"
  exit "$1"
}

# secret_file FILE WHAT: a secret is read from a file, never from an argument, which every process may see.
secret_file() {
  [ -r "$1" ] || die "$2: cannot read $1"
  [ -s "$1" ] || die "$2: $1 is empty"
}

# piped COMMAND...: a command that is not the last of a pipeline, whose failure the shell would not tell: `whole` does.
piped() { "$@" || echo "$1" >>"$scratch/broken"; }
whole() {
  [ ! -s "$scratch/broken" ] && return
  warn "$(tr '\n' ' ' <"$scratch/broken")failed"
  rm -f "$scratch/broken"
  return 1
}
