#!/bin/sh
# Verifies the scripts: shellcheck over every one, what they print and refuse (bats), smoke tests, backups, rotation and a disaster.
#
# usage: scripts/verify/scripts.sh [ROOT]      the convention is in lib.sh
#
# The server is MCP_RAG_BIN, else a build of this checkout. MCP_RAG_VERIFY_QUICK=1 leaves out the drills;
# MCP_RAG_BATS_FILTER=REGEX keeps to some tests of a suite.
part=scripts
. "$(dirname "$0")/lib.sh"
begin "$@"

# Debian's, or none where it cannot be had: then its line says so.
package() {
  command -v "$1" >/dev/null 2>&1 || apt_install "$1"
}
for tool in age zstd bats jq pgbackrest; do package "$tool" >&2 || echo "no $tool to be had" >&2; done

python_tools scripts "$checkout/tests/ops/requirements.txt" || { skip "$part" everything - "the tools could not be installed from PyPI"; finish; }
PATH=$tools:$PATH
export PATH MCP_RAG_OPS_TOOLS="$ops" MCP_RAG_CHECKOUT="$checkout" PG_BIN="$checkout/.local/postgres/bin"

lint() (
  cd "$root"
  # Everything that says in its first line that a shell runs it.
  find . -path ./target -prune -o -path ./.local -prune -o -path ./.git -prune -o -name node_modules -prune -o -type f \
    \( -name '*.sh' -o -perm -u+x \) -print | sort | while read -r file; do
    case $file in *.sh) echo "$file" ;; *) head -c 64 "$file" | head -n 1 | grep -aq '^#!.*sh$' && echo "$file" ;; esac
  done >"$work/scripts"
  [ "$(wc -l <"$work/scripts")" -ge "${1:-1}" ] || { echo "no scripts found in $root"; return 1; }
  # SC2329: functions that are called by name, as `check` does. SC1091: what is sourced is looked at by itself. SC2016: programs
  # of sed and awk hold dollars that are theirs.
  tr '\n' '\0' <"$work/scripts" | xargs -0 shellcheck --severity=info --exclude=SC2329,SC1091,SC2016 --external-sources \
    --source-path=SCRIPTDIR:scripts:tests/ops --format=gcc
)
# What operations run starts in any shell: POSIX, and a dash says so.
posix() (
  cd "$root"
  status=0
  for file in scripts/backup-database.sh scripts/restore-database.sh scripts/archive-wal.sh scripts/rotate-secrets.sh \
    scripts/dr-test.sh scripts/smoke-tests.sh scripts/anonymize-data.sh scripts/synthetic-data.sh scripts/lib/*.sh; do
    [ -f "$file" ] || { echo "$file: missing"; status=1; continue; }
    case $file in scripts/lib/*) ;; *) [ "$(head -n 1 "$file")" = '#!/bin/sh' ] || { echo "$file: not #!/bin/sh"; status=1; } ;; esac
    dash -n "$file" || status=1
  done
  return "$status"
)
suite() { bats --tap --filter "${MCP_RAG_BATS_FILTER:-.}" "$root/tests/ops/$1.bats" 2>&1 | tee "$work/tap" | grep -v '^ok' || true; grep -q '^ok' "$work/tap" && ! grep -q '^not ok' "$work/tap"; }
drill() { "$@" 2>&1; }

backups() {
  check "$part" "bats: smoke tests" "$version" suite smoke
  check "$part" "bats: backup and restore" "$version" suite backup
  check "$part" "bats: pgBackRest" "$(pgbackrest version 2>/dev/null | sed 's/[^0-9]*//')" suite pgbackrest
}
drills() {
  check "$part" "rotation drill" "moto $("$tools/python3" -c 'import moto; print(moto.__version__)')" drill "$root/tests/ops/rotate.sh" --pause 1
  check "$part" "disaster drill (50 MB)" "$("$checkout/.local/postgres/bin/postgres" --version 2>/dev/null | sed 's/[^0-9]*//')" \
    drill "$root/scripts/dr-test.sh" --size-mb 50 --archive-timeout 5 --write-seconds 20 --data-dir "$ops/dr-data"
}
# beside GROUP: with a folder of its own, since what a check says goes into one file.
beside() {
  mkdir "$work/$1"
  (in_folder "$work/$1" "$1") >"$work/$1.rows" 2>"$work/$1.said" &
}
in_folder() {
  work=$1
  "$2"
}

check "$part" shellcheck "$(shellcheck --version | sed -n 's/^version: //p')" lint
command -v dash >/dev/null && check "$part" "POSIX (dash -n)" - posix
if ! command -v bats >/dev/null; then
  skip "$part" bats - "no bats to be had: apt-get install bats"
else
  version=$(bats --version | sed 's/[^0-9]*//')
  check "$part" "bats: help and refusals" "$version" suite usage
  check "$part" "bats: data" "$version" suite data
  # Two at a time: what they do most is wait for programs to start.
  groups='backups drills'
  if [ "${MCP_RAG_VERIFY_QUICK:-0}" = 1 ]; then
    groups=backups
    for drill in "rotation drill" "disaster drill (50 MB)"; do skip "$part" "$drill" - "MCP_RAG_VERIFY_QUICK=1"; done
  fi
  for group in $groups; do beside "$group"; done
  wait
  for group in $groups; do
    cat "$work/$group.said" >&2
    cat "$work/$group.rows"
    failures=$((failures + $(grep -c 'FAILED$' "$work/$group.rows" || true)))
  done
fi
finish
