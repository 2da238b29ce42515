#!/bin/sh
# Manifests with which a release would change badly, each caught by a drill.
part=rollout
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
copies k8s

rolling='rolling deploy'
plant "a rollout that takes a server away first is not even drilled" "$rolling" "maxUnavailable must be 0" k8s/base/deployment.yaml 's/maxUnavailable: 0/maxUnavailable: 1/'
plant "a grace period that is over before the drain kills a pod" "$rolling" "its grace of 1s was over" k8s/base/deployment.yaml 's/terminationGracePeriodSeconds: 80/terminationGracePeriodSeconds: 1/'
plant "a startup probe of what is not there lets no server start" "$rolling" "does not start" k8s/base/deployment.yaml 's|/health/startup|/health/started|; s/failureThreshold: 150/failureThreshold: 10/'
plant "a canary that nobody measures is not drilled" "canary" "no maximum of .search-p95" k8s/components/flagger-canary/canary.yaml 's/name: search-p95/name: search-p59/'
finish
