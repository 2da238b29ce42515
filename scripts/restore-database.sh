#!/bin/sh
# Restores a backup of scripts/backup-database.sh, and says whether what came back is whole.
#
# usage: scripts/restore-database.sh [OPTIONS]
#        scripts/restore-database.sh --list [OPTIONS]
#
#   --kind logical        a dump, into the database of --database-url-file (the default). It must be empty
#                         whoever logs in will own the tables: the servers' login, or its owner. Where that login may not
#                         make the extension vector, an administrator makes it in the empty database before
#   --replace NAME        the database NAME of that URL is in use: restore beside it, verify, and only then let the two change
#                         names. The old one stays as NAME_before_<time>. Refused while anybody is connected to it
#   --kind physical       a copy of a server and its archived WAL, into --data-dir; with --stanza by pgBackRest
#   --data-dir FOLDER     of the new server: must not exist, or be empty
#   --to-time TIME        stop just before this moment: '2026-11-27 18:05:00+00'; by default everything archived is replayed
#   --from NAME           which backup, by default the newest, for --to-time the newest that was finished by then
#   --list                the complete backups, with their times and sizes
#   --verify-only         restore into a server in a temporary folder, look, and throw it away; touches no database
#   --checks FILE         SQL to run instead of scripts/lib/verify.sql: rows of name, ok or FAILED, detail
#   --database NAME       the one to verify after a physical restore, by default the manifest's
#   --database-url-file FILE, --bucket, --prefix, --key-file, --endpoint-url, --env-file, --stanza, --pg-bin
#                         as for backup-database.sh, from the same variables; the key file must be an identity
#   ARCHIVE_PATH          in the environment: the PATH of restore_command, where PostgreSQL's account needs another one
#   --dry-run             say what would be restored, where to
#   --help                this text
#
# A running server's data directory and a database that holds anything are never written to. Afterwards scripts/lib/verify.sql
# looks at rows, indexes (HNSW included, beside an exact search), row-level security and roles, and a logical restore is
# compared with the backup row for row. After a physical restore the new server is stopped: start it as you start the old one.
# Restart mcp-rag's servers on the restored database, so that nothing cached from before is served.
# Exit status: 0 restored and verified, 1 not, 64 bad usage.
set -eu
umask 077

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/common.sh"
. "$here/lib/postgres.sh"
. "$here/lib/vault.sh"
. "$here/lib/restore.sh"

kind=logical from='' to_time='' data_dir='' replace='' list=0 verify_only=0 pg_dir='' stanza=${PGBACKREST_STANZA:-} database='' checks=$here/lib/verify.sql
while [ $# -gt 0 ]; do
  case $1 in
    --kind) kind=$(value_of "$@"); shift ;;
    --from) from=$(value_of "$@"); shift ;;
    --to-time) to_time=$(value_of "$@"); shift ;;
    --data-dir) data_dir=$(value_of "$@"); shift ;;
    --replace) replace=$(value_of "$@"); shift ;;
    --checks) checks=$(value_of "$@"); shift ;;
    --database) database=$(value_of "$@"); shift ;;
    --database-url-file) DATABASE_URL_FILE=$(value_of "$@"); shift ;;
    --bucket) BACKUP_BUCKET=$(value_of "$@"); shift ;;
    --prefix) BACKUP_PREFIX=$(value_of "$@"); shift ;;
    --key-file) BACKUP_KEY_FILE=$(value_of "$@"); shift ;;
    --endpoint-url) AWS_ENDPOINT_URL=$(value_of "$@"); export AWS_ENDPOINT_URL; shift ;;
    --env-file) BACKUP_ENV_FILE=$(value_of "$@"); shift ;;
    --stanza) stanza=$(value_of "$@"); shift ;;
    --pg-bin) pg_dir=$(value_of "$@"); shift ;;
    --list) list=1 ;;
    --verify-only) verify_only=1 ;;
    --dry-run) dry_run=1 ;;
    --help | -h) usage; exit 0 ;;
    *) bad_usage "unknown argument: $1" ;;
  esac
  shift
done
case $kind in logical | physical) ;; *) bad_usage "--kind is logical or physical" ;; esac
[ -z "$to_time" ] || [ "$kind" = physical ] || bad_usage "--to-time needs --kind physical: a dump is of one moment"
[ -z "$to_time" ] || to_time_utc=$(date -u -d "$to_time" +%Y%m%dT%H%M%SZ 2>/dev/null) || bad_usage "--to-time: '$to_time' is no time; give one as 2026-11-27 18:05:00+00"

stop_new() { cluster_stop "$scratch/server"; }
scratch
find_postgres "$pg_dir"
# Where a physical restore goes: nothing that is there is ever written over.
if [ "$kind" = physical ] && [ "$list$verify_only" = 00 ]; then
  [ -n "$data_dir" ] || bad_usage "where to? --data-dir FOLDER"
  case $data_dir in /*) ;; *) data_dir=$PWD/$data_dir ;; esac
  [ ! -e "$data_dir/postmaster.pid" ] || die "$data_dir is the data directory of a running server (postmaster.pid): stop it, and give another folder"
  [ -z "$(ls -A "$data_dir" 2>/dev/null)" ] || die "$data_dir is not empty: give a folder that does not exist yet, or move this one away"
fi
if [ "$kind" = physical ] && [ -n "$stanza" ]; then
  . "$here/lib/pgbackrest.sh"
  pgbackrest_restore
  exit
fi

vault_open "$kind"
can_unseal || die "$key_file holds no age identity (AGE-SECRET-KEY-1…), so nothing can be decrypted with it"
if [ "$list" = 1 ]; then
  for set in $(sets "$kind"); do
    get_object "$kind/$set/manifest.json" "$scratch/manifest.json"
    printf '%s  %s  %12s bytes  verified: %s  database: %s\n' "$set" "$(field finished_at "$scratch/manifest.json")" \
      "$(field bytes "$scratch/manifest.json")" "$(field verified "$scratch/manifest.json")" "$(field database "$scratch/manifest.json")"
  done
  exit 0
fi
if [ -z "$from" ]; then
  # A copy can only be rolled forward: it must have been finished by then.
  for set in $(sets "$kind"); do
    if [ -n "$to_time" ]; then
      get_object "$kind/$set/manifest.json" "$scratch/manifest.json"
      finished=$(field finished_at "$scratch/manifest.json" | tr -d ':-')
      [ "$(printf '%s\n%s\n' "$finished" "$to_time_utc" | sort | head -n 1)" = "$finished" ] || continue
    fi
    from=$set
  done
  [ -n "$from" ] || die "there is no complete $kind backup in s3://$bucket/$prefix${to_time:+ that was finished by $to_time}"
fi
if [ "$kind" = logical ]; then file=database.dump.age; else file=base.tar.zst.age; fi
fetch_set "$kind" "$from" "$file"
source_database=${database:-$(field database "$scratch/manifest.json")}
say "$kind backup $from, finished $(field finished_at "$scratch/manifest.json"), $(field bytes "$scratch/manifest.json") bytes, SHA-256 as in the manifest"

if [ "$verify_only" = 1 ]; then
  verify_set "$kind" "$kind/$from" "$file" || die "the backup $from is not good"
  say "the backup $from is good"
  exit 0
fi

if [ "$kind" = logical ]; then
  [ -n "${DATABASE_URL_FILE:-}" ] || bad_usage "into which database? --database-url-file FILE, or DATABASE_URL_FILE"
  use_database "$DATABASE_URL_FILE"
  held=$(query "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace") ||
    die "the database $PGDATABASE at $PGHOST cannot be reached"
  target=$PGDATABASE
  if [ -n "$replace" ]; then
    [ "$replace" = "$PGDATABASE" ] || die "--replace $replace: the database of $DATABASE_URL_FILE is $PGDATABASE; name that one to have it replaced"
    others=$(query "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()")
    [ "$others" = 0 ] || die "$others sessions are connected to $replace: stop the servers that use it first"
    stamp=$(date -u +%Y%m%d%H%M%S)
    target=${replace}_restored_$stamp
  elif [ "$held" != 0 ]; then
    die "the database $PGDATABASE at $PGHOST holds $held tables: give an empty one, or --replace $PGDATABASE"
  fi
  if [ "$dry_run" = 1 ]; then
    say "would restore into the database $target at $PGHOST and verify it"
    [ -z "$replace" ] || say "would then rename $replace to ${replace}_before_$stamp, and $target to $replace"
    exit 0
  fi
  say "restoring into the database $target at $PGHOST"
  [ -z "$replace" ] || query "CREATE DATABASE \"$target\" TEMPLATE template0"
  export PGDATABASE="$target"
  load_dump "$scratch/$file" "$target" || die "pg_restore did not succeed; nothing else was touched"
  query 'ANALYZE'
  { same_contents "$scratch/manifest.json" && whole_database; } || die "what was restored into $target is not whole: see above"
  if [ -n "$replace" ]; then
    # Both renames or none, and none while somebody is connected.
    export PGDATABASE=postgres
    psql_do -c "BEGIN; ALTER DATABASE \"$replace\" RENAME TO \"${replace}_before_$stamp\"; ALTER DATABASE \"$target\" RENAME TO \"$replace\"; COMMIT" ||
      die "$target is whole, but could not take the name $replace: somebody is connected"
    say "the database before is ${replace}_before_$stamp: drop it once nobody misses it"
  fi
  say "restored and verified"
  exit 0
fi

if [ "$dry_run" = 1 ]; then
  say "would restore into $data_dir, replay the archive ${to_time:+until $to_time}${to_time:-to its end}, verify $source_database and stop"
  exit 0
fi
say "restoring into $data_dir"
mkdir -p "$data_dir"
chmod 700 "$data_dir"
# The server works in a folder of the script's own, through a link: its socket is nobody else's.
mkdir -p "$scratch/server"
chmod 711 "$scratch" "$scratch/server"
ln -s "$data_dir" "$scratch/server/data"
give_to_postgres "$scratch/server"
unpack_base "$scratch/$file" "$scratch/server" || die "the copy is damaged: use another backup"
give_to_postgres "$data_dir"
rm -f "$scratch/${file:?}"
# The archive is read with the key and the credentials of this moment, by the account PostgreSQL runs as.
{
  printf "BACKUP_BUCKET='%s'\nBACKUP_PREFIX='%s'\nBACKUP_KEY_FILE='%s'\nBACKUP_WAL_SPOOL='%s'\n" "$bucket" "$prefix" "$scratch/key" "$scratch/spool"
  env | grep '^AWS_' | sed "s/'/'\\\\''/g; s/=\(.*\)/='\1'/; s/^/export /"
  printf "PATH='%s'\n" "${ARCHIVE_PATH:-$PATH}"
} >"$scratch/archive.env"
cp "$key_file" "$scratch/key"
mkdir "$scratch/spool"
give_to_postgres "$scratch/archive.env" "$scratch/key" "$scratch/spool"
restore_command="$here/archive-wal.sh --env-file $scratch/archive.env get %f \"%p\""
cleanup=stop_new
say "replaying the archive ${to_time:+until $to_time}"
if [ -n "$to_time" ]; then
  recover "$scratch/server" 3000 "recovery_target_time='$to_time'" "recovery_target_inclusive='off'" || die "the recovery did not end: see above"
else
  recover "$scratch/server" 3000 || die "the recovery did not end: see above"
fi
last=$(query "SELECT coalesce(pg_last_xact_replay_timestamp()::text, 'none')")
export PGDATABASE="$source_database"
whole_database || die "what was restored is not whole: see above; $data_dir is left for a look"
stop_new
cleanup=:
# What was for this recovery alone.
sed '/^restore_command=/d; /^recovery_target/d' "$data_dir/postgresql.auto.conf" >"$scratch/auto.conf"
cat "$scratch/auto.conf" >"$data_dir/postgresql.auto.conf"
say "restored and verified; the last transaction replayed is of $last; start it with its own settings on $data_dir"
echo "$last"
