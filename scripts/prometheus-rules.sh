#!/bin/sh
# Wraps the rules of monitoring/prometheus/rules as the PrometheusRule of k8s/components/monitoring, so that there is one
# text of each rule, the one that its tests read.
#
# usage: scripts/prometheus-rules.sh [--check] [ROOT]
#
#   --check  change nothing; exit 1 when the file is not what this would write
#   ROOT     the tree, by default this checkout
set -eu
case ${1:-} in --help | -h) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;; esac
check=0
if [ "${1:-}" = --check ]; then check=1; shift; fi
root=$(cd "${1:-$(dirname "$0")/..}" && pwd)
target=k8s/components/monitoring/prometheusrule.yaml
made=$(mktemp)
trap 'rm -f "$made"' EXIT
{
  echo "# Written by scripts/prometheus-rules.sh from monitoring/prometheus/rules. Do not edit."
  first=1
  for rules in "$root"/monitoring/prometheus/rules/*.yml; do
    name=$(basename "$rules" .yml)
    [ "$first" = 1 ] || echo ---
    first=0
    cat <<HEAD
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: mcp-rag-${name%.rules}
  labels:
    release: kube-prometheus-stack
spec:
HEAD
    # A document of rules is the specification, two spaces further in; its own comments stay where its tests are.
    sed -e '/^ *#/d' -e '/^ *$/d' -e 's/^/  /' "$rules"
  done
} >"$made"
if [ "$check" = 0 ]; then
  cat "$made" >"$root/$target"
elif ! cmp -s "$made" "$root/$target"; then
  echo "$target is not what monitoring/prometheus/rules says: run scripts/prometheus-rules.sh"
  exit 1
fi
