# The physical path by pgBackRest, with what Debian has: its pgBackRest knows PostgreSQL 15, for which there is no pgvector here, so
# that a table stands for mcp-rag's and a check of its own for verify.sql.

setup_file() {
  export checkout=${MCP_RAG_CHECKOUT:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}
  export pg_bin=/usr/lib/postgresql/15/bin
  [ -x "$pg_bin/postgres" ] && command -v pgbackrest >/dev/null || return 0
  export scratch="$BATS_FILE_TMPDIR" here="$checkout/scripts"
  chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_FILE_TMPDIR"
  . "$checkout/scripts/lib/common.sh"
  . "$checkout/scripts/lib/postgres.sh"
  cluster_new "$BATS_FILE_TMPDIR/pg"
  mkdir "$BATS_FILE_TMPDIR/repo" "$BATS_FILE_TMPDIR/lock" "$BATS_FILE_TMPDIR/log" "$BATS_FILE_TMPDIR/tmp"
  give_to_postgres "$BATS_FILE_TMPDIR/repo" "$BATS_FILE_TMPDIR/lock" "$BATS_FILE_TMPDIR/log"
  chmod 711 "$BATS_FILE_TMPDIR/tmp"
  cat >"$BATS_FILE_TMPDIR/pgbackrest.conf" <<CONF
[global]
repo1-path=$BATS_FILE_TMPDIR/repo
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=only-for-this-test
repo1-retention-full=2
lock-path=$BATS_FILE_TMPDIR/lock
log-path=$BATS_FILE_TMPDIR/log
start-fast=y
[main]
pg1-path=$BATS_FILE_TMPDIR/pg/data
pg1-socket-path=$BATS_FILE_TMPDIR/pg
pg1-user=postgres
CONF
  cat >>"$BATS_FILE_TMPDIR/pg/data/postgresql.conf" <<CONF
archive_mode = on
archive_command = 'pgbackrest --config=$BATS_FILE_TMPDIR/pgbackrest.conf --stanza=main archive-push %p'
CONF
  cluster_start "$BATS_FILE_TMPDIR/pg" 30
  use_cluster "$BATS_FILE_TMPDIR/pg"
  query 'CREATE TABLE documents AS SELECT generate_series(1, 1000) AS id'
  as_postgres pgbackrest --config="$BATS_FILE_TMPDIR/pgbackrest.conf" --stanza=main stanza-create
  echo "SELECT 'documents', CASE WHEN count(*) >= 1000 THEN 'ok' ELSE 'FAILED' END, count(*) FROM documents" >"$BATS_FILE_TMPDIR/checks.sql"
  printf 'postgres://postgres@/postgres?host=%s' "$BATS_FILE_TMPDIR/pg" >"$BATS_FILE_TMPDIR/url"
  export PGBACKREST_CONFIG="$BATS_FILE_TMPDIR/pgbackrest.conf" DATABASE_URL_FILE="$BATS_FILE_TMPDIR/url" TMPDIR="$BATS_FILE_TMPDIR/tmp"
}
teardown_file() {
  [ ! -d "$BATS_FILE_TMPDIR/pg/data" ] || (. "$checkout/scripts/lib/common.sh"; . "$checkout/scripts/lib/postgres.sh"; cluster_stop "$BATS_FILE_TMPDIR/pg" immediate)
}
setup() {
  [ -d "$BATS_FILE_TMPDIR/pg/data" ] || skip "no pgBackRest or no PostgreSQL 15 here"
  scripts=$checkout/scripts
  sql() { psql -XqAt -h "$BATS_FILE_TMPDIR/pg" -U postgres -c "$1"; }
}

@test "a backup by pgBackRest is restored and looked at before it counts" {
  run "$scripts/backup-database.sh" --kind physical --stanza main --pg-bin "$pg_bin" --checks "$BATS_FILE_TMPDIR/checks.sql" \
    --metrics-file "$BATS_FILE_TMPDIR/backup.prom"
  echo "$output"
  [ "$status" -eq 0 ]
  [[ "$output" == *"ok     documents: 1000"* && "$output" == *verified* ]]
  grep -q '^mcp_rag_backup_last_success_timestamp_seconds{kind="physical"}' "$BATS_FILE_TMPDIR/backup.prom"
}

@test "it comes back to the moment before a mistake" {
  sleep 1
  moment=$(sql 'SELECT clock_timestamp()')
  sleep 1
  sql 'DELETE FROM documents'
  sql 'SELECT pg_switch_wal()'
  run "$scripts/restore-database.sh" --kind physical --stanza main --pg-bin "$pg_bin" --checks "$BATS_FILE_TMPDIR/checks.sql" \
    --data-dir "$BATS_FILE_TMPDIR/restored" --to-time "$moment"
  echo "$output"
  [ "$status" -eq 0 ]
  [[ "$output" == *"ok     documents: 1000"* ]]
  [ -e "$BATS_FILE_TMPDIR/restored/PG_VERSION" ]
}

@test "a check that fails is told" {
  echo "SELECT 'documents', 'FAILED', 'none'" >"$BATS_TEST_TMPDIR/checks.sql"
  run "$scripts/restore-database.sh" --verify-only --kind physical --stanza main --pg-bin "$pg_bin" --checks "$BATS_TEST_TMPDIR/checks.sql"
  [ "$status" -eq 1 ]
  [[ "$output" == *"not whole"* ]]
}

@test "a repository that is not encrypted is refused" {
  sed 's/^repo1-cipher.*//; s|/repo$|/plain|' "$PGBACKREST_CONFIG" >"$BATS_FILE_TMPDIR/plain.conf"
  . "$scripts/lib/common.sh"
  . "$scripts/lib/postgres.sh"
  mkdir "$BATS_FILE_TMPDIR/plain"
  give_to_postgres "$BATS_FILE_TMPDIR/plain"
  as_postgres pgbackrest --config="$BATS_FILE_TMPDIR/plain.conf" --stanza=main stanza-create
  run env PGBACKREST_CONFIG="$BATS_FILE_TMPDIR/plain.conf" "$scripts/backup-database.sh" --kind physical --stanza main --pg-bin "$pg_bin"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ "$output" == *"not encrypted"* ]]
}
