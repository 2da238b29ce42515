#!/bin/sh
# Verifies that releases change without loss by the numbers of the manifests: short drills of scripts/drills.sh.
#
#   scripts/verify/rollout.sh [ROOT]
# shellcheck source-path=SCRIPTDIR
part=rollout
. "$(dirname "$0")/lib.sh"
begin "$@"

# shellcheck disable=SC2329 # check calls it
drill() {
  (cd "$checkout" && scripts/drills.sh --quick --debug --overlay "$root/k8s/overlays/prod" "$@")
}

check "$part" "envoy: rolling deploy, and without drain" 1.40.0 drill rolling
check "$part" "envoy: canary goes back by itself" 1.40.0 drill "canary, failing"
finish
