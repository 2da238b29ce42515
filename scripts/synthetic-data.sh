#!/bin/sh
# Makes data for development: documents that nobody wrote, each with facts of its own and attributes to filter by, and
# questions that exactly one of them answers.
#
# usage: scripts/synthetic-data.sh [OPTIONS]
#
#   --documents N       200 by default, at most 4000
#   --seed N            the same number makes the same documents; 1 by default
#   --out FILE          NDJSON as a bulk upload takes it; the standard output by default
#   --beir FOLDER       the same as a set in BEIR layout, with a question for every fifth document: mcp-rag eval FOLDER
#   --server URL        upload them instead, into --collection (synthetic by default), which is made if need be
#   --token-file FILE   the credential for that
#   --dry-run           say what would be done
#   --help              this text
#
# Exit status: 0 done, 1 not, 64 bad usage.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/common.sh"

documents=200 seed=1 out=- beir='' server='' collection=synthetic token_file=''
while [ $# -gt 0 ]; do
  case $1 in
    --documents) documents=$(value_of "$@"); shift ;;
    --seed) seed=$(value_of "$@"); shift ;;
    --out) out=$(value_of "$@"); shift ;;
    --beir) beir=$(value_of "$@"); shift ;;
    --server) server=$(value_of "$@"); server=${server%/}; shift ;;
    --collection) collection=$(value_of "$@"); shift ;;
    --token-file) token_file=$(value_of "$@"); shift ;;
    --dry-run) dry_run=1 ;;
    --help | -h) usage; exit 0 ;;
    *) bad_usage "unknown argument: $1" ;;
  esac
  shift
done
case $documents in '' | *[!0-9]* | 0) bad_usage "--documents takes a number" ;; esac
case $seed in '' | *[!0-9]*) bad_usage "--seed takes a number" ;; esac
[ "$documents" -le 4000 ] || bad_usage "--documents: at most 4000"
need python3 "apt-get install python3"
if [ "$dry_run" = 1 ]; then
  say "would make $documents documents from seed $seed${server:+ and upload them to $collection at $server}"
  exit 0
fi
scratch
[ -z "$server" ] || out=$scratch/documents.ndjson
python3 "$here/lib/synthetic.py" "$documents" "$seed" "$out" "$beir"
[ -n "$server" ] || exit 0

need curl "apt-get install curl"
: >"$scratch/curl"
[ -z "$token_file" ] || { secret_file "$token_file" --token-file; printf 'header = "Authorization: Bearer %s"\n' "$(tr -d '\r\n' <"$token_file")" >"$scratch/curl"; }
post() { curl --config "$scratch/curl" -s --max-time 120 -o "$scratch/reply" -w '%{http_code}' -H "content-type: $2" --data-binary "$3" "$server$1" || true; }
case $(post /v1/collections application/json "{\"name\":\"$collection\"}") in
  201 | 409) ;;
  *) die "the collection $collection cannot be made at $server: $(head -c 200 "$scratch/reply" 2>/dev/null)" ;;
esac
[ "$(post "/v1/collections/$collection/documents" application/x-ndjson "@$scratch/documents.ndjson")" = 202 ] ||
  die "the documents were not accepted: $(head -c 200 "$scratch/reply")"
say "$documents documents accepted in $collection at $server: $(head -c 200 "$scratch/reply")"
