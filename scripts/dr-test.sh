#!/bin/sh
# Rehearses disasters: a real PostgreSQL with its WAL archived to S3 and a real server on it are destroyed, restored by
# scripts/restore-database.sh and measured. Touches nothing but folders of its own.
#
# usage: scripts/dr-test.sh [OPTIONS]
#
#   --size-mb MB          data before the disaster, 1100 by default (about 5.5 KB for a chunk with its vector and indexes)
#   --archive-timeout S   PostgreSQL's archive_timeout, 60 by default: what bounds the loss
#   --write-seconds S     how long writes go on before the disaster that nobody announced, 75 by default; 15 before the others
#   --only NAME           one scenario: switched, unswitched, point-in-time or dump; several times for several
#                         (by default the first three)
#   --max-rto S, --max-rpo S  fail beyond them: 3600 and 900 by default
#   --data-dir FOLDER     keep the made data here for the next run, by default .local/ops/dr-data
#   --json                results for machines
#   --dry-run             say what would be done
#   --help                this text
#
#   switched              the disk is lost after the last WAL segment was archived: nothing may be lost
#   unswitched            the server is killed and its disk lost in the middle of writes: at most archive_timeout and the time
#                         that archiving takes
#   point-in-time         a collection is deleted by mistake; the database goes back to the moment before
#   dump                  the disk is lost, and all there is is the last dump: how long it takes to load; the loss is the dump's age
#
# RTO is the time from the disaster to the first search that is answered from the restored database by a server with nothing
# cached: fetching, unpacking, replaying, verifying and starting. RPO is the time between the last write that was acknowledged
# and the last of these that is there again. Dense, hybrid and lexical searches through the server have to return the same
# chunks with the same scores as before, which a copied HNSW index does and a rebuilt one need not.
# Exit status: 0 within the limits, 1 not, 64 bad usage.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
# Where PostgreSQL, the model and a build are, when this is a copy.
checkout=${MCP_RAG_CHECKOUT:-$root}
. "$here/lib/common.sh"
. "$here/lib/postgres.sh"

size_mb=1100 archive_timeout=60 write_seconds=75 only='' max_rto=3600 max_rpo=900 made=$checkout/.local/ops/dr-data json=0
while [ $# -gt 0 ]; do
  case $1 in
    --size-mb) size_mb=$(value_of "$@"); shift ;;
    --archive-timeout) archive_timeout=$(value_of "$@"); shift ;;
    --write-seconds) write_seconds=$(value_of "$@"); shift ;;
    --only)
      case $(value_of "$@") in switched | unswitched | point-in-time | dump) ;; *) bad_usage "no such scenario: $2" ;; esac
      only="$only $2"
      shift
      ;;
    --max-rto) max_rto=$(value_of "$@"); shift ;;
    --max-rpo) max_rpo=$(value_of "$@"); shift ;;
    --data-dir) made=$(value_of "$@"); shift ;;
    --json) json=1 ;;
    --dry-run) dry_run=1 ;;
    --help | -h) usage; exit 0 ;;
    *) bad_usage "unknown argument: $1" ;;
  esac
  shift
done
for number in "$size_mb" "$archive_timeout" "$write_seconds" "$max_rto" "$max_rpo"; do
  case $number in '' | *[!0-9]*) bad_usage "'$number' is no number" ;; esac
done
[ "$size_mb" -ge 10 ] || bad_usage "--size-mb: at least 10"
scenarios=${only:-switched unswitched point-in-time}
[ "$write_seconds" -ge $((archive_timeout + 10)) ] || bad_usage "--write-seconds: longer than --archive-timeout by 10, or nothing of it can survive"
chunks=$((size_mb * 2000 / 11))
if [ "$dry_run" = 1 ]; then
  say "would make $chunks chunks in $made/$chunks unless they are there, back them up to a stand-in for S3, and rehearse: $scenarios"
  exit 0
fi
need curl "apt-get install curl"
need python3 "apt-get install python3"
[ -x "$checkout/.local/postgres/bin/postgres" ] && [ -d "$checkout/.local/model" ] || die "PostgreSQL and the model are needed: scripts/setup.sh"

# shellcheck disable=SC2329 # called by common.sh, as others here are by name
end_all() {
  for pid in $pids; do kill "$pid" 2>/dev/null || true; done
  [ ! -d "$scratch/pg/data" ] || cluster_stop "$scratch/pg" immediate
}
pids=''
scratch
cleanup=end_all
. "$here/verify/lib.sh"
ops=${MCP_RAG_OPS_TOOLS:-$checkout/.local/ops}
python_tools scripts "$root/tests/ops/requirements.txt" || die "the stand-in for S3 could not be installed"
. "$root/tests/ops/lib.sh"
find_postgres "$checkout/.local/postgres/bin"
find_server
# Made once, by the same loader as the benchmarks: real sentences recombined, with vectors between those of real ones.
if [ ! -f "$made/$chunks/.complete" ]; then
  say "making $chunks chunks (about $((chunks / 1300 + 20)) s)"
  rm -rf "${made:?}/$chunks"
  mkdir -p "$made"
  (cd "$checkout" && "$mcp_rag" --config-dir "$scratch" bench scale --chunks "$chunks" --seconds 1 --data-dir "$made") >"$scratch/make.log" 2>&1 ||
    { tail -n 5 "$scratch/make.log" >&2; die "the data could not be made"; }
  touch "$made/$chunks/.complete"
fi

chmod 711 "$scratch"
moto "$scratch"
age-keygen -o "$scratch/key" 2>/dev/null || die "age is needed: apt-get install age"
ARCHIVE_PATH=$(aws_for_postgres "$scratch"):$PATH
export ARCHIVE_PATH
cat >"$scratch/archive.env" <<ENV
BACKUP_BUCKET=backups
BACKUP_KEY_FILE='$scratch/key'
PATH='$ARCHIVE_PATH'
$(env | grep '^AWS_' | sed "s/^/export /; s/=\(.*\)/='\1'/")
ENV
give_to_postgres "$scratch/key" "$scratch/archive.env"
export BACKUP_BUCKET=backups BACKUP_KEY_FILE="$scratch/key" DATABASE_URL_FILE="$scratch/admin-url" PG_BIN="$pg_bin"

# The production of this rehearsal: its own copy of the data, archiving, in $scratch/pg.
mkdir -p "$scratch/pg" "$scratch/secrets"
say "production: PostgreSQL with $(du -sm "$made/$chunks/postgres/base" | cut -f 1) MB of data, archive_timeout ${archive_timeout}s"
cp -a "$(cd "$made/$chunks/postgres" && pwd -P)" "$scratch/pg/data"
rm -f "$scratch/pg/data/postmaster.pid"
cat >"$scratch/pg/data/postgresql.conf" <<CONF
shared_buffers = 512MB
max_wal_size = 2GB
maintenance_work_mem = 256MB
random_page_cost = 1.1
wal_level = replica
archive_mode = on
archive_timeout = $archive_timeout
archive_command = '$here/archive-wal.sh --env-file $scratch/archive.env push %p %f'
CONF
cp "$scratch/pg/data/postgresql.conf" "$scratch/kept.conf"
: >"$scratch/pg/data/postgresql.auto.conf"
printf 'local all all trust\nlocal replication all trust\n' >"$scratch/pg/data/pg_hba.conf"
give_to_postgres "$scratch/pg"
printf 'postgres://postgres@/mcp_rag?host=%s' "$scratch/pg" >"$scratch/admin-url"
printf 'postgres://mcp_rag_owner@/mcp_rag?host=%s' "$scratch/pg" >"$scratch/secrets/database__url"
client() { python3 "$here/lib/dr_client.py" "$@"; }
start_all() {
  cluster_start "$scratch/pg" 300
  use_cluster "$scratch/pg" mcp_rag
  # After a start the checkpointer sleeps for checkpoint_timeout before it looks at archive_timeout, unless it is woken.
  query CHECKPOINT
  # Without a cache: an answer kept from before this scenario's writes is not what the index they changed gives, here or restored.
  serve "$scratch/server" --set secrets_dir="$scratch/secrets" --set flags.cache=false
}
stop_server() {
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
}
writing() {
  # Not through the function: what is ended later must be the client itself.
  python3 "$here/lib/dr_client.py" write "$url" "$scratch/written" &
  writer=$!
  pids="$pids $writer"
}
stop_writing() {
  kill "$writer" 2>/dev/null || true
  wait "$writer" 2>/dev/null || true
}
# The machine is gone: no shutdown, no last segment, no disk.
destroy() {
  destroyed_pid=$(head -n 1 "$scratch/pg/data/postmaster.pid")
  children=$(ps -o pid= --ppid "$destroyed_pid")
  # shellcheck disable=SC2086 # a list of ids
  kill -9 "$destroyed_pid" $children 2>/dev/null || true
  rm -rf "${scratch:?}/pg/data"
  disaster=$(date +%s)
}
# shellcheck disable=SC2329
archived() { [ "$(query "SELECT last_archived_wal >= '$segment' FROM pg_stat_archiver" 2>/dev/null)" = t ]; }
switch_segment() {
  segment=$(query 'SELECT pg_walfile_name(pg_switch_wal())')
  until_true 120 archived || die "the segment $segment was not archived"
}
# shellcheck disable=SC2329
searched() { curl -sf -o /dev/null --max-time 5 -H 'content-type: application/json' -d '{"query":"backup","collections":["mcp-rag-bench"]}' "$url/v1/search"; }

say "first backup, verified by restoring it"
cluster_start "$scratch/pg" 300
use_cluster "$scratch/pg" mcp_rag
# In a managed cluster two logins share the work of this one.
query 'GRANT mcp_rag_app TO mcp_rag_owner'
cluster_stop "$scratch/pg"
start_all
backup_began=$(date +%s)
"$here/backup-database.sh" --kind physical >/dev/null
say "physical backup and its verification: $(($(date +%s) - backup_began)) s"

failed=0
rows=$scratch/rows
: >"$rows"
for scenario in $scenarios; do
  seconds=15
  [ "$scenario" != unswitched ] || seconds=$write_seconds
  # What the restore before left to archive is not this scenario's.
  switch_segment
  say "scenario $scenario: writes for $seconds s"
  : >"$scratch/written"
  set -- --kind physical --data-dir "$scratch/pg/data"
  writing
  sleep "$seconds"
  case $scenario in
    unswitched)
      client ask "$url" "$scratch/before"
      destroy
      ;;
    switched)
      stop_writing
      client ask "$url" "$scratch/before"
      switch_segment
      destroy
      ;;
    point-in-time)
      stop_writing
      client ask "$url" "$scratch/before"
      # A moment between two transactions, as a person would find it in the audit log.
      sleep 2
      moment=$(query 'SELECT clock_timestamp()')
      sleep 2
      curl -sf -o /dev/null -X DELETE "$url/v1/collections/drill"
      switch_segment
      destroy
      set -- "$@" --to-time "$moment"
      ;;
    dump)
      stop_writing
      client ask "$url" "$scratch/before"
      "$here/backup-database.sh" --kind logical --no-verify >/dev/null
      destroy
      cluster_new "$scratch/pg"
      cp "$scratch/kept.conf" "$scratch/pg/data/postgresql.conf"
      give_to_postgres "$scratch/pg"
      cluster_start "$scratch/pg" 60 archive_mode=off wal_level=minimal max_wal_senders=0
      use_cluster "$scratch/pg"
      query 'CREATE ROLE mcp_rag_owner LOGIN; CREATE ROLE mcp_rag_app LOGIN; GRANT mcp_rag_app TO mcp_rag_owner'
      query 'CREATE DATABASE mcp_rag OWNER mcp_rag_owner'
      PGDATABASE=mcp_rag query 'CREATE EXTENSION vector'
      set -- --database-url-file "$scratch/secrets/database__url"
      ;;
  esac
  stop_writing
  stop_server
  restored=0
  "$here/restore-database.sh" "$@" >"$scratch/restore.out" || restored=$?
  [ "$restored" = 0 ] || die "scenario $scenario: the restore failed"
  verified_at=$(date +%s)
  if [ "$scenario" = dump ]; then
    cluster_stop "$scratch/pg"
  else
    give_to_postgres "$scratch/pg"
  fi
  if [ "$scenario" = dump ]; then
    use_cluster "$scratch/pg" mcp_rag
  fi
  start_all
  until_true 120 searched || die "scenario $scenario: the server does not answer on the restored database"
  answered_at=$(date +%s)
  client ask "$url" "$scratch/after"
  same=$(grep -Fxcf "$scratch/before" "$scratch/after" || true)
  asked=$(wc -l <"$scratch/before" | tr -d ' ')
  client survivors "$url" "$scratch/written" >"$scratch/survivors"
  number() { sed -n "s/.*\"$1\": \([0-9.]*\|null\)[,}].*/\1/p" "$scratch/survivors"; }
  rto=$((answered_at - disaster)) rpo=$(number rpo_seconds)
  verdict=ok
  [ "$rto" -le "$max_rto" ] || verdict="RTO beyond $max_rto s"
  awk -v rpo="$rpo" -v most="$max_rpo" 'BEGIN { exit rpo == "null" || rpo == "" || rpo + 0 > most + 0 }' || verdict="RPO beyond $max_rpo s, or no write survived"
  [ "$(number holes)" = 0 ] || verdict="acknowledged writes are missing before one that is there"
  case $scenario in
    switched | point-in-time) [ "$(number lost)" = 0 ] || verdict="acknowledged writes were lost" ;;
  esac
  [ "$scenario" = dump ] || [ "$same" = "$asked" ] || verdict="$((asked - same)) of $asked searches differ"
  [ "$verdict" = ok ] || failed=1
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$scenario" "$rto" "$((verified_at - disaster))" "$((answered_at - verified_at))" \
    "$rpo" "$(number written)" "$(number lost)" "$same/$asked" "$verdict" >>"$rows"
done

if [ "$json" = 1 ]; then
  awk -F '\t' -v mb="$size_mb" -v timeout="$archive_timeout" 'BEGIN { printf "{\"size_mb\":%d,\"archive_timeout_seconds\":%d,\"scenarios\":[", mb, timeout }
    { printf "%s{\"scenario\":\"%s\",\"rto_seconds\":%s,\"restore_seconds\":%s,\"start_seconds\":%s,\"rpo_seconds\":%s,\"writes\":%s,\"lost\":%s,\"same_searches\":\"%s\",\"verdict\":\"%s\"}",
      (NR > 1 ? "," : ""), $1, $2, $3, $4, $5, $6, $7, $8, $9 } END { print "]}" }' "$rows"
else
  awk -F '\t' -v mb="$size_mb" 'BEGIN { printf "%d MB       %12s %12s %8s %10s %8s %6s %14s  %s\n", mb, "RTO", "restore", "start", "RPO", "writes", "lost", "same searches", "" }
    { printf "%-14s %8s s %10s s %6s s %8s s %8s %6s %14s  %s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9 }' "$rows"
fi
exit "$failed"
