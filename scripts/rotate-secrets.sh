#!/bin/sh
# Gives a new secret to running servers, step by step, with the old one good until everybody has the new one.
#
# usage: scripts/rotate-secrets.sh --env ENV [OPTIONS] database|jwt|token|openai
#        scripts/rotate-secrets.sh --env ENV [OPTIONS] --rollback database|jwt|token|openai
#
#   database   PREFIX/ENV/database/url      two logins, <owner>_a and <owner>_b, take turns; the one that is free gets a new password
#   jwt        PREFIX/ENV/jwt-secret        the secret shared with the issuer (auth.jwt.secret)
#   token      PREFIX/ENV/auth/token        the operator's token (auth.token)
#   openai     PREFIX/ENV/api-keys/openai   a model server's key, made at its provider: --value-file
#
#   --env ENV              dev, staging or prod
#   --prefix PATH          of the secrets' names, /mcp-demo by default
#   --endpoint-url URL     another Secrets Manager than Amazon's (AWS_ENDPOINT_URL)
#   --value-file FILE      the new secret; by default 32 random bytes, in hex
#   --server URL           a server that has to take the new secret, once for each replica (ROTATE_SERVERS, apart by spaces)
#   --token-file FILE      a credential with the scope admin, to ask servers what they have loaded
#   --admin-url-file FILE  database: who may make roles; by default the login that the secret holds now
#   --issuer, --audience, --tenant  jwt: what a token says with which the servers are asked
#   --announce COMMAND     run once every server accepts the new secret: tell the issuer, or the callers
#   --wait SECONDS         for servers to take it, 300 by default: longer than External Secrets' refreshInterval
#   --keep-old             database: do not end the old login afterwards
#   --rollback             make the version before current again, and wait until servers have it
#   --dry-run              read, and say what would be done
#   --help                 this text
#
# Steps, as AWS' own rotation has them: the new version is stored as AWSPENDING; put into PostgreSQL (database); tried; made
# AWSCURRENT, the old one AWSPREVIOUS. External Secrets brings it to the mounted files, which the servers read by themselves. Then
# each --server is asked until it works with the new secret. When a step fails, AWSCURRENT goes back to the old version, which
# was good all the time, and the script says what failed. Every version is named by its stage, never left to a default.
# Nobody is refused meanwhile if auth.overlap_ms is longer than the time from the first server's reload to the end of --announce.
# Secrets are in no argument and no output. Exit status: 0 rotated, 1 not, 64 bad usage.
set -eu
umask 077

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/common.sh"
. "$here/lib/postgres.sh"
. "$here/lib/secrets.sh"

environment='' prefix=/mcp-demo value_file='' servers=${ROTATE_SERVERS:-} token_file='' admin_url_file='' announce=''
issuer='' audience='' tenant='' wait=300 keep_old=0 rollback=0 kind=''
while [ $# -gt 0 ]; do
  case $1 in
    --env) environment=$(value_of "$@"); shift ;;
    --prefix) prefix=$(value_of "$@"); shift ;;
    --endpoint-url) AWS_ENDPOINT_URL=$(value_of "$@"); export AWS_ENDPOINT_URL; shift ;;
    --value-file) value_file=$(value_of "$@"); shift ;;
    --server) servers="$servers $(value_of "$@")"; shift ;;
    --token-file) token_file=$(value_of "$@"); shift ;;
    --admin-url-file) admin_url_file=$(value_of "$@"); shift ;;
    --issuer) issuer=$(value_of "$@"); shift ;;
    --audience) audience=$(value_of "$@"); shift ;;
    --tenant) tenant=$(value_of "$@"); shift ;;
    --announce) announce=$(value_of "$@"); shift ;;
    --wait) wait=$(value_of "$@"); shift ;;
    --keep-old) keep_old=1 ;;
    --rollback) rollback=1 ;;
    --dry-run) dry_run=1 ;;
    --help | -h) usage; exit 0 ;;
    -*) bad_usage "unknown option: $1" ;;
    *) [ -z "$kind" ] || bad_usage "one secret at a time"; kind=$1 ;;
  esac
  shift
done
case $environment in
  dev | staging | prod) ;;
  *) bad_usage "--env is dev, staging or prod" ;;
esac
case $wait in '' | *[!0-9]* | 0) bad_usage "--wait takes seconds" ;; esac
case $kind in
  database) secret=$prefix/$environment/database/url ;;
  jwt) secret=$prefix/$environment/jwt-secret ;;
  token) secret=$prefix/$environment/auth/token ;;
  openai)
    secret=$prefix/$environment/api-keys/openai
    [ -n "$value_file" ] || [ "$rollback" = 1 ] || bad_usage "openai: the new key is made at the provider; give it with --value-file FILE"
    ;;
  '') bad_usage "which secret? database, jwt, token or openai" ;;
  *) bad_usage "no such secret: $kind" ;;
esac
if [ "$kind" = jwt ] && [ -n "$servers" ]; then
  [ -n "$issuer" ] && [ -n "$audience" ] || bad_usage "jwt: --issuer and --audience, so that a server can be asked with a token"
  need python3 "it signs the token with which servers are asked"
fi
if [ "$kind" = openai ] && [ -n "$servers" ]; then [ -n "$token_file" ] || bad_usage "openai: --token-file, to ask servers what they have loaded"; fi
need aws "the AWS command line"
need openssl "apt-get install openssl"
need curl "apt-get install curl"
export AWS_PAGER=''

scratch
old_version=$(version_at AWSCURRENT) || die "there is no secret $secret with a version AWSCURRENT here: $(tail -n 1 "$scratch/error")"
value_at "$old_version" >"$scratch/old"

if [ "$rollback" = 1 ]; then
  back=$(version_at AWSPREVIOUS) || die "$secret has no version AWSPREVIOUS to go back to"
  value_at "$back" >"$scratch/new"
  [ "$dry_run" = 0 ] || { say "would make version $back of $secret current again, in place of $old_version"; exit 0; }
  [ "$kind" != database ] || revive_login
  note_generations
  make_current "$back" "$old_version"
  all_have "$scratch/new" || die "version $back is AWSCURRENT again, but not every server has it: see above"
  say "$secret is at version $back again"
  exit 0
fi

if [ "$kind" = database ]; then
  find_postgres ""
  plan_login
fi
if [ "$dry_run" = 1 ]; then
  say "would store a new version of $secret as AWSPENDING (current: $old_version)"
  [ "$kind" != database ] || say "would give the login $next_login a new password; servers now use $old_login"
  say "would make it AWSCURRENT and wait up to $wait s for:${servers:- no server, since none is named}"
  [ "$kind$keep_old" != database0 ] || say "would end the login $old_login once nobody uses it"
  exit 0
fi

# 1. Made and stored, as what is not in use yet.
if [ "$kind" = database ]; then
  new_url >"$scratch/new"
elif [ -n "$value_file" ]; then
  secret_file "$value_file" --value-file
  tr -d '\r\n' <"$value_file" >"$scratch/new"
else
  openssl rand -hex 32 | tr -d '\n' >"$scratch/new"
fi
! cmp -s "$scratch/old" "$scratch/new" || die "the new secret is the old one"
store_pending
cleanup=undo
say "$secret: version $new_version is AWSPENDING"

# 2. Put where it has to be known, and 3. tried there.
if [ "$kind" = database ]; then
  set_login || die "PostgreSQL does not take the login $next_login: its administrator must own $owner or be able to grant it"
  try_login || die "the new login $next_login does not work"
  say "the login $next_login works; $old_login goes on working"
fi

# 4. From now on it is the one.
note_generations
make_current "$new_version" "$old_version"
say "version $new_version is AWSCURRENT, $old_version AWSPREVIOUS"
all_have "$scratch/new" || die "not every server took the new secret within $wait s"
if [ -n "$announce" ]; then sh -c "$announce" || die "--announce failed"; fi
# Whoever has it goes on with it: there is nothing to undo any more.
cleanup=:
drop_pending

if [ "$kind" = database ] && [ "$keep_old" = 0 ]; then
  end_old_login || die "$old_login still has sessions after $wait s: some server has not taken the new URL. Both logins work; run this again, or end the old one yourself"
fi
say "$kind rotated${servers:+, taken by:$servers}"
