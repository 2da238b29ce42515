# shellcheck shell=sh disable=SC2154,SC2034 # the variables are rotate-secrets.sh's
# The steps of scripts/rotate-secrets.sh. To be sourced by it.

sm() { aws secretsmanager "$@" 2>"$scratch/error"; }
version_at() { sm get-secret-value --secret-id "$secret" --version-stage "$1" --query VersionId --output text; }
# The value ends with a line feed that is the command line's.
value_at() { sm get-secret-value --secret-id "$secret" --version-id "$1" --query SecretString --output text | tr -d '\n'; }
has_stage() {
  sm describe-secret --secret-id "$secret" --query "VersionIdsToStages.\"$1\"" --output text | tr '\t' '\n' | grep -qx "$2"
}

store_pending() {
  stale=$(version_at AWSPENDING) || stale=''
  if [ -n "$stale" ] && [ "$stale" != "$old_version" ]; then
    say "version $stale is AWSPENDING from a rotation that did not end; it is given up"
    sm update-secret-version-stage --secret-id "$secret" --version-stage AWSPENDING --remove-from-version-id "$stale" >/dev/null
  fi
  new_version=$(sm put-secret-value --secret-id "$secret" --secret-string "file://$scratch/new" --version-stages AWSPENDING \
    --query VersionId --output text) || die "the new version cannot be stored: $(tail -n 1 "$scratch/error")"
}
drop_pending() {
  has_stage "$new_version" AWSPENDING || return 0
  sm update-secret-version-stage --secret-id "$secret" --version-stage AWSPENDING --remove-from-version-id "$new_version" >/dev/null
}

# make_current NEW OLD: Amazon moves AWSPREVIOUS along; what stands in for it in tests may not.
make_current() {
  sm update-secret-version-stage --secret-id "$secret" --version-stage AWSCURRENT --move-to-version-id "$1" \
    --remove-from-version-id "$2" >/dev/null || die "AWSCURRENT cannot be moved: $(tail -n 1 "$scratch/error")"
  has_stage "$1" AWSCURRENT || die "AWSCURRENT did not move to version $1"
  if ! has_stage "$2" AWSPREVIOUS; then
    holder=$(version_at AWSPREVIOUS) || holder=''
    sm update-secret-version-stage --secret-id "$secret" --version-stage AWSPREVIOUS --move-to-version-id "$2" \
      ${holder:+--remove-from-version-id "$holder"} >/dev/null
  fi
}

# undo: called when a step failed. The old secret was good all the time.
undo() {
  cleanup=:
  warn "rolling back"
  if has_stage "$new_version" AWSCURRENT; then
    make_current "$old_version" "$new_version"
    all_have "$scratch/old" || warn "not every server shows the old secret again within $wait s; it is AWSCURRENT"
  fi
  drop_pending || warn "version $new_version is still AWSPENDING"
  if [ "$kind" = database ]; then admin_query "ALTER ROLE \"$next_login\" NOLOGIN" >/dev/null 2>&1 || true; fi
  warn "rolled back: version $old_version of $secret is AWSCURRENT"
}

# Servers.

# ask SERVER PATH CREDENTIAL: the reply is in $scratch/reply; succeeds on 200.
ask() {
  printf 'header = "Authorization: Bearer %s"\n' "$3" >"$scratch/curl"
  [ "$(curl --config "$scratch/curl" -s --max-time 10 -o "$scratch/reply" -w '%{http_code}' "${1%/}$2")" = 200 ]
}
generation() {
  [ -n "$token_file" ] || return 1
  ask "$1" /v1/system "$(tr -d '\r\n' <"$token_file")" && sed -n 's/.*"config":{[^}]*"generation":\([0-9]*\).*/\1/p' "$scratch/reply" | grep .
}
note_generations() {
  : >"$scratch/generations"
  [ "$kind" = openai ] || return 0
  for one in $servers; do
    was=$(generation "$one") || die "$one does not say what it has loaded: is the credential in $token_file good for /v1/system?"
    echo "$one $was" >>"$scratch/generations"
  done
}

# A token that is good for a minute, signed with the secret in FILE.
sign_token() {
  python3 - "$1" "$issuer" "$audience" "$tenant" <<'PYTHON'
import base64, hashlib, hmac, json, sys, time
key = open(sys.argv[1], "rb").read().rstrip()
claims = {"iss": sys.argv[2], "aud": sys.argv[3], "sub": "rotate-secrets", "scope": "search", "iat": int(time.time()), "exp": int(time.time()) + 60}
if sys.argv[4]: claims["tenant"] = sys.argv[4]
part = lambda value: base64.urlsafe_b64encode(value).rstrip(b"=")
signed = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + b"." + part(json.dumps(claims).encode())
print((signed + b"." + part(hmac.new(key, signed, hashlib.sha256).digest())).decode())
PYTHON
}

# has SERVER FILE: whether that server works with the secret in FILE.
has() {
  case $kind in
    token) ask "$1" '/v1/collections?limit=1' "$(cat "$2")" ;;
    jwt) ask "$1" '/v1/collections?limit=1' "$(sign_token "$2")" ;;
    openai) [ "$(generation "$1" || echo 0)" -gt "$(awk -v server="$1" '$1 == server { print $2 }' "$scratch/generations")" ] ;;
  esac
}
all_have() {
  if [ "$kind" = database ]; then
    using=$(user_of "$1")
    until_true "$wait" uses_login "$using" || { warn "no server has connected as $using"; return 1; }
    say "servers are connected as $using"
    return
  fi
  [ -n "$servers" ] || warn "no --server is named: that they take the new secret is not verified"
  for one in $servers; do
    until_true "$wait" has "$one" "$1" || { warn "$one does not work with it: $(head -c 200 "$scratch/reply" 2>/dev/null)"; return 1; }
    say "$one works with it"
  done
}

# The database's logins.

user_of() { sed 's|^[a-z]*://||; s|[:@].*||' "$1"; }
admin_query() (
  use_database "${admin_url_file:-$scratch/old}"
  query "$1"
)
plan_login() {
  old_login=$(user_of "$scratch/old")
  owner=$(admin_query "SELECT tableowner FROM pg_tables WHERE tablename = 'documents' AND schemaname = current_schema()") ||
    die "the database cannot be reached as its administrator (--admin-url-file)"
  [ -n "$owner" ] || die "the database holds no table documents: is it mcp-rag's?"
  case $old_login in "${owner}_a") next_login=${owner}_b ;; *) next_login=${owner}_a ;; esac
}
# The current URL with the other login and a new password.
new_url() { sed "s|^\([a-z]*://\)\([^@/]*@\)\{0,1\}|\1$next_login:$(openssl rand -hex 24)@|" "$scratch/old" | tr -d '\n'; }
# What the login makes belongs to the owner, as what the other one made does: a migration may run as either.
set_login() (
  password=$(sed 's|^[a-z]*://[^:]*:||; s|@.*||' "$scratch/new")
  cat >"$scratch/login.sql" <<SQL
DO \$\$ BEGIN CREATE ROLE "$next_login" LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
GRANT "$owner" TO "$next_login";
GRANT mcp_rag_app TO "$next_login";
ALTER ROLE "$next_login" SET role TO '$owner';
ALTER ROLE "$next_login" LOGIN PASSWORD '$password';
SQL
  use_database "${admin_url_file:-$scratch/old}"
  psql_do --single-transaction -f "$scratch/login.sql" >/dev/null
)
try_login() (
  use_database "$scratch/new"
  [ "$(query "SET ROLE mcp_rag_app; SELECT current_user || ' ' || session_user")" = "mcp_rag_app $next_login" ]
)
revive_login() {
  find_postgres ""
  admin_query "ALTER ROLE \"$(user_of "$scratch/new")\" LOGIN" >/dev/null || die "the login $(user_of "$scratch/new") cannot be made good again"
}
sessions_of() { admin_query "SELECT count(*) FROM pg_stat_activity WHERE usename = '$1' AND backend_type = 'client backend' AND pid <> pg_backend_pid()"; }
uses_login() { [ "$(sessions_of "$1")" -gt 0 ]; }
unused() { [ "$(sessions_of "$old_login")" = 0 ]; }
end_old_login() {
  until_true "$wait" unused || return 1
  [ -z "$admin_url_file" ] || [ "$(user_of "$admin_url_file")" != "$old_login" ] || { say "$old_login is the administrator's own login and stays"; return 0; }
  # Without --admin-url-file it is the new login, a member of the owner, who must be allowed to: else both stay.
  admin_url=${admin_url_file:-$scratch/new}
  (use_database "$admin_url"; query "ALTER ROLE \"$old_login\" NOLOGIN") >/dev/null 2>&1 ||
    { say "the login $old_login stays: ending it takes an administrator (--admin-url-file)"; return 0; }
  say "nobody uses $old_login any more; its login is ended"
}
