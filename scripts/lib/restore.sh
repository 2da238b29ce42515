# shellcheck shell=sh disable=SC2154,SC2034 # $scratch is common.sh's, $here the script's own; cleanup is for common.sh
# Restoring a set into a server, and looking whether it is whole. To be sourced after the others.

# Nothing of a server for one look must survive a power cut.
hasty='fsync=off synchronous_commit=off full_page_writes=off max_wal_size=16GB maintenance_work_mem=512MB autovacuum=off max_wal_senders=0 wal_level=minimal archive_mode=off'

# load_dump FILE DATABASE: a sealed dump into an empty database of the current libpq environment.
load_dump() {
  # The dump names this role in its grants; a server that never ran mcp-rag lacks it.
  query "DO \$\$ BEGIN CREATE ROLE mcp_rag_app NOLOGIN; EXCEPTION WHEN duplicate_object OR insufficient_privilege THEN NULL; END \$\$;
         DO \$\$ BEGIN IF NOT pg_has_role('mcp_rag_app', 'MEMBER') THEN EXECUTE format('GRANT mcp_rag_app TO %I', current_user); END IF;
         EXCEPTION WHEN insufficient_privilege THEN RAISE EXCEPTION 'the role mcp_rag_app is missing, or % is no member of it; as an administrator: CREATE ROLE mcp_rag_app NOLOGIN; GRANT mcp_rag_app TO %', current_user, current_user; END \$\$" || return 1
  piped unseal <"$1" | "$pg_bin/pg_restore" --no-owner --no-comments --no-password --exit-on-error --dbname="$2" >"$scratch/restore.log" 2>&1 || {
    tail -n 5 "$scratch/restore.log" >&2
    return 1
  }
  whole
}

# same_contents FILE: whether the database holds what the manifest says, row for row.
same_contents() {
  psql_do -f "$here/lib/contents.sql" >"$scratch/found.json" || return 1
  sed -n 's/^  "contents": //p' "$1" >"$scratch/wanted.json"
  if cmp -s "$scratch/wanted.json" "$scratch/found.json"; then
    say "every table has the rows of the backup, by number and checksum"
  else
    warn "the restored rows are not those that were backed up:"
    for contents_file in wanted found; do
      tr '}' '\n' <"$scratch/$contents_file.json" | sed 's/^[,{ ]*//' | sort >"$scratch/$contents_file.lines"
    done
    diff "$scratch/wanted.lines" "$scratch/found.lines" | head -n 10 >&2
    return 1
  fi
}

# whole_database: verify.sql, or --checks, says so.
whole_database() { psql_do -F "$(printf '\t')" -f "$checks" | judge; }

# unpack_base FILE FOLDER: a sealed copy becomes FOLDER/data, each file as the manifest of pg_basebackup says.
unpack_base() {
  mkdir -p "$2/data"
  chmod 700 "$2/data"
  piped unseal <"$1" | piped zstd -q -d -c | tar -x -C "$2/data" -f - || return 1
  whole || return 1
  # Each file as PostgreSQL wrote it down. Not by pg_verifybackup, which some builds lack or cannot run.
  sed -n 's/^{ "Path": "\([^"]*\)", .*"Checksum-Algorithm": "SHA256", "Checksum": "\([0-9a-f]*\)" }.*/\2  \1/p' \
    "$2/data/backup_manifest" >"$scratch/sums"
  [ "$(wc -l <"$scratch/sums")" -gt 500 ] || { warn "the copy's manifest names too few files"; return 1; }
  (cd "$2/data" && sha256sum --check --quiet "$scratch/sums") >&2 || { warn "files of the copy are not as they were written"; return 1; }
  give_to_postgres "$2/data"
}

# recover FOLDER SECONDS [NAME=VALUE...]: starts FOLDER/data on the archive and waits until it is a server of its own.
recover() {
  recover_folder=$1 recover_seconds=$2
  shift 2
  for recover_setting in "restore_command='$restore_command'" "recovery_target_action='promote'" "$@"; do
    printf '%s\n' "$recover_setting"
  done >>"$recover_folder/data/postgresql.auto.conf"
  : >"$recover_folder/data/recovery.signal"
  give_to_postgres "$recover_folder/data/postgresql.auto.conf" "$recover_folder/data/recovery.signal"
  # What there is to archive waits until this server is started as the one that goes on; its new timeline is among that.
  cluster_start "$recover_folder" "$recover_seconds" archive_command= ssl=off
  use_cluster "$recover_folder"
  until_true "$recover_seconds" promoted || {
    tail -n 15 "$recover_folder/log" >&2
    return 1
  }
}
promoted() { [ "$(query 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ]; }

# verify_set KIND FOLDER FILE: in a server for that one look.
verify_set() {
  get_object "$2/$3" "$scratch/$3" || return 1
  [ "$(sha256_of "$scratch/$3")" = "$(field sha256 "$scratch/manifest.json")" ] || { warn "the object in the bucket is not what was sent"; return 1; }
  verify_folder=$scratch/look
  cleanup=stop_look
  if [ "$1" = logical ]; then
    cluster_new "$verify_folder"
    # shellcheck disable=SC2086 # a list of settings
    cluster_start "$verify_folder" 60 $hasty
    use_cluster "$verify_folder"
    query 'CREATE DATABASE restored TEMPLATE template0' || return 1
    export PGDATABASE=restored
    load_dump "$scratch/$3" restored && same_contents "$scratch/manifest.json" && whole_database || return 1
  else
    mkdir -p "$verify_folder"
    chmod 711 "$scratch" "$verify_folder"
    give_to_postgres "$verify_folder"
    unpack_base "$scratch/$3" "$verify_folder" || return 1
    # The copy alone, to the first moment at which it is consistent: its own WAL is in it.
    restore_command=false
    recover "$verify_folder" 600 "recovery_target='immediate'" fsync=off || return 1
    export PGDATABASE="$source_database"
    whole_database || return 1
  fi
  stop_look
  cleanup=:
}
stop_look() {
  cluster_stop "$verify_folder" immediate
  rm -rf "$verify_folder"
}
