# shellcheck shell=sh disable=SC2154,SC2034 # the variables are the calling script's
# The physical path where pgBackRest is set up: it copies, archives, encrypts and expires by its own configuration
# (PGBACKREST_CONFIG, or /etc/pgbackrest/pgbackrest.conf); what comes back is judged as everywhere. To be sourced.

backrest() { as_postgres env ${PGBACKREST_CONFIG:+PGBACKREST_CONFIG="$PGBACKREST_CONFIG"} pgbackrest --stanza="$stanza" --log-level-console=warn "$@"; }

backrest_open() {
  need pgbackrest "apt-get install pgbackrest (2.57 or newer for PostgreSQL 18)"
  find_postgres "$pg_dir"
  source_database=${database:-mcp_rag}
  if [ -n "${DATABASE_URL_FILE:-}" ]; then
    source_database=$(use_database "$DATABASE_URL_FILE" && echo "$PGDATABASE")
  fi
  backrest info --output=json >"$scratch/info.json" || die "pgBackRest does not know its stanza $stanza: see above"
  # Which nobody should find out when the bucket was read by somebody else.
  ! grep -q '"cipher":"none"' "$scratch/info.json" || die "the repository of the stanza $stanza is not encrypted: set repo1-cipher-type=aes-256-cbc and repo1-cipher-pass, and stanza-create anew"
}

pgbackrest_backup() {
  backrest_open
  if [ "$dry_run" = 1 ]; then
    say "would back up the stanza $stanza by pgBackRest and restore it into a server in a temporary folder"
    return
  fi
  backrest check || die "WAL does not reach the repository: see above"
  say "pgBackRest copies the stanza $stanza"
  backrest backup || die "pgBackRest did not succeed: see above"
  if [ "$verify" = 1 ]; then
    . "$here/lib/restore.sh"
    verify_folder=$scratch/look
    cleanup=stop_look
    mkdir -p "$verify_folder/data"
    chmod 711 "$scratch"
    chmod 700 "$verify_folder/data"
    give_to_postgres "$verify_folder"
    backrest_fetch "$verify_folder" --type=immediate --target-action=promote
    backrest_start "$verify_folder" archive_mode=off
    whole_database || die "what was restored is not whole: see above"
    stop_look
    cleanup=:
  fi
  backrest info --output=json >"$scratch/info.json"
  bytes=$(tr ',{' '\n' <"$scratch/info.json" | sed -n 's/^"delta":\([0-9]*\).*/\1/p' | tail -n 1)
  [ -z "$metrics_file" ] || write_metrics physical "${bytes:-0}" "$(($(date +%s) - began))" || die "$metrics_file cannot be written"
  say "physical backup by pgBackRest, $([ "$verify" = 1 ] && echo verified || echo 'not verified')"
  tr ',{' '\n' <"$scratch/info.json" | sed -n 's/^"label":"\([^"]*\)".*/\1/p' | tail -n 1
}

# backrest_fetch FOLDER OPTION...: into FOLDER/data.
backrest_fetch() {
  backrest_folder=$1
  shift
  backrest --pg1-path="$backrest_folder/data" "$@" restore || die "pgBackRest does not restore: see above"
}
backrest_start() {
  backrest_folder=$1
  shift
  cluster_start "$backrest_folder" 3000 ssl=off "$@"
  use_cluster "$backrest_folder"
  until_true 3000 promoted || die "the recovery did not end: $(tail -n 3 "$backrest_folder/log")"
  export PGDATABASE="$source_database"
}

pgbackrest_restore() {
  backrest_open
  if [ "$dry_run" = 1 ]; then
    say "would restore the stanza $stanza into ${data_dir:-a temporary folder}${to_time:+ as of $to_time}, and verify $source_database"
    return
  fi
  mkdir -p "$scratch/server"
  chmod 711 "$scratch"
  if [ "$verify_only" = 1 ]; then data_dir=$scratch/server/data; else ln -s "$data_dir" "$scratch/server/data"; fi
  mkdir -p "$data_dir"
  chmod 700 "$data_dir"
  give_to_postgres "$scratch/server" "$data_dir"
  if [ -n "$to_time" ]; then
    backrest_fetch "$scratch/server" --type=time --target="$to_time" --target-action=promote ${from:+--set="$from"}
  else
    backrest_fetch "$scratch/server" ${from:+--set="$from"}
  fi
  cleanup=stop_new
  backrest_start "$scratch/server" archive_command=
  whole_database || die "what was restored is not whole: see above; $data_dir is left for a look"
  stop_new
  cleanup=:
  say "restored and verified; start it with its own settings on $data_dir"
}
