#!/bin/sh
# Whether a running server does its work: it is healthy, finds a document, and answers from it with a citation.
#
# usage: scripts/smoke-tests.sh [OPTIONS] URL
#
#   URL                 the server's API, as http://127.0.0.1:8080
#   --token-file FILE   the credential: a token or an API key with the scopes search and ingest (SMOKE_TOKEN_FILE);
#                       SMOKE_TOKEN in the environment holds it itself
#   --collection NAME   use what is in this collection instead of a document of the test's own: nothing is written, and a
#                       credential with the scope search will do
#   --ca-file FILE      authorities to trust for https
#   --timeout SECONDS   the longest wait for one reply, 10 by default
#   --dry-run           print the requests instead of sending them
#   --help              this text
#
# Without --collection the test makes one of its own, with a name nobody else has, and removes it at the end, also when a
# step failed. Every wait is bounded. Prints one line for each step and `All tests passed!`.
# Exit status: 0 all passed, 1 a step failed (its line begins with ✗ and says why), 64 bad usage.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/common.sh"

url='' token_file=${SMOKE_TOKEN_FILE:-} collection='' ca_file='' timeout=10
while [ $# -gt 0 ]; do
  case $1 in
    --token-file) token_file=$(value_of "$@"); shift ;;
    --collection) collection=$(value_of "$@"); shift ;;
    --ca-file) ca_file=$(value_of "$@"); shift ;;
    --timeout) timeout=$(value_of "$@"); shift ;;
    --dry-run) dry_run=1 ;;
    --help | -h) usage; exit 0 ;;
    -*) bad_usage "unknown option: $1" ;;
    *) [ -z "$url" ] || bad_usage "one URL only"; url=${1%/} ;;
  esac
  shift
done
case $url in
  http://* | https://*) ;;
  '') bad_usage "which server? give its URL" ;;
  *) bad_usage "$url is no URL: http://HOST:PORT" ;;
esac
case $timeout in '' | *[!0-9]* | 0) bad_usage "--timeout takes seconds" ;; esac
need curl "apt-get install curl"

made=''
cleanup=clean_up
clean_up() { [ -z "$made" ] || call DELETE "/v1/collections/$made" >/dev/null 2>&1 || true; }
scratch
# curl reads the credential from a file, so that no argument holds it.
: >"$scratch/curl"
chmod 600 "$scratch/curl"
[ -z "$token_file" ] || { secret_file "$token_file" --token-file; SMOKE_TOKEN=$(tr -d '\r\n' <"$token_file"); }
[ -z "${SMOKE_TOKEN:-}" ] || printf 'header = "Authorization: Bearer %s"\n' "$SMOKE_TOKEN" >"$scratch/curl"
[ -z "$ca_file" ] || printf 'cacert = "%s"\n' "$ca_file" >>"$scratch/curl"

# call METHOD PATH [JSON]: the reply is in $scratch/reply, its status in $status. Fails unless the status is 2xx.
call() {
  if [ "$dry_run" = 1 ]; then
    printf '%s %s%s %s\n' "$1" "$url" "$2" "${3:-}"
    return
  fi
  : >"$scratch/reply"
  status=$(curl --config "$scratch/curl" --silent --show-error --max-time "$timeout" --request "$1" \
    ${3:+--header "content-type: application/json" --data "$3"} \
    --output "$scratch/reply" --write-out '%{http_code}' "$url$2" 2>"$scratch/error") || {
    why=$(sed 's/^curl: ([0-9]*) //' "$scratch/error" | head -n 1)
    return 1
  }
  case $status in 2??) ;; *) why="$1 $2 answered $status: $(head -c 200 "$scratch/reply" | tr '\n' ' ')"; return 1 ;; esac
}
# holds TEXT: whether the last reply does.
holds() { [ "$dry_run" = 1 ] || grep -qF -- "$1" "$scratch/reply"; }

why=''
# step PASSED FAILED FUNCTION
step() {
  if "$3"; then
    printf '✓ %s\n' "$1"
  else
    printf '✗ %s: %s\n' "$2" "${why:-no reason is known}"
    exit 1
  fi
}

word=quillback$$x$(date +%s)
health() {
  call GET /health/ready || return 1
  holds '"status":"ok"' || holds '"status":"degraded"' || { why="/health/ready says neither ok nor degraded: $(head -c 200 "$scratch/reply")"; return 1; }
}
prepare() {
  [ -z "$collection" ] || return 0
  collection=smoke-test-$$-$(date +%s)
  call POST /v1/collections "{\"name\":\"$collection\"}" || return 1
  made=$collection
  call PUT "/v1/collections/$collection/documents/note?wait=true" \
    "{\"title\":\"Smoke test\",\"text\":\"The $word lighthouse was built in 1907 by Ada Fenwick.\"}" || return 1
  [ "$dry_run" = 1 ] || [ "$status" != 202 ] || until_true "$timeout" is_ready || { why="the document was not searchable within $timeout s"; return 1; }
}
is_ready() { call GET "/v1/collections/$collection/documents/note" && holds '"status":"ready"'; }
search() {
  prepare || return 1
  if [ -n "$made" ]; then query="who built the $word lighthouse"; else query="what is this about"; fi
  call POST /v1/search "{\"query\":\"$query\",\"collections\":[\"$collection\"],\"top_k\":3}" || return 1
  holds '"chunk_id"' || { why="nothing was found in the collection $collection"; return 1; }
  [ -z "$made" ] || holds "$word" || { why="the document that was just written was not found"; return 1; }
}
rag() {
  if [ -n "$made" ]; then question="Who built the $word lighthouse?"; else question="What is this about?"; fi
  call POST /v1/answers "{\"question\":\"$question\",\"collections\":[\"$collection\"]}" || return 1
  holds '"answer"' || { why="the reply has no answer"; return 1; }
  # What is in somebody else's collection may not answer the question; ours does, and must be cited.
  [ -z "$made" ] || { holds 'Ada Fenwick' && holds '"citations":[{'; } || { why="the answer does not cite the document that holds it"; return 1; }
}

step 'Health check passed' 'Health check failed' health
step 'Search endpoint working' 'Search endpoint failed' search
step 'RAG endpoint working' 'RAG endpoint failed' rag
echo 'All tests passed!'
