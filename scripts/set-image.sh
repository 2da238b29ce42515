#!/bin/sh
# Writes the digest of an image into an overlay: what a deployment is, as a change that can be reviewed and reverted.
#
# usage: scripts/set-image.sh [--dry-run] ENVIRONMENT IMAGE DIGEST
#        scripts/set-image.sh --get ENVIRONMENT IMAGE
#
#   ENVIRONMENT  a folder of k8s/overlays: staging, prod
#   IMAGE        as the overlay names it: ghcr.io/example/mcp-rag
#   DIGEST       sha256: and 64 hexadecimal digits
#   --get        print the digest that is there
#   --dry-run    print the changed file instead
#
# Exit status: 0 written, 1 not, 64 bad usage.
set -eu

bad_usage() { echo "set-image: $1 (--help)" >&2; exit 64; }

get=0 dry_run=0
while [ $# -gt 0 ]; do
  case $1 in
    --get) get=1 ;;
    --dry-run) dry_run=1 ;;
    --help | -h) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
    -*) bad_usage "unknown option: $1" ;;
    *) break ;;
  esac
  shift
done
[ $# = $((3 - get)) ] || bad_usage "expected ENVIRONMENT IMAGE$([ $get = 1 ] || echo ' DIGEST')"
environment=$1 image=$2 digest=${3:-}
case $environment in *[!a-z0-9-]* | '') bad_usage "$environment is no environment" ;; esac
case $image in *[!A-Za-z0-9./_-]* | '') bad_usage "$image is no image's name" ;; esac
file=$(dirname "$0")/../k8s/overlays/$environment/kustomization.yaml
[ -f "$file" ] || bad_usage "there is no k8s/overlays/$environment"

if [ "$get" = 1 ]; then
  found=$(awk -v image="$image" '$1 == "-" && $2 == "name:" { here = ($3 == image) } here && $1 == "digest:" { print $2; exit }' "$file")
  [ -n "$found" ] || { echo "set-image: $image is not in k8s/overlays/$environment" >&2; exit 1; }
  echo "$found"
  exit
fi
printf '%s\n' "$digest" | grep -Eq '^sha256:[0-9a-f]{64}$' || bad_usage "$digest is no digest"
made=$(mktemp)
trap 'rm -f "$made"' EXIT
awk -v image="$image" -v digest="$digest" '
  $1 == "-" && $2 == "name:" { here = ($3 == image) }
  here && $1 == "digest:" { sub(/sha256:[0-9a-f]+/, digest); found = 1; here = 0 }
  { print }
  END { exit !found }' "$file" >"$made" || { echo "set-image: $image has no digest in k8s/overlays/$environment" >&2; exit 1; }
if [ "$dry_run" = 1 ]; then cat "$made"; else cat "$made" >"$file"; fi
