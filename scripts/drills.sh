#!/bin/sh
# Drills of changing releases under load: rolling deploy (and the same without its drain, which must lose requests), canary with
# automatic rollback, blue-green, and the version of the migration before beside this one. Real servers, PostgreSQL and Envoy;
# probes, preStop, drain, grace and the canary's analysis are read from the manifests of an overlay.
#
#   scripts/drills.sh [--quick] [--debug] [--overlay FOLDER] [--dry-run] [DRILL...]
#
# --quick    a fifth of every pause, without the version before: for CI, less than two minutes with the drills named
# --debug    debug builds
# --overlay  k8s/overlays/prod
# --dry-run  render the manifests, and say what would run
# DRILL      part of a name: rolling, canary, "canary, failing", blue-green, previous
#
# Exit status: 0 all held, 1 one did not, 64 bad usage, 77 something needed is not here, and the last line says what.
set -eu

quick='' debug='' dry_run='' overlay=k8s/overlays/prod
only=''
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=yes ;;
    --debug) debug=yes ;;
    --dry-run) dry_run=yes ;;
    --overlay)
      [ $# -gt 1 ] || { echo "drills: --overlay needs a folder" >&2; exit 64; }
      overlay=$2
      shift
      ;;
    --help | -h)
      sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    -*)
      echo "drills: unknown option: $1 (--help)" >&2
      exit 64
      ;;
    *) only="$only$1
" ;;
  esac
  shift
done

cd "$(dirname "$0")/.."
[ -d "$overlay" ] || { echo "there is no $overlay"; exit 77; }
command -v kubectl >/dev/null || { echo "kubectl is needed to render $overlay"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
kubectl kustomize "$overlay" >"$work/manifests.yaml"

if [ -n "$debug" ]; then profile=debug; else profile=release; fi
set -- --manifests "$work/manifests.yaml" --binary "target/$profile/mcp-rag"
[ -z "$quick" ] || set -- "$@" --pace 0.2 --interval 3
# One name a line, since a name has spaces.
while read -r name; do
  [ -z "$name" ] || set -- "$@" --only "$name"
done <<NAMES
$only
NAMES
if [ -n "$dry_run" ]; then
  echo "would run: target/$profile/rollout $*"
  exit 0
fi

./scripts/setup-rollout.sh
if [ -n "$debug" ]; then
  cargo build --quiet --bin mcp-rag && cargo build --quiet -p mcp-rag-chaos --bin rollout
else
  cargo build --release --quiet --bin mcp-rag && cargo build --release --quiet -p mcp-rag-chaos --bin rollout
fi
if [ -z "$quick" ]; then
  status=0
  if [ -n "$debug" ]; then previous=$(./scripts/previous.sh --debug) || status=$?; else previous=$(./scripts/previous.sh) || status=$?; fi
  case $status in
    0) set -- "$@" --previous "$(printf '%s\n' "$previous" | tail -n 1)" ;;
    77) printf 'previous: %s\n' "$previous" ;;
    *) exit "$status" ;;
  esac
fi
"target/$profile/rollout" "$@"
