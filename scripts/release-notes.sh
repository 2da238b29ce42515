#!/bin/sh
# Prints what CHANGELOG.md says of a version.
#
# usage: scripts/release-notes.sh VERSION
set -eu
case ${1:-} in --help | -h) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;; esac
[ $# = 1 ] || { echo "release-notes: expected VERSION (--help)" >&2; exit 64; }
awk -v version="$1" '
  /^## / { here = ($2 == version || $2 == "[" version "]" || $2 == "v" version); next }
  here { print; if (NF) found = 1 }
  END { exit !found }' "$(dirname "$0")/../CHANGELOG.md" ||
  { echo "release-notes: CHANGELOG.md has nothing of $1" >&2; exit 1; }
