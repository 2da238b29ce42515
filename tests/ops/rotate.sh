#!/bin/sh
# Rotates every secret of two running servers under load and counts what their callers were refused.
#
# usage: tests/ops/rotate.sh [--pause SECONDS] [--dry-run] [--help]
#
#   --pause SECONDS   of load between two rotations, 3 by default
#   --dry-run         say what would be done
#
# A real PostgreSQL with passwords, two servers in the production profile, a stand-in for Secrets Manager and one for External
# Secrets. The database's login (both of its names), the issuer's secret, the operator's token and a model server's key are
# rotated; then a rotation that no server takes has to roll back, and --rollback has to bring the version before.
# Prints TAP lines and the number of requests. Exit status: 0 all as said and 0 requests failed.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
# Where PostgreSQL, the model and a build are, when this is a copy.
checkout=${MCP_RAG_CHECKOUT:-$root}
here=$root/scripts
. "$here/lib/common.sh"
. "$here/lib/postgres.sh"
pause=3
while [ $# -gt 0 ]; do
  case $1 in
    --pause) pause=$(value_of "$@"); shift ;;
    --dry-run) dry_run=1 ;;
    --help | -h) usage; exit 0 ;;
    *) bad_usage "unknown argument: $1" ;;
  esac
  shift
done
[ "$dry_run" = 0 ] || { say "would start PostgreSQL, two servers and callers, and rotate database, jwt, token and openai"; exit 0; }

pids=''
# shellcheck disable=SC2329 # called by common.sh
end_all() {
  for pid in $pids; do kill "$pid" 2>/dev/null || true; done
  [ ! -d "$scratch/pg/data" ] || cluster_stop "$scratch/pg" immediate
}
scratch
cleanup=end_all
. "$here/verify/lib.sh"
ops=${MCP_RAG_OPS_TOOLS:-$checkout/.local/ops}
python_tools scripts "$root/tests/ops/requirements.txt" || die "the stand-in for AWS could not be installed"
. "$root/tests/ops/lib.sh"
find_postgres "$checkout/.local/postgres/bin"
find_server

chmod 711 "$scratch"
cluster_new "$scratch/pg"
port=$(free_port)
printf 'local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n' >"$scratch/pg/data/pg_hba.conf"
# The socket's name keeps 5432; callers come by TCP, with passwords.
printf "max_connections = 200\n" >>"$scratch/pg/data/postgresql.conf"
cluster_start "$scratch/pg" 30 listen_addresses=127.0.0.1 port="$port"
use_cluster "$scratch/pg"
export PGPORT="$port"
query "CREATE ROLE mcp_rag LOGIN CREATEROLE PASSWORD 'first'"
query "CREATE DATABASE mcp_rag OWNER mcp_rag"
PGDATABASE=mcp_rag query "CREATE EXTENSION vector"
query "CREATE ROLE administrator LOGIN SUPERUSER PASSWORD 'admin'"
printf 'postgres://administrator:admin@127.0.0.1:%s/mcp_rag' "$port" >"$scratch/admin-url"

moto "$scratch"
keep() { printf '%s' "$2" >"$scratch/value" && aws secretsmanager create-secret --name "/mcp-demo/staging/$1" --secret-string "file://$scratch/value" >/dev/null; }
keep database/url "postgres://mcp_rag:first@127.0.0.1:$port/mcp_rag"
keep jwt-secret "$(openssl rand -hex 32)"
keep auth/token "$(openssl rand -hex 32)"
keep api-keys/openai first-key
mkdir "$scratch/mounted" "$scratch/callers"
"$tools/python3" "$root/tests/ops/external_secrets.py" "$scratch/mounted" /mcp-demo/staging/database/url=database__url \
  /mcp-demo/staging/jwt-secret=auth__jwt__secret /mcp-demo/staging/auth/token=auth__token \
  /mcp-demo/staging/api-keys/openai=generator__api_key >"$scratch/sync.log" 2>&1 &
sync=$!
pids="$pids $sync"
awaited 20 test -s "$scratch/mounted/auth__token"
cp "$scratch/mounted/auth__token" "$scratch/callers/token"
cp "$scratch/mounted/auth__jwt__secret" "$scratch/callers/jwt"

overlap=20
one() {
  serve "$scratch/$1" --env production --set server.host=127.0.0.1 --set admin.host=127.0.0.1 --set secrets_dir="$scratch/mounted" \
    --set server.drain_delay_ms=0 --set auth.overlap_ms=$((overlap * 1000)) --set auth.jwt.issuer=drill --set auth.jwt.audience=mcp-rag
}
(cd "$scratch" && "$mcp_rag" migrate --set database.url="$(cat "$scratch/mounted/database__url")") >"$scratch/migrate.log" 2>&1 || { cat "$scratch/migrate.log" >&2; die "the database could not be migrated"; }
one first
first=$url
one second
second=$url
curl -sf -o /dev/null -H "Authorization: Bearer $(cat "$scratch/callers/token")" -H 'content-type: application/json' -d '{"name":"rotation"}' "$first/v1/collections"
python3 "$root/tests/ops/callers.py" "$scratch/callers" "$scratch/counted" "$first" "$second" &
load=$!
pids="$pids $load"

bad=0
verdict() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; bad=1; fi; }
rotate() {
  "$here/rotate-secrets.sh" --env staging --server "$first" --server "$second" --token-file "$scratch/callers/token" \
    --admin-url-file "$scratch/admin-url" --issuer drill --audience mcp-rag --tenant default --wait "${wait:-60}" "$@"
}
version() { aws secretsmanager get-secret-value --secret-id "/mcp-demo/staging/$1" --version-stage AWSCURRENT --query VersionId --output text; }
logins() { query "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolcanlogin AND rolname LIKE 'mcp_rag%'"; }
answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $2" "$1/v1/collections")" = "$3" ]; }

sleep "$pause"
old_token=$(cat "$scratch/callers/token")
said=0; rotate database || said=$?
[ "$said" = 0 ] && [ "$(logins)" = mcp_rag_a ] || said=1
verdict "$said" "the database's login changes to mcp_rag_a, and the one before is ended"
sleep "$pause"
said=0; rotate database || said=$?
[ "$said" = 0 ] && [ "$(logins)" = mcp_rag_b ] || said=1
verdict "$said" "it changes to mcp_rag_b, and mcp_rag_a is ended"
sleep "$pause"
said=0; rotate --announce "cp '$scratch/mounted/auth__jwt__secret' '$scratch/callers/jwt'" jwt || said=$?
verdict "$said" "the issuer's secret changes, its tokens of before are good meanwhile"
sleep "$pause"
said=0; rotate --announce "cp '$scratch/mounted/auth__token' '$scratch/callers/token'" token || said=$?
verdict "$said" "the operator's token changes, the one before is good meanwhile"
said=0; { answers "$first" "$old_token" 200 && answers "$second" "$old_token" 200; } || said=1
verdict "$said" "within the overlap the old token still works"
printf second-key >"$scratch/new-key"
said=0; rotate --value-file "$scratch/new-key" openai || said=$?
verdict "$said" "a model server's key changes"
said=0; rotate --rollback database || said=$?
[ "$said" = 0 ] && grep -q '//mcp_rag_a:' "$scratch/mounted/database__url" || said=1
verdict "$said" "the version before comes back when it is asked for, and its login with it"

# Nothing reaches the servers any more: the rotation must take itself back.
kill -STOP "$sync"
before=$(version auth/token)
said=0; wait=3 rotate token 2>"$scratch/rolled" || said=$?
kill -CONT "$sync"
[ "$said" = 1 ] && [ "$(version auth/token)" = "$before" ] && grep -q 'rolled back' "$scratch/rolled" && said=0 || said=1
verdict "$said" "a rotation that no server takes rolls back: the version before is AWSCURRENT"
said=0; awaited $((overlap + 20)) answers "$first" "$old_token" 401 || said=1
verdict "$said" "after the overlap the old token is refused"

kill "$load"
wait "$load" || true
requests=$(sed 's/.*"requests": \([0-9]*\).*/\1/' "$scratch/counted")
failed=$(sed 's/.*"failed": \([0-9]*\).*/\1/' "$scratch/counted")
[ "$failed" = 0 ] || tr ',' '\n' <"$scratch/counted" >&2
said=0; { [ "$failed" = 0 ] && [ "$requests" -gt 100 ]; } || said=1
verdict "$said" "no request fails meanwhile"
said=0; grep -rqF -e "$old_token" -e "$(cat "$scratch/callers/token")" -e "$(sed 's|.*:\([^@]*\)@.*|\1|' "$scratch/mounted/database__url")" "$scratch"/first/server.log "$scratch"/second/server.log && said=1
verdict "$said" "no secret is in a server's log"
echo "# $requests requests, $failed failed: $(sed 's/.*"by": {\([^}]*\)}.*/\1/' "$scratch/counted")"
exit "$bad"
