#!/bin/sh
# Keeps PostgreSQL's write-ahead log in S3, encrypted, for a restore to any moment: its archive_command and restore_command.
#
# usage: scripts/archive-wal.sh --env-file FILE push PATH NAME      archive_command = '… push %p %f'
#        scripts/archive-wal.sh --env-file FILE get NAME PATH       restore_command = '… get %f "%p"'
#
#   --env-file FILE   lines NAME=value: BACKUP_BUCKET, BACKUP_KEY_FILE, BACKUP_PREFIX (mcp-rag), and what the AWS command line
#                     wants, as AWS_ENDPOINT_URL or AWS_SHARED_CREDENTIALS_FILE (BACKUP_ENV_FILE); for `get` also
#                     BACKUP_WAL_SPOOL, a folder into which the next segments are fetched with the one that is asked for
#   --dry-run         say what would be stored or fetched
#   --help            this text
#
# `push` succeeds only when the segment is in the bucket, whole; it never replaces one of the same name with other content,
# and a repeated push of the same segment is a success, as PostgreSQL asks of an archive_command. `get` fails with status 1
# for a name that is not there, which to PostgreSQL is the end of the archive.
# With archive_timeout = 60 no more than about a minute of writes is lost with the disk.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/common.sh"
. "$here/lib/vault.sh"

while [ $# -gt 0 ]; do
  case $1 in
    --env-file) BACKUP_ENV_FILE=$(value_of "$@"); shift ;;
    --dry-run) dry_run=1 ;;
    --help | -h) usage; exit 0 ;;
    -*) bad_usage "unknown option: $1" ;;
    *) break ;;
  esac
  shift
done
[ $# = 3 ] || bad_usage "push PATH NAME, or get NAME PATH"
vault_open wal
scratch

push() {
  key=$prefix/wal/$2.zst.age
  piped zstd -q -1 -c "$1" | seal >"$scratch/segment"
  whole || die "$2 is not stored"
  if aws s3api put-object --bucket "$bucket" --key "$key" --body "$scratch/segment" --if-none-match '*' \
    >/dev/null 2>"$scratch/error"; then
    return
  fi
  grep -q 'PreconditionFailed\|At least one of the pre-conditions' "$scratch/error" || die "$2 is not stored: $(tail -n 1 "$scratch/error")"
  # There already: from an attempt whose success PostgreSQL did not learn of, or another server's.
  get_object "wal/$2.zst.age" "$scratch/there" || die "$2 is in the archive already and cannot be compared"
  if ! piped unseal <"$scratch/there" | piped zstd -q -d -c | cmp -s - "$1" || ! whole; then
    die "the archive holds another segment $2: two servers write to s3://$bucket/$prefix/wal; give this one its own BACKUP_PREFIX"
  fi
}
# ahead NAME: that segment and the fifteen behind it, in one go, into BACKUP_WAL_SPOOL: starting the AWS command line takes longer
# than fetching one, and after a day there are thousands.
ahead() {
  set -- "$1" "$(printf '%s' "$1" | cut -c 1-8)" "$((0x$(printf '%s' "$1" | cut -c 9-16)))" "$((0x$(printf '%s' "$1" | cut -c 17-24)))"
  wanted=''
  for step in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    wanted="$wanted --include $(printf '%s%08X%08X' "$2" $(($3 + ($4 + step) / 256)) $((($4 + step) % 256))).zst.age"
  done
  # shellcheck disable=SC2086 # a list of options
  aws s3 cp --only-show-errors --recursive "s3://$bucket/$prefix/wal/" "$BACKUP_WAL_SPOOL/" --exclude '*' $wanted 2>"$scratch/error"
}
fetch() {
  if [ -n "${BACKUP_WAL_SPOOL:-}" ] && [ ${#1} = 24 ]; then
    [ -e "$BACKUP_WAL_SPOOL/$1.zst.age" ] || ahead "$1" || return 1
    mv "$BACKUP_WAL_SPOOL/$1.zst.age" "$scratch/segment" 2>/dev/null || { echo NoSuchKey >"$scratch/error"; return 1; }
  else
    get_object "wal/$1.zst.age" "$scratch/segment" 2>"$scratch/error"
  fi
}
get() {
  fetch "$1" || {
    # Only the archive's end may look like it: else a restore would stop early and say nothing.
    grep -q '404\|NoSuchKey\|Not Found' "$scratch/error" && exit 1
    warn "$1 cannot be fetched: $(tail -n 1 "$scratch/error")"
    exit 200
  }
  # Under its name only once it is whole.
  { piped unseal <"$scratch/segment" | zstd -q -d -c >"$2.part" && whole; } || { warn "$1 is damaged in the archive"; exit 200; }
  mv "$2.part" "$2"
}

case $1 in
  push) if [ "$dry_run" = 1 ]; then say "would store $2 as s3://$bucket/$prefix/wal/$3.zst.age"; else push "$2" "$3"; fi ;;
  get) if [ "$dry_run" = 1 ]; then say "would fetch s3://$bucket/$prefix/wal/$2.zst.age to $3"; else get "$2" "$3"; fi ;;
  *) bad_usage "push or get, not $1" ;;
esac
