#!/bin/sh
# The server of the migration before this one: builds the commit before the newest file in migrations/ was added, and prints
# the path of the program. Cached by commit under .local/previous.
#
#   scripts/previous.sh [--debug] [--dry-run] [--help]
#
# --debug    a debug build that takes this checkout's compiled dependencies (seconds to minutes instead of a release build)
# --dry-run  say which commit, build nothing
#
# Exit status 77: there is no history to build from, and the last line says why.
set -eu

profile=release dry_run=''
for argument in "$@"; do
  case $argument in
    --debug) profile=debug ;;
    --dry-run) dry_run=yes ;;
    --help | -h)
      sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *)
      echo "previous: unknown option: $argument (--help)" >&2
      exit 64
      ;;
  esac
done

cd "$(dirname "$0")/.."
newest=$(printf '%s\n' migrations/V*__*.sql | sed -n 's/^migrations\/V\([0-9][0-9]*\)__.*$/\1 &/p' | sort -n | tail -n 1 | cut -d ' ' -f 2)
newest=${newest#migrations/}
if ! git rev-parse --git-dir >/dev/null 2>&1; then
  echo "skipped: no git history here, so there is no previous version to build"
  exit 77
fi
# By first parents: a whole state of the main line, also where a merge brought the file.
added=$(git log -m --first-parent --diff-filter=A --format=%H -- "migrations/$newest" | tail -n 1)
if [ -z "$added" ] || ! git rev-parse --verify --quiet "$added^" >/dev/null; then
  echo "skipped: the history does not reach the commit before migrations/$newest (a shallow clone?)"
  exit 77
fi
commit=$(git rev-parse "$added^")
if [ -n "$dry_run" ]; then
  echo "the newest migration is $newest; before it: $(git log -1 --format='%h %s' "$commit")"
  exit 0
fi

home=$PWD/.local/previous
program=$home/mcp-rag-$(git rev-parse --short=12 "$commit")-$profile
if [ -x "$program" ]; then
  echo "$program"
  exit 0
fi
source=$home/source
mkdir -p "$home"
rm -rf "$source"
mkdir "$source"
git archive "$commit" | tar -x -C "$source"
echo "previous: building $(git log -1 --format='%h %s' "$commit")" >&2
target=$home/target
if [ "$profile" = debug ] && [ ! -d "$target/debug" ] && [ -d target/debug/deps ]; then
  # Dependencies compiled here are as good there. Hard links cost nothing, and cargo replaces files, so ours stay.
  mkdir -p "$target/debug"
  for part in deps build .fingerprint; do
    cp -al "target/debug/$part" "$target/debug/" 2>/dev/null || rm -rf "$target/debug/${part:?}"
  done
fi
if [ "$profile" = debug ]; then set --; else set -- --release; fi
(cd "$source" && CARGO_TARGET_DIR=$target cargo build --quiet --locked "$@" --bin mcp-rag) >&2
cp "$target/$profile/mcp-rag" "$program.new"
mv "$program.new" "$program"
rm -rf "$source"
echo "$program"
