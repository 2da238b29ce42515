# What the scripts say of themselves, and what they refuse.

setup() {
  scripts=${BATS_TEST_DIRNAME}/../../scripts
  cd "$BATS_TEST_TMPDIR" || return
  unset BACKUP_BUCKET BACKUP_KEY_FILE DATABASE_URL_FILE BACKUP_ENV_FILE AWS_ENDPOINT_URL PGBACKREST_STANZA
}

# refused STATUS WORDS COMMAND...: it ends with this status, says these words, and does not fall over.
refused() {
  local status_wanted=$1 words=$2
  shift 2
  run "$@"
  echo "$output"
  [ "$status" -eq "$status_wanted" ]
  [[ "$output" == *"$words"* ]]
  [[ "$output" != *"parameter not set"* && "$output" != *"not found"* ]]
}

@test "every script explains itself, its options and its exit status" {
  for name in backup-database restore-database archive-wal rotate-secrets dr-test smoke-tests anonymize-data synthetic-data; do
    run "$scripts/$name.sh" --help
    [ "$status" -eq 0 ]
    [[ "$output" == *"usage: "* && "$output" == *"scripts/$name.sh"* && "$output" == *"--dry-run"* ]] || { echo "$name: $output"; return 1; }
    [[ "$output" != *'set -eu'* ]]
    # Each option that the script knows is in its help.
    for option in $(sed -n 's/^    \(--[a-z-]*\)).*/\1/p' "$scripts/$name.sh"); do
      [[ "$output" == *"$option"* ]] || { echo "$name: $option is not in its help"; return 1; }
    done
  done
}

@test "an unknown option is bad usage and is named" {
  for name in backup-database restore-database archive-wal rotate-secrets dr-test smoke-tests anonymize-data synthetic-data; do
    refused 64 "--nonsense" "$scripts/$name.sh" --nonsense
  done
}

@test "an option without its value is bad usage" {
  refused 64 "--kind needs a value" "$scripts/backup-database.sh" --kind
  refused 64 "--env needs a value" "$scripts/rotate-secrets.sh" --env
  refused 64 "--seed needs a value" "$scripts/synthetic-data.sh" --seed
}

@test "a backup without bucket, key or database says what to give" {
  refused 64 "BACKUP_BUCKET" "$scripts/backup-database.sh"
  refused 64 "BACKUP_KEY_FILE" "$scripts/backup-database.sh" --bucket b
  refused 1 "cannot read" "$scripts/backup-database.sh" --bucket b --key-file missing
  age-keygen -o key 2>/dev/null
  refused 64 "DATABASE_URL_FILE" "$scripts/backup-database.sh" --bucket b --key-file key
  printf 'not a url' >url
  refused 1 "postgres://" "$scripts/backup-database.sh" --bucket b --key-file key --database-url-file url
  [[ "$output" != *"not a url"* ]]
}

@test "recipients alone cannot verify, and the script says so before it does anything" {
  age-keygen -o key 2>/dev/null
  age-keygen -y key >recipients
  printf 'postgres://a@127.0.0.1:1/b' >url
  refused 1 "--no-verify" "$scripts/backup-database.sh" --bucket b --key-file recipients --database-url-file url
}

@test "a database that is away is an error that names it, and no password is printed" {
  age-keygen -o key 2>/dev/null
  printf 'postgres://a:hunter2@127.0.0.1:1/b' >url
  refused 1 "127.0.0.1" "$scripts/backup-database.sh" --bucket b --key-file key --database-url-file url
  [[ "$output" != *hunter2* ]]
}

@test "a restore never writes into a folder that holds something" {
  age-keygen -o key 2>/dev/null
  mkdir data && touch data/PG_VERSION
  refused 1 "not empty" "$scripts/restore-database.sh" --kind physical --data-dir data --bucket b --key-file key
  touch data/postmaster.pid
  refused 1 "running server" "$scripts/restore-database.sh" --kind physical --data-dir data --bucket b --key-file key
  [ -e data/PG_VERSION ]
}

@test "a moment belongs to a physical restore, and must be one" {
  refused 64 "--kind physical" "$scripts/restore-database.sh" --to-time '2026-01-01 00:00:00+00'
  refused 64 "is no time" "$scripts/restore-database.sh" --kind physical --to-time yesterdayish
}

@test "a rotation needs an environment and one secret" {
  refused 64 "--env is dev, staging or prod" "$scripts/rotate-secrets.sh" jwt
  refused 64 "which secret" "$scripts/rotate-secrets.sh" --env prod
  refused 64 "no such secret" "$scripts/rotate-secrets.sh" --env prod everything
  refused 64 "--value-file" "$scripts/rotate-secrets.sh" --env prod openai
  refused 64 "--issuer" "$scripts/rotate-secrets.sh" --env prod --server http://127.0.0.1:1 jwt
}

@test "the drill says what it would do and does nothing" {
  run "$scripts/dr-test.sh" --dry-run --size-mb 100 --only switched --data-dir "$BATS_TEST_TMPDIR/made"
  [ "$status" -eq 0 ]
  [[ "$output" == *"18181 chunks"* && "$output" == *switched* ]]
  [ ! -e made ]
  refused 64 "no such scenario" "$scripts/dr-test.sh" --only flood
  refused 64 "is no number" "$scripts/dr-test.sh" --size-mb big
}

@test "smoke tests need a URL" {
  refused 64 "give its URL" "$scripts/smoke-tests.sh"
  refused 64 "is no URL" "$scripts/smoke-tests.sh" localhost:8080
  refused 64 "seconds" "$scripts/smoke-tests.sh" --timeout soon http://127.0.0.1:1
}

@test "a connection string is taken apart as libpq does" {
  run sh -eu -c '. "$1/lib/common.sh"; . "$1/lib/postgres.sh"
    printf "postgres://us%%40er:p%%2Fa%%5Cs%%3A@h1:5433,h2/d%%20b?sslmode=require&connect=1" >url
    use_database url; echo "$PGUSER|$PGPASSWORD|$PGHOST|$PGPORT|$PGDATABASE|$PGSSLMODE|$PGTARGETSESSIONATTRS"
    printf "postgresql://owner@/rag?host=/run/pg" >url
    use_database url; echo "$PGUSER|$PGPASSWORD|$PGHOST|$PGPORT|$PGDATABASE|${PGSSLMODE-none}"' sh "$scripts"
  echo "$output"
  [ "${lines[0]}" = 'us@er|p/a\s:|h1,h2|5433,5432|d b|require|read-write' ]
  [ "${lines[1]}" = 'owner||/run/pg|5432|rag|none' ]
}

@test "a part of a pipeline that fails is noticed" {
  run sh -eu -c '. "$1/lib/common.sh"; scratch; piped false | cat; whole' sh "$scripts"
  [ "$status" -ne 0 ]
  run sh -eu -c '. "$1/lib/common.sh"; scratch; piped true | cat; whole' sh "$scripts"
  [ "$status" -eq 0 ]
}

@test "scratch folders are removed, also when a script fails" {
  run env TMPDIR="$BATS_TEST_TMPDIR" sh -eu -c '. "$1/lib/common.sh"; scratch; touch "$scratch/secret"; die enough' sh "$scripts"
  [ "$status" -eq 1 ]
  [ -z "$(ls -d "$BATS_TEST_TMPDIR"/mcp-rag-ops.* 2>/dev/null)" ]
}
