#!/bin/sh
# Backs a database up to S3, encrypted, restores it into a server made for that, and only then says that there is a backup.
#
# usage: scripts/backup-database.sh [OPTIONS]
#
#   --kind logical        pg_dump of one database: rows; any PostgreSQL can take it, RDS included (the default)
#   --kind physical       pg_basebackup of a whole server, from which scripts/archive-wal.sh leads to any moment since. With
#                         --stanza by pgBackRest instead, into the repository of its own configuration
#   --database-url-file FILE  postgres://user:password@host:5432/database; the owner of the tables, or a superuser; for a physical
#                         backup a role with REPLICATION and pg_read_all_settings        (DATABASE_URL_FILE)
#   --bucket NAME         where to                                                       (BACKUP_BUCKET)
#   --prefix PATH         in it, mcp-rag by default                                      (BACKUP_PREFIX)
#   --key-file FILE       an age identity (age-keygen), or recipients alone: then this machine cannot read its own
#                         backups, and cannot verify them either (--no-verify)           (BACKUP_KEY_FILE)
#   --endpoint-url URL    another S3 than Amazon's                                       (AWS_ENDPOINT_URL)
#   --env-file FILE       lines NAME=value with any of these                             (BACKUP_ENV_FILE)
#   --keep-days DAYS      older ones go once this one counts, 30 by default; 0 keeps all (BACKUP_KEEP_DAYS)
#   --keep-at-least N     but never so many of the newest, 3 by default                  (BACKUP_KEEP_AT_LEAST)
#   --metrics-file FILE   written at the end for node-exporter's textfile collector:
#                         mcp_rag_backup_last_success_timestamp_seconds and others       (BACKUP_METRICS_FILE)
#   --stanza NAME         of pgBackRest, 2.57 or newer for PostgreSQL 18                 (PGBACKREST_STANZA)
#   --pg-bin FOLDER       PostgreSQL's programs, of the server's major version           (PG_BIN)
#   --checks FILE         SQL to verify with instead of scripts/lib/verify.sql: rows of name, ok or FAILED, detail
#   --no-verify           do not restore; the manifest says so
#   --dry-run             connect, and say what would be done
#   --help                this text
#
# What is verified: the object as it lies in the bucket is fetched, its SHA-256 compared, decrypted, restored, and the restored
# database has the same rows (for each table their number and a checksum over all, taken in the dump's own snapshot), valid
# indexes, an HNSW index that finds what an exact search finds, row-level security and roles (scripts/lib/verify.sql).
# AWS credentials come as for the AWS command line. The last line on standard output is the backup's name.
# Exit status: 0 made and verified, 1 not, 64 bad usage.
set -eu
umask 077

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/common.sh"
. "$here/lib/postgres.sh"
. "$here/lib/vault.sh"

kind=logical verify=1 pg_dir='' metrics_file='' keep_days='' keep_least='' stanza='' checks=$here/lib/verify.sql
while [ $# -gt 0 ]; do
  case $1 in
    --kind) kind=$(value_of "$@"); shift ;;
    --database-url-file) DATABASE_URL_FILE=$(value_of "$@"); shift ;;
    --bucket) BACKUP_BUCKET=$(value_of "$@"); shift ;;
    --prefix) BACKUP_PREFIX=$(value_of "$@"); shift ;;
    --key-file) BACKUP_KEY_FILE=$(value_of "$@"); shift ;;
    --endpoint-url) AWS_ENDPOINT_URL=$(value_of "$@"); export AWS_ENDPOINT_URL; shift ;;
    --env-file) BACKUP_ENV_FILE=$(value_of "$@"); shift ;;
    --keep-days) keep_days=$(value_of "$@"); shift ;;
    --keep-at-least) keep_least=$(value_of "$@"); shift ;;
    --metrics-file) metrics_file=$(value_of "$@"); shift ;;
    --stanza) stanza=$(value_of "$@"); shift ;;
    --checks) checks=$(value_of "$@"); shift ;;
    --pg-bin) pg_dir=$(value_of "$@"); shift ;;
    --no-verify) verify=0 ;;
    --dry-run) dry_run=1 ;;
    --help | -h) usage; exit 0 ;;
    *) bad_usage "unknown argument: $1" ;;
  esac
  shift
done
case $kind in logical | physical) ;; *) bad_usage "--kind is logical or physical" ;; esac

scratch
began=$(date +%s)
stanza=${stanza:-${PGBACKREST_STANZA:-}}
if [ "$kind" = physical ] && [ -n "$stanza" ]; then
  . "$here/lib/pgbackrest.sh"
  database=''
  metrics_file=${metrics_file:-${BACKUP_METRICS_FILE:-}}
  pgbackrest_backup
  exit
fi

vault_open "$kind"
metrics_file=${metrics_file:-${BACKUP_METRICS_FILE:-}}
keep_days=${keep_days:-${BACKUP_KEEP_DAYS:-30}} keep_least=${keep_least:-${BACKUP_KEEP_AT_LEAST:-3}}
case $keep_days$keep_least in *[!0-9]*) bad_usage "--keep-days and --keep-at-least take numbers" ;; esac
[ "$keep_least" -ge 1 ] || bad_usage "--keep-at-least: the newest backup always stays, so 1 or more"
[ -n "${DATABASE_URL_FILE:-}" ] || bad_usage "which database? --database-url-file FILE, or DATABASE_URL_FILE"
[ "$verify" = 0 ] || can_unseal || die "$key_file holds recipients alone, so this machine cannot verify: --no-verify, and verify elsewhere with restore-database.sh"
find_postgres "$pg_dir"
use_database "$DATABASE_URL_FILE"
source_host=$PGHOST source_database=$PGDATABASE
server=$(query 'SHOW server_version_num') || die "the database at $PGHOST cannot be reached with $DATABASE_URL_FILE"
mine=$("$pg_bin/pg_dump" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
[ "$mine" -ge $((server / 10000)) ] || die "$pg_bin is of PostgreSQL $mine, the server of $((server / 10000)): --pg-bin FOLDER with newer ones"

id=$(date -u +%Y%m%dT%H%M%SZ)
folder=$kind/$id
bytes_now=$(query 'SELECT pg_database_size(current_database())')
if [ "$dry_run" = 1 ]; then
  say "would back up $source_database at $source_host ($kind, $bytes_now bytes) to s3://$bucket/$prefix/$folder"
  [ "$verify" = 0 ] || say "would fetch it again, restore it into a server in ${TMPDIR:-/tmp} and compare"
  [ "$keep_days" = 0 ] || say "would remove $kind backups older than $keep_days days, but not the newest $keep_least"
  exit 0
fi

# In the folder of the set: one sealed file, and what it holds.
wal_start=''
if [ "$kind" = logical ]; then
  file=database.dump.age
  # One transaction: the dump and the contents are of the same snapshot. psql holds it while pg_dump works in it.
  dump() {
    piped "$pg_bin/pg_dump" --format=custom --compress=gzip:1 --no-password --lock-wait-timeout=60s --snapshot="$1" | seal >"$scratch/$file"
    whole
  }
  cat >"$scratch/dump.sql" <<'SQL'
SET idle_in_transaction_session_timeout = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \gset
\o :snapshot_file
SELECT :'snapshot';
\o
\! until [ -e "$BACKUP_SCRATCH/dumped" ]; do sleep 0.2; done
\i :contents
COMMIT;
SQL
  export BACKUP_SCRATCH="$scratch"
  say "dumping $source_database at $source_host ($bytes_now bytes)"
  psql_do -v contents="$here/lib/contents.sql" -v snapshot_file="$scratch/snapshot" -f "$scratch/dump.sql" >"$scratch/contents.json" &
  holder=$!
  cleanup=let_go
  let_go() { touch "$scratch/dumped"; wait "$holder" 2>/dev/null || true; }
  until_true 30 test -s "$scratch/snapshot" || die "the database gives no snapshot"
  dump "$(tr -d ' \n' <"$scratch/snapshot")" || die "pg_dump did not succeed: does $PGUSER own the tables?"
  touch "$scratch/dumped"
  wait "$holder" || die "what the dump holds cannot be told"
  cleanup=:
else
  file=base.tar.zst.age
  say "copying the server at $source_host"
  # The WAL that the copy needs is in it; all that follows comes from the archive.
  piped "$pg_bin/pg_basebackup" --pgdata=- --format=tar --wal-method=fetch --manifest-checksums=SHA256 --checkpoint=fast --no-password --verbose \
    --label="mcp-rag $id" 2>"$scratch/base.log" | piped zstd -q -1 -T0 -c | seal >"$scratch/$file"
  whole || { tail -n 3 "$scratch/base.log" >&2; die "pg_basebackup did not succeed: does $PGUSER have REPLICATION, and pg_hba.conf a line for it?"; }
  wal_start=$(sed -n 's/.*write-ahead log start point: \([0-9A-F]*\/[0-9A-F]*\) on timeline.*/\1/p' "$scratch/base.log")
  wal_start=$(query "SELECT pg_walfile_name('$wal_start'::pg_lsn)")
  echo '{}' >"$scratch/contents.json"
fi

cat >"$scratch/manifest.json" <<JSON
{
  "format": 1,
  "kind": "$kind",
  "name": "$id",
  "finished_at": "$(now)",
  "server_version": "$server",
  "database": "$source_database",
  "database_bytes": $bytes_now,
  "file": "$file",
  "bytes": $(wc -c <"$scratch/$file" | tr -d ' '),
  "sha256": "$(sha256_of "$scratch/$file")",
  "encryption": "age",
  "wal_start": "$wal_start",
  "verified": "$([ "$verify" = 1 ] && echo yes || echo no)",
  "contents": $(cat "$scratch/contents.json")
}
JSON
bytes=$(field bytes "$scratch/manifest.json")
say "storing s3://$bucket/$prefix/$folder ($bytes bytes)"
put_object "$scratch/$file" "$folder/$file" || die "the bucket does not take it"

if [ "$verify" = 1 ]; then
  say "verifying: fetched from the bucket, restored, compared"
  rm -f "$scratch/${file:?}"
  put_object "$scratch/manifest.json" "$folder/unverified.json" || die "the bucket does not take it"
  . "$here/lib/restore.sh"
  verify_set "$kind" "$folder" "$file" || die "the backup $id is not good: see above; it stays in the bucket without a manifest and does not count"
  aws s3 rm --only-show-errors "s3://$bucket/$prefix/$folder/unverified.json" || warn "unverified.json is left behind"
fi
# From here on it counts.
put_object "$scratch/manifest.json" "$folder/manifest.json" || die "the bucket does not take the manifest"

# Retention: by age, which the name tells; what is not complete goes once it is old, too.
if [ "$keep_days" != 0 ]; then
  limit=$(date -u -d "-$keep_days days" +%Y%m%dT%H%M%SZ 2>/dev/null || date -u -v "-${keep_days}d" +%Y%m%dT%H%M%SZ)
  sets "$kind" | sort -r | head -n "$keep_least" >"$scratch/newest"
  object_names "$kind" | cut -d / -f 1 | sort -u | awk -v limit="$limit" '$0 < limit' | grep -vxF -f "$scratch/newest" >"$scratch/old" || true
  while read -r old; do
    say "removing $kind/$old"
    aws s3 rm --only-show-errors --recursive "s3://$bucket/$prefix/$kind/$old/" || warn "$kind/$old could not be removed"
  done <"$scratch/old"
  if [ "$kind" = physical ] && [ -s "$scratch/old" ]; then
    # Segments before the oldest copy's start lead nowhere any more. Names sort by time within and across timelines from the ninth digit on.
    oldest=$(sets physical | head -n 1)
    get_object "physical/$oldest/manifest.json" "$scratch/oldest.json" || die "the manifest of $oldest cannot be read"
    first=$(field wal_start "$scratch/oldest.json" | cut -c 9-)
    object_names wal | awk -v first="$first" 'length($0) >= 24 && substr($0, 9, 16) < first' | while read -r segment; do
      aws s3 rm --only-show-errors "s3://$bucket/$prefix/wal/$segment" || warn "$segment could not be removed"
    done
  fi
fi

took=$(($(date +%s) - began))
[ -z "$metrics_file" ] || write_metrics "$kind" "$bytes" "$took" || die "$metrics_file cannot be written"
say "$kind backup $id: $bytes bytes in $took s, $([ "$verify" = 1 ] && echo verified || echo 'not verified')"
echo "$id"
