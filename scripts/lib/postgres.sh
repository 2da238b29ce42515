# shellcheck shell=sh disable=SC2154 # $scratch is common.sh's
# PostgreSQL's programs: where they are, whom they talk to, and servers made for one purpose. To be sourced after common.sh.

# find_postgres [FOLDER]: puts the programs into $pg_bin.
find_postgres() {
  for pg_bin in "${1:-}" "${PG_BIN:-}" "${here:-.}/../.local/postgres/bin" "$(dirname "$(command -v pg_dump 2>/dev/null || echo none)")"; do
    if [ -n "$pg_bin" ] && [ -x "$pg_bin/pg_dump" ] && [ -x "$pg_bin/psql" ]; then
      pg_bin=$(cd "$pg_bin" && pwd)
      return
    fi
    [ -z "${1:-}" ] || [ "$pg_bin" != "$1" ] || die "--pg-bin $1 holds no pg_dump and psql"
  done
  die "pg_dump and psql are needed, of the server's major version or newer: --pg-bin FOLDER, or scripts/setup.sh"
}

# %41 becomes A.
percent_decode() {
  printf '%b' "$(printf '%s' "$1" | awk '{
    text = $0; out = ""
    while (match(text, /%[0-9A-Fa-f][0-9A-Fa-f]/)) {
      hex = toupper(substr(text, RSTART + 1, 2))
      code = (index("0123456789ABCDEF", substr(hex, 1, 1)) - 1) * 16 + index("0123456789ABCDEF", substr(hex, 2, 1)) - 1
      before = substr(text, 1, RSTART - 1); gsub(/\\/, "\\\\", before)
      out = out before sprintf("\\0%03o", code)
      text = substr(text, RSTART + 3)
    }
    gsub(/\\/, "\\\\", text); printf "%s", out text }')"
}

# use_database FILE: the connection string in the file becomes libpq's environment, so that no argument holds a password.
use_database() {
  secret_file "$1" "the database URL"
  db_url=$(cat "$1")
  case $db_url in
    postgres://* | postgresql://*) ;;
    *) die "$1 does not hold a connection string of the form postgres://user:password@host:5432/database" ;;
  esac
  db_rest=${db_url#*://}
  db_query=''
  case $db_rest in *\?*) db_query=${db_rest#*\?} db_rest=${db_rest%%\?*} ;; esac
  db_name=''
  case $db_rest in */*) db_name=${db_rest#*/} db_rest=${db_rest%%/*} ;; esac
  db_user='' db_password=''
  case $db_rest in
    *@*)
      db_user=${db_rest%@*} db_rest=${db_rest##*@}
      case $db_user in *:*) db_password=${db_user#*:} db_user=${db_user%%:*} ;; esac
      ;;
  esac
  unset PGSERVICE PGSERVICEFILE PGHOSTADDR PGPASSFILE PGOPTIONS PGTARGETSESSIONATTRS PGSSLMODE PGSSLROOTCERT
  PGUSER=$(percent_decode "$db_user") PGPASSWORD=$(percent_decode "$db_password") PGDATABASE=$(percent_decode "$db_name")
  # Several hosts: the one that accepts writes, as for the server.
  PGHOST=$(percent_decode "$(printf '%s' "$db_rest" | sed 's/:[0-9]*\(,\|$\)/\1/g')")
  PGPORT=$(printf '%s' "$db_rest" | awk -F, '{ for (i = 1; i <= NF; i++) { n = split($i, part, ":"); printf "%s%s", (i > 1 ? "," : ""), (n > 1 ? part[n] : 5432) } }')
  case $PGHOST in *,*) export PGTARGETSESSIONATTRS=read-write ;; esac
  db_ifs=$IFS
  IFS='&'
  for db_pair in $db_query; do
    db_value=$(percent_decode "${db_pair#*=}")
    case ${db_pair%%=*} in
      host) PGHOST=$db_value ;;
      port) PGPORT=$db_value ;;
      user) PGUSER=$db_value ;;
      password) PGPASSWORD=$db_value ;;
      dbname) PGDATABASE=$db_value ;;
      sslmode) export PGSSLMODE="$db_value" ;;
      sslrootcert) export PGSSLROOTCERT="$db_value" ;;
      target_session_attrs) export PGTARGETSESSIONATTRS="$db_value" ;;
    esac
  done
  IFS=$db_ifs
  [ -n "$PGHOST" ] || die "$1 names no host"
  export PGHOST PGPORT="${PGPORT:-5432}" PGUSER PGPASSWORD PGDATABASE PGCONNECT_TIMEOUT=10
  export PGDATABASE="${PGDATABASE:-$PGUSER}"
  [ -n "${PGSSLROOTCERT:-}" ] || unset PGSSLROOTCERT
  unset db_url db_rest db_query db_password db_value
}

# What a script runs is neither changed by a psqlrc nor left waiting by a lock for ever.
psql_do() { PGAPPNAME=${0##*/} "$pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
query() { psql_do -c "$1"; }

# as_postgres COMMAND...: PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" != 0 ]; then
    "$@"
  else
    command -v runuser >/dev/null 2>&1 || die "PostgreSQL does not run as root, and there is no runuser: run this as another user"
    pg_account=postgres
    id postgres >/dev/null 2>&1 || pg_account=nobody
    # Not where root stands: that folder may be closed to others.
    (cd / && exec runuser -u "$pg_account" -- env HOME=/ "$@")
  fi
}
give_to_postgres() { [ "$(id -u)" != 0 ] || chown -R "$(id postgres >/dev/null 2>&1 && echo postgres || echo nobody)" "$@"; }

# A server for one purpose lives in FOLDER/data and is reached by a socket in FOLDER alone.
cluster_new() {
  mkdir -p "$1"
  chmod 711 "$scratch"
  give_to_postgres "$1"
  chmod 700 "$1"
  as_postgres "$pg_bin/initdb" -D "$1/data" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
    --no-instructions >"$scratch/initdb.log" 2>&1 ||
    die "initdb failed: $(tail -n 1 "$scratch/initdb.log")"
}

# cluster_start FOLDER SECONDS [OPTION...]: options are PostgreSQL's own, as -c name=value.
cluster_start() {
  pg_folder=$1 pg_seconds=$2
  shift 2
  rm -f "$pg_folder/log"
  pg_options="-c listen_addresses= -c unix_socket_directories=$pg_folder -c port=5432 -c logging_collector=off"
  for pg_option in "$@"; do pg_options="$pg_options -c $pg_option"; done
  as_postgres "$pg_bin/pg_ctl" -D "$pg_folder/data" -l "$pg_folder/log" -o "$pg_options" -w -t "$pg_seconds" start \
    >/dev/null 2>&1 || {
    tail -n 15 "$pg_folder/log" >&2
    die "PostgreSQL did not start in $pg_folder/data"
  }
}
cluster_stop() { as_postgres "$pg_bin/pg_ctl" -D "$1/data" -m "${2:-fast}" -w -t 120 stop >/dev/null 2>&1 || true; }

# use_cluster FOLDER [DATABASE]: the superuser of such a server.
use_cluster() {
  unset PGSERVICE PGPASSWORD PGSSLMODE PGSSLROOTCERT PGTARGETSESSIONATTRS
  export PGHOST="$1" PGPORT=5432 PGUSER=postgres PGDATABASE="${2:-postgres}"
}
