#!/bin/sh
# Verifies monitoring/: that it parses, that every alert is tested and leads somewhere, that what it names is what a
# running server exposes, and that a page arrives.
#
# usage: scripts/verify/monitoring.sh [ROOT]
#
#   ROOT  the tree to check $part at, by default this checkout
#
#   MCP_RAG_BIN        the server to run; by default target/release or target/debug, whichever is newer, or it is built
#   MCP_RAG_SCRAPE     a folder of an earlier run's *.metrics and server.log: no server is started, and no page is sent
#   MCP_RAG_OPS_TOOLS  where tools are kept, by default .local/ops
#
# Prometheus and Alertmanager are those on PATH, or Debian's (as root; their services are not started). Under three
# minutes once everything is there.
part=monitoring
# shellcheck source=scripts/verify/lib.sh
. "$(dirname "$0")/lib.sh"
begin "$@"
here=$checkout/scripts/verify/monitoring

install_prometheus() {
  command -v promtool >/dev/null && command -v prometheus-alertmanager >/dev/null && command -v amtool >/dev/null && return
  apt_install prometheus prometheus-alertmanager
}

version() { "$@" --version 2>&1 | sed -n '1s/.*version \([0-9][0-9.]*\).*/\1/p'; }

# The server, as it was given, as it is there, or as it is built now.
binary() {
  if [ -n "${MCP_RAG_BIN:-}" ]; then echo "$MCP_RAG_BIN"; return; fi
  # shellcheck disable=SC2012 # names of ours
  newest=$(ls -t "$checkout/target/release/mcp-rag" "$checkout/target/debug/mcp-rag" 2>/dev/null | head -n 1)
  if [ -z "$newest" ]; then
    (cd "$checkout" && cargo build --bin mcp-rag) >&2 || return 1
    newest=$checkout/target/debug/mcp-rag
  fi
  echo "$newest"
}

if ! install_prometheus; then
  skip $part 'prometheus and alertmanager' - 'not installed, and apt-get needs root'
  finish
fi
if ! python_tools monitoring "$here/requirements.txt"; then
  skip $part 'python packages' - 'pip could not install them'
  finish
fi
python=$tools/python
prometheus=$(version promtool) alertmanager=$(version amtool)

routes() {
  cases=0
  while IFS='	' read -r labels receivers; do
    case $labels in '#'* | '') continue ;; esac
    cases=$((cases + 1))
    # shellcheck disable=SC2086 # labels are apart by spaces
    amtool config routes test --config.file="$root/monitoring/alertmanager/alertmanager.yml" --verify.receivers="$receivers" $labels \
      >"$work/route" 2>&1 || { echo "$labels: $(tr '\n' ' ' <"$work/route")"; return 1; }
  done <"$root/monitoring/alertmanager/routes.tsv"
  [ "$cases" -gt 0 ] || { echo 'no route is tested'; return 1; }
}

# Keys and URLs come from files: one in the configuration would be in the repository.
secrets() {
  ! grep -nE '(routing_key|service_key|api_url|slack_api_url|password|credentials|bearer_token):' "$root/monitoring/alertmanager/alertmanager.yml"
}

alerts() { "$python" "$here/alerts.py" "$@"; }

dashboards() {
  alerts names "$root" "$evidence"/*.metrics
}

# The linter knows a scrape alone; names of recording rules are verified against it by another check.
dashlint() {
  {
    cat "$evidence"/*.metrics
    sed -n "s/.*record: *'\{0,1\}\([a-z0-9_:]*\).*/\1 0/p" "$root"/monitoring/prometheus/rules/*.rules.yml
    # What there is only with a cluster, with TLS, with replicas.
    printf '%s 0\n' kube_horizontalpodautoscaler_status_current_replicas kube_horizontalpodautoscaler_spec_max_replicas \
      mcp_rag_database_replica_lag_seconds
  } >"$work/known"
  "$python" "$shared/tools/infra/grafana/dashlint.py" "$shared/tools/infra/grafana/dashboard.jsonschema.json" "$work/known" \
    "$root"/monitoring/grafana/dashboards/*.json
}

check $part 'promtool check config' "$prometheus" promtool check config "$root/monitoring/prometheus/prometheus.yml"
check $part 'promtool check rules' "$prometheus" promtool check rules --lint=all --lint-fatal "$root"/monitoring/prometheus/rules/*.rules.yml
check $part 'promtool test rules' "$prometheus" promtool test rules "$root"/monitoring/tests/*.test.yml
check $part 'every alert is tested' - alerts tests "$root"
check $part 'runbooks and severities' - alerts runbooks "$root"
check $part 'the table of alerts' - alerts table "$root"
check $part 'amtool check-config' "$alertmanager" amtool check-config "$root/monitoring/alertmanager/alertmanager.yml"
check $part 'amtool config routes test' "$alertmanager" routes
check $part 'severities in the routes' - alerts routes "$root"
check $part 'no secret in the routes' - secrets
check $part 'dashboards as generated' - "$python" "$root/monitoring/grafana/generate.py" --check

evidence=${MCP_RAG_SCRAPE:-$work/e2e}
if [ -n "${MCP_RAG_SCRAPE:-}" ]; then
  skip $part 'a page, end to end' "$prometheus, $alertmanager" 'MCP_RAG_SCRAPE names an earlier run'
elif ! server=$(binary); then
  skip $part 'a page, end to end' "$prometheus, $alertmanager" 'the server cannot be built'
else
  chmod 755 "$work"
  check $part 'a page, end to end' "$prometheus, $alertmanager" "$python" "$here/e2e.py" "$root" "$server" "$evidence"
fi
if [ -f "$evidence/server.metrics" ]; then
  check $part 'names in rules and dashboards' "$("$python" -c 'import yaml; print(yaml.__version__)')" dashboards
  if [ -n "$shared" ]; then
    check $part dashlint "$("$python" -c 'import jsonschema; print(jsonschema.__version__)' 2>/dev/null)" dashlint
  else
    skip $part dashlint - 'the linter beside the checkout is not here'
  fi
  check $part 'log pipeline on real lines' - "$python" "$here/logs.py" "$root" "$evidence/server.log"
else
  for tool in 'names in rules and dashboards' dashlint 'log pipeline on real lines'; do
    skip $part "$tool" - 'there is no scrape of a server'
  done
fi
skip $part 'alloy fmt, loki -verify-config' - 'neither program is to be had here'
finish
