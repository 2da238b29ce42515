#!/bin/sh
# Makes data for staging from an export of production: texts of the same shape in which nobody is found.
#
# usage: mcp-rag --server PRODUCTION export docs production.ndjson
#        scripts/anonymize-data.sh [OPTIONS] production.ndjson staging.ndjson
#        mcp-rag --server STAGING import docs staging.ndjson
#
#   IN, OUT                 NDJSON as `mcp-rag export` writes it; - is the standard input or output
#   --keep-attributes A,B   attributes whose values say nothing of anybody and stay as they are
#   --key-file FILE         makes the same pseudonyms as in another run with this key, at least 32 bytes; by default a random key that
#                           is thrown away, so that nobody can compute a pseudonym from a name
#   --dry-run               say what would be done
#   --help                  this text
#
# Every word but function words (the, of, with …) becomes an invented word, the same one each time, every number another number of
# as many digits; so addresses, phone numbers and names are gone wherever they stand, not only where somebody looked for them, while
# lengths, frequencies and what belongs together stay, and searches find something. Ids, links and principals become digests;
# attributes too, but dates, which are shifted, numbers, rounded to two digits, and booleans. Vectors are left out, since they tell of
# the text; the import makes new ones. So are documents that are no text (their count is printed). Keys, jobs and the audit log are in no
# export. What may be told still: how long texts are, how often a word occurs, where sentences end.
# Exit status: 0 done, 1 not, 64 bad usage.
set -eu
umask 077

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/common.sh"

keep='' key_file='' in='' out=''
while [ $# -gt 0 ]; do
  case $1 in
    --keep-attributes) keep=$(value_of "$@"); shift ;;
    --key-file) key_file=$(value_of "$@"); shift ;;
    --dry-run) dry_run=1 ;;
    --help | -h) usage; exit 0 ;;
    --*) bad_usage "unknown option: $1" ;;
    *) if [ -z "$in" ]; then in=$1; elif [ -z "$out" ]; then out=$1; else bad_usage "one file in, one out"; fi ;;
  esac
  shift
done
[ -n "$out" ] || bad_usage "which file, and where to? IN OUT"
[ "$in" = - ] || [ -r "$in" ] || die "cannot read $in"
[ "$in" = - ] || [ "$out" = - ] || [ "$(readlink -f "$in")" != "$(readlink -f "$out")" ] || die "$out is the file that is read: give another name"
need python3 "apt-get install python3"
if [ "$dry_run" = 1 ]; then
  say "would write $in to $out with pseudonyms${keep:+, the attributes $keep as they are}"
  exit 0
fi
scratch
if [ -n "$key_file" ]; then
  secret_file "$key_file" --key-file
  [ "$(wc -c <"$key_file")" -ge 32 ] || die "$key_file is shorter than 32 bytes: a key that can be guessed hides nothing"
else
  key_file=$scratch/key
  head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$key_file"
fi
anonymize() { python3 "$here/lib/anonymize.py" "$key_file" "$keep"; }
# Under its name only once it is whole.
[ "$in" = - ] || exec <"$in"
if [ "$out" = - ]; then
  anonymize
else
  anonymize >"$out.partial" || { rm -f "$out.partial"; die "$out was not written"; }
  mv "$out.partial" "$out"
fi
