# Backups of a real database to a stand-in for S3, and what comes back.

setup_file() {
  export checkout=${MCP_RAG_CHECKOUT:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}
  . "$BATS_TEST_DIRNAME/lib.sh"
  find_server
  # PostgreSQL's account must get through to its own folders.
  mkdir "$BATS_FILE_TMPDIR/tmp"
  chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_FILE_TMPDIR" "$BATS_FILE_TMPDIR/tmp"
  moto "$BATS_FILE_TMPDIR" 3>&-
  serve "$BATS_FILE_TMPDIR/server" 3>&-
  "$checkout/scripts/synthetic-data.sh" --documents 40 --server "$url" --collection docs
  awaited 60 sh -c "curl -sf $url/v1/collections/docs | grep -q '\"documents\":40'"
  age-keygen -o "$BATS_FILE_TMPDIR/key" 2>/dev/null
  printf 'postgres://mcp_rag_owner@/mcp_rag?host=%s' "$BATS_FILE_TMPDIR/server/data/run" >"$BATS_FILE_TMPDIR/url"
  printf 'postgres://postgres@/mcp_rag?host=%s' "$BATS_FILE_TMPDIR/server/data/run" >"$BATS_FILE_TMPDIR/admin-url"
  export pids url BACKUP_BUCKET=backups BACKUP_KEY_FILE="$BATS_FILE_TMPDIR/key" DATABASE_URL_FILE="$BATS_FILE_TMPDIR/url" PATH
  export TMPDIR="$BATS_FILE_TMPDIR/tmp"
  "$checkout/scripts/backup-database.sh" --metrics-file "$BATS_FILE_TMPDIR/backup.prom" >"$BATS_FILE_TMPDIR/id" 2>"$BATS_FILE_TMPDIR/said" || { cat "$BATS_FILE_TMPDIR/said"; return 1; }
}
teardown_file() { for pid in $pids; do kill "$pid"; while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done; done; }

setup() {
  scripts=${BATS_TEST_DIRNAME}/../../scripts
  id=$(cat "$BATS_FILE_TMPDIR/id")
  set_url=$AWS_ENDPOINT_URL/backups/mcp-rag/logical/$id
  cd "$BATS_TEST_TMPDIR" || return
  sql() { "$checkout/.local/postgres/bin/psql" -XqAt -h "$BATS_FILE_TMPDIR/server/data/run" -U postgres "${2:-mcp_rag}" -c "$1"; }
  # By curl, which starts sooner.
  fetch() { curl -sf --aws-sigv4 aws:amz:us-east-1:s3 --user test:test -o "$2" "$1"; }
  place() { curl -sf --aws-sigv4 aws:amz:us-east-1:s3 --user test:test -o /dev/null -T "$1" "$2"; }
}

@test "a backup is restored and compared before it counts" {
  grep -q 'every table has the rows of the backup' "$BATS_FILE_TMPDIR/said"
  grep -q 'ok     the HNSW index finds what there is' "$BATS_FILE_TMPDIR/said"
  fetch "$set_url/manifest.json" manifest.json
  [ "$(jq -r .verified manifest.json)" = yes ]
  [ "$(jq .contents.documents.rows manifest.json)" -eq 40 ]
  [ "$(jq .contents.embeddings.rows manifest.json)" -eq "$(sql 'SELECT count(*) FROM embeddings')" ]
}

@test "what lies in the bucket is encrypted" {
  fetch "$set_url/database.dump.age" dump.age
  [ "$(head -c 21 dump.age)" = age-encryption.org/v1 ]
  run grep -c PGDMP dump.age
  [ "$status" -eq 1 ]
  [ "$(age -d -i "$BACKUP_KEY_FILE" dump.age | head -c 5)" = PGDMP ]
}

@test "the metric says when, as node-exporter reads it" {
  line=$(grep '^mcp_rag_backup_last_success_timestamp_seconds{kind="logical"}' "$BATS_FILE_TMPDIR/backup.prom")
  [ $(($(date +%s) - ${line##* })) -lt 600 ]
  [ "$(stat -c %a "$BATS_FILE_TMPDIR/backup.prom")" = 644 ]
}

@test "a damaged dump is found, and named" {
  fetch "$set_url/database.dump.age" good
  cp good bad
  printf 'X' | dd of=bad bs=1 seek=$(($(stat -c %s bad) / 2)) conv=notrunc status=none
  place bad "$set_url/database.dump.age"
  run "$scripts/restore-database.sh" --verify-only
  place good "$set_url/database.dump.age"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ "$output" == *damaged* && "$output" == *"$id"* ]]
}

@test "a dump that was damaged together with its checksum does not decrypt" {
  fetch "$set_url/database.dump.age" good
  fetch "$set_url/manifest.json" manifest
  head -c $(($(stat -c %s good) - 100)) good >bad
  sed "s/\"sha256\": \"[0-9a-f]*\"/\"sha256\": \"$(sha256sum bad | cut -d ' ' -f 1)\"/" manifest >forged
  place bad "$set_url/database.dump.age"
  place forged "$set_url/manifest.json"
  run "$scripts/restore-database.sh" --verify-only
  place good "$set_url/database.dump.age"
  place manifest "$set_url/manifest.json"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ "$output" == *"age failed"* || "$output" == *"unseal failed"* || "$output" == *"could not read from input file"* ]]
}

@test "rows that differ are found, by table" {
  fetch "$set_url/manifest.json" manifest
  jq -c .contents.documents manifest
  sed 's/"documents": {"rows": 40/"documents": {"rows": 41/' manifest >forged
  ! cmp -s manifest forged
  place forged "$set_url/manifest.json"
  run "$scripts/restore-database.sh" --verify-only
  place manifest "$set_url/manifest.json"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ "$output" == *"not those that were backed up"* && "$output" == *documents* ]]
}

@test "a database that holds tables is not written to" {
  run "$scripts/restore-database.sh"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ "$output" == *"--replace mcp_rag"* ]]
}

@test "a database that is in use is not replaced" {
  run "$scripts/restore-database.sh" --replace mcp_rag --database-url-file "$BATS_FILE_TMPDIR/admin-url"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ "$output" == *"sessions are connected"* ]]
  run "$scripts/restore-database.sh" --replace other --database-url-file "$BATS_FILE_TMPDIR/admin-url"
  [ "$status" -eq 1 ]
}

@test "a dump goes into an empty database, and then takes another's place" {
  sql 'CREATE DATABASE copy' postgres
  printf 'postgres://postgres@/copy?host=%s' "$BATS_FILE_TMPDIR/server/data/run" >url
  run "$scripts/restore-database.sh" --dry-run --database-url-file url
  [[ "$output" == *"would restore into the database copy"* ]]
  "$scripts/restore-database.sh" --database-url-file url
  [ "$(sql 'SELECT count(*) FROM documents' copy)" = 40 ]
  sql 'DELETE FROM documents' copy
  "$scripts/restore-database.sh" --database-url-file url --replace copy
  [ "$(sql 'SELECT count(*) FROM documents' copy)" = 40 ]
  before=$(sql "SELECT datname FROM pg_database WHERE datname LIKE 'copy_before_%'" postgres)
  [ "$(sql 'SELECT count(*) FROM documents' "$before")" = 0 ]
  sql "DROP DATABASE copy" postgres
  sql "DROP DATABASE $before" postgres
}

@test "an invalid index, a table without row-level security and a lost vector are each found" {
  judged() { "$checkout/.local/postgres/bin/psql" -XqAt -h "$BATS_FILE_TMPDIR/server/data/run" -U postgres broken -f "$scripts/lib/verify.sql" | awk -F '\t' '$2 != "ok" { print $1 }'; }
  sql 'CREATE DATABASE broken' postgres
  printf 'postgres://postgres@/broken?host=%s' "$BATS_FILE_TMPDIR/server/data/run" >url
  "$scripts/restore-database.sh" --database-url-file url
  [ -z "$(judged)" ]
  sql 'ALTER TABLE chunks DISABLE ROW LEVEL SECURITY' broken
  [ "$(judged)" = 'row-level security is on' ]
  sql 'ALTER TABLE chunks ENABLE ROW LEVEL SECURITY' broken
  sql "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'embeddings_of_document'::regclass" broken
  [ "$(judged)" = 'indexes are valid' ]
  sql "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'embeddings_of_document'::regclass" broken
  sql 'ALTER ROLE mcp_rag_app BYPASSRLS' postgres
  judged | grep -qx 'the role mcp_rag_app is bound'
  sql 'ALTER ROLE mcp_rag_app NOBYPASSRLS' postgres
  sql 'DELETE FROM embeddings WHERE chunk_id = (SELECT min(chunk_id) FROM embeddings)' broken
  judged | grep -qx 'every chunk has its vector'
  sql 'DROP INDEX embeddings_hnsw_1' broken
  judged | grep -qx 'each space has its HNSW index'
  sql 'DROP DATABASE broken' postgres
}

@test "old backups go once a new one is verified, the newest never" {
  for old in 20200101T000000Z 20200102T000000Z 20200103T000000Z; do
    for name in manifest.json database.dump.age; do
      fetch "$set_url/$name" "$name"
      place "$name" "$AWS_ENDPOINT_URL/backups/keep/logical/$old/$name"
    done
  done
  place database.dump.age "$AWS_ENDPOINT_URL/backups/keep/logical/20200104T000000Z/database.dump.age"
  "$scripts/backup-database.sh" --prefix keep --keep-days 7 --keep-at-least 2
  run "$scripts/restore-database.sh" --prefix keep --list
  echo "$output"
  [ "${#lines[@]}" -eq 2 ]
  [ -z "$(aws s3 ls --recursive s3://backups/keep/logical/20200104T000000Z)" ]
  [[ "${lines[0]}" == 20200103T000000Z* && "${lines[1]}" == *"verified: yes"* ]]
}

@test "a segment is archived once, and another of its name is refused" {
  head -c 100000 /dev/urandom >segment
  export BACKUP_PREFIX=wal-test
  "$scripts/archive-wal.sh" push segment 000000010000000000000001
  "$scripts/archive-wal.sh" push segment 000000010000000000000001
  head -c 100000 /dev/urandom >other
  run "$scripts/archive-wal.sh" push other 000000010000000000000001
  [ "$status" -eq 1 ]
  [[ "$output" == *"another segment"* ]]
  "$scripts/archive-wal.sh" get 000000010000000000000001 back
  cmp segment back
}

@test "a recovery fetches segments ahead, across the end of a log file" {
  export BACKUP_PREFIX=wal-ahead
  for name in 0000000100000000000000FE 0000000100000000000000FF 000000010000000100000000; do
    echo "$name" >segment
    "$scripts/archive-wal.sh" push segment "$name"
  done
  mkdir spool
  export BACKUP_WAL_SPOOL="$PWD/spool"
  "$scripts/archive-wal.sh" get 0000000100000000000000FE back
  [ "$(cat back)" = 0000000100000000000000FE ]
  [ "$(ls spool | wc -l)" -eq 2 ]
  # What is there needs no bucket.
  AWS_ENDPOINT_URL=http://127.0.0.1:1 "$scripts/archive-wal.sh" get 000000010000000100000000 back
  [ "$(cat back)" = 000000010000000100000000 ]
  run "$scripts/archive-wal.sh" get 000000010000000100000001 back
  [ "$status" -eq 1 ]
}

@test "the end of the archive is status 1, and anything else stops a recovery" {
  export BACKUP_PREFIX=wal-test
  run "$scripts/archive-wal.sh" get 0000000100000000000000FF back
  [ "$status" -eq 1 ]
  run env AWS_ENDPOINT_URL=http://127.0.0.1:1 "$scripts/archive-wal.sh" get 000000010000000000000001 back
  echo "$output"
  [ "$status" -gt 125 ]
  head -c 100 /dev/urandom >bad
  place bad "$AWS_ENDPOINT_URL/backups/wal-test/wal/000000010000000000000002.zst.age"
  run "$scripts/archive-wal.sh" get 000000010000000000000002 back
  [ "$status" -gt 125 ]
  [ ! -e back ]
}
