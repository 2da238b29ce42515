# shellcheck shell=sh disable=SC2154 # $scratch is common.sh's
# Backups in S3: encrypted here, before they leave, so that who can read the bucket cannot read them. To be sourced after
# common.sh. A set is a folder <prefix>/<kind>/<time>/; its manifest.json is written last, and without it the set does not count.

# vault_open KIND: what every script that uses the bucket takes, from the environment. A file of NAME=value lines
# (BACKUP_ENV_FILE) may hold it, for who is started with an environment that is not ours, as PostgreSQL's archive_command is.
vault_open() {
  if [ -n "${BACKUP_ENV_FILE:-}" ]; then
    [ -r "$BACKUP_ENV_FILE" ] || die "cannot read $BACKUP_ENV_FILE"
    set -a
    # shellcheck disable=SC1090 # given at run time
    . "$BACKUP_ENV_FILE"
    set +a
  fi
  bucket=${BACKUP_BUCKET:-} prefix=${BACKUP_PREFIX:-mcp-rag} key_file=${BACKUP_KEY_FILE:-}
  bucket=${bucket#s3://}
  bucket=${bucket%/}
  [ -n "$bucket" ] || bad_usage "which bucket? --bucket NAME, or BACKUP_BUCKET"
  [ -n "$key_file" ] || bad_usage "which key? --key-file FILE, or BACKUP_KEY_FILE"
  secret_file "$key_file" "the backup key"
  export AWS_PAGER='' AWS_EC2_METADATA_DISABLED="${AWS_EC2_METADATA_DISABLED:-false}"
  need aws "the AWS command line (PyPI awscli, or Amazon's aws-cli)"
  need age "apt-get install age"
  [ "${1:-logical}" = logical ] || need zstd "apt-get install zstd"
}

# Whether the key file can open what it seals: an identity can, recipients cannot.
can_unseal() { grep -q '^AGE-SECRET-KEY-1' "$key_file"; }

# seal <plain >sealed: age authenticates what it encrypts, so that a damaged or shortened file is refused.
seal() {
  if can_unseal; then age --encrypt --identity "$key_file"; else age --encrypt --recipients-file "$key_file"; fi
}
unseal() { age --decrypt --identity "$key_file"; }

put_object() { aws s3 cp --only-show-errors "$1" "s3://$bucket/$prefix/$2"; }
get_object() { aws s3 cp --only-show-errors "s3://$bucket/$prefix/$1" "$2"; }
# object_names FOLDER: names of what is in it, one a line.
object_names() {
  aws s3api list-objects-v2 --bucket "$bucket" --prefix "$prefix/$1/" --query 'Contents[].Key' --output text |
    tr '\t' '\n' | sed -n "s|^$prefix/$1/||p"
}
# sets KIND: the complete ones, oldest first.
sets() { object_names "$1" | sed -n 's|^\([^/]*\)/manifest\.json$|\1|p' | sort; }

# field NAME FILE: a string or a number of a manifest, which we wrote ourselves, one field a line.
field() { sed -n "s/^  \"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$2"; }

# fetch_set KIND ID FILE: the manifest and the sealed file, whose checksum must be right.
fetch_set() {
  get_object "$1/$2/manifest.json" "$scratch/manifest.json" || die "there is no complete $1 backup $2 in s3://$bucket/$prefix"
  get_object "$1/$2/$3" "$scratch/$3" || die "the $1 backup $2 lacks $3"
  fetched=$(sha256_of "$scratch/$3")
  [ "$fetched" = "$(field sha256 "$scratch/manifest.json")" ] ||
    die "$1/$2/$3 is damaged: its SHA-256 is $fetched, the manifest says $(field sha256 "$scratch/manifest.json"); use another backup"
}

# outcome COMMAND < lines of verify.sql: prints them, and fails when one is not ok.
judge() {
  tee "$scratch/verdicts" | awk -F '\t' '{ printf "  %-6s %s%s\n", $2, $1, ($3 == "" ? "" : ": " $3) }' >&2
  grep -q . "$scratch/verdicts" && ! grep -qv "$(printf '\tok\t')" "$scratch/verdicts"
}

# write_metrics KIND BYTES SECONDS: for node-exporter, whole or not at all.
write_metrics() {
  cat >"$metrics_file.$$" <<METRICS
# HELP mcp_rag_backup_last_success_timestamp_seconds When a backup was last made and verified, in Unix time.
# TYPE mcp_rag_backup_last_success_timestamp_seconds gauge
mcp_rag_backup_last_success_timestamp_seconds{kind="$1"} $(date +%s)
# HELP mcp_rag_backup_last_size_bytes Its size, encrypted.
# TYPE mcp_rag_backup_last_size_bytes gauge
mcp_rag_backup_last_size_bytes{kind="$1"} $2
# HELP mcp_rag_backup_last_duration_seconds How long it took, the restore that verified it included.
# TYPE mcp_rag_backup_last_duration_seconds gauge
mcp_rag_backup_last_duration_seconds{kind="$1"} $3
METRICS
  chmod 644 "$metrics_file.$$" && mv "$metrics_file.$$" "$metrics_file"
}
