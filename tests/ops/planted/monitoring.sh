#!/bin/sh
# Mistakes in monitoring/, each caught by the check it is for. One real server is started, for what it exposes; the last
# mistake takes a whole drill.
part=monitoring
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
copies monitoring docs README.md

service=monitoring/prometheus/rules/service.rules.yml
routes=monitoring/alertmanager/alertmanager.yml
names='^names in rules and dashboards$'
tested='^promtool test rules$'

# What a server exposes, once for all of them.
evidence=$scratch/evidence
chmod 755 "$scratch"
VERIFY_TOOL='no such tool' sh "$checkout/scripts/verify/monitoring.sh" >/dev/null # installs what is needed
binary=${MCP_RAG_BIN:-}
# shellcheck disable=SC2012 # names of ours
[ -n "$binary" ] || binary=$(ls -t "$checkout/target/release/mcp-rag" "$checkout/target/debug/mcp-rag" 2>/dev/null | head -n 1)
if [ -z "$binary" ]; then
  echo 'ok - mistakes in names are caught # SKIP no server is built'
elif python3 "$checkout/scripts/verify/monitoring/e2e.py" "$checkout" "$binary" "$evidence" --scrape-only >&2; then
  export MCP_RAG_SCRAPE="$evidence"
  sound "what rules and dashboards name is there" "$names"
  plant "a misspelt metric in an alert is caught" "$names" "no scrape holds mcp_rag_audit_droped_total" $service \
    's/mcp_rag_audit_dropped_total/mcp_rag_audit_droped_total/'
  plant "a misspelt metric in a dashboard is caught" "$names" "no scrape holds mcp_rag_queue_task" monitoring/grafana/dashboards/ingestion.json \
    's/mcp_rag_queue_tasks/mcp_rag_queue_task/'
  plant "a misspelt metric in a dashboard is caught by the linter, too" '^dashlint$' "mcp_rag_queue_task is not exposed" \
    monitoring/grafana/dashboards/ingestion.json 's/mcp_rag_queue_tasks/mcp_rag_queue_task/'
  plant "a label that a metric does not have is caught" "$names" "mcp_rag_http_requests_total has no label code" $service 's/status=~"401/code=~"401/'
  plant "a misspelt metric of another exporter is caught" "$names" "no scrape holds kube_job_failed" monitoring/prometheus/rules/platform.rules.yml \
    's/kube_job_status_failed/kube_job_failed/'
  plant "a field that no log line has is caught" '^log pipeline' "fields.trace.* is in none" monitoring/loki/pipeline.alloy 's/fields\.trace_id/fields.traceId/'
  plant "a label for each trace is caught" '^log pipeline' "no closed set" monitoring/loki/pipeline.alloy \
    's/values = \{ level = "level" \}/values = { level = "level", trace_id = "trace_id" }/'
  unset MCP_RAG_SCRAPE
else
  echo 'the server could not be scraped' | not_ok 'mistakes in names are caught'
fi

plant "invalid PromQL is caught" '^promtool check rules$' "parse error|could not parse" $service 's/absent\(up\{job="mcp-backend"\} == 1\)/absent(up{job="mcp-backend"} == 1/'
plant "a misspelt setting of Prometheus is caught" '^promtool check config$' "field scrape_intervall not found" monitoring/prometheus/prometheus.yml \
  's/scrape_interval:/scrape_intervall:/'
plant "a misspelt metric in an alert is caught by its test, too" "$tested" "McpRagAuditDropped" $service 's/mcp_rag_audit_dropped_total/mcp_rag_audit_droped_total/'
plant "a threshold that never fires is caught" "$tested" "McpRagReplicaLag" $service 's/(mcp_rag_database_replica_lag_seconds\)) > 20/\1 > 2000/'
plant "an alert without a test is caught" '^every alert is tested$' "McpRagNew is not tested" $service 's/alert: McpRagShedding/alert: McpRagNew/'
plant "an alert without a runbook is caught" '^runbooks' "McpRagDown: runbook_url does not lead" $service '0,/alert: McpRagReplicaDown/{/04-pod-crash-loop.md#nothing-is-up/d}'
plant "a runbook without that heading is caught" '^runbooks' "no heading #nothing-is-down" $service 's/#nothing-is-up/#nothing-is-down/'
plant "a severity that nobody routes is caught" '^runbooks' "severity is page, ticket or none" $service 's/severity: page/severity: critical/'
plant "an alert that the documents do not list is caught" '^the table of alerts$' "not as in the rules" $service 's/No server can be scraped/No server is there/'
plant "a route to no receiver is caught" '^amtool check-config$' "undefined receiver" $routes 's/receiver: heartbeat/receiver: heartbeats/'
plant "a page that becomes a ticket is caught" '^amtool config routes test$' "severity=page" $routes 's/receiver: oncall/receiver: tickets/'
plant "a key in the configuration is caught" '^no secret' "routing_key:" $routes '0,/routing_key_file: .*/s//routing_key: 0123456789abcdef/'
plant "a dashboard changed by hand is caught" '^dashboards as generated$' "run monitoring/grafana/generate.py" monitoring/grafana/dashboards/service.json 's/mcp-rag: service/mcp-rag: services/'
[ -z "$binary" ] || plant "an inhibition that swallows the page is caught by the drill" '^a page, end to end$' "a page arrives at PagerDuty: not within" $routes \
  's/source_matchers: \[alertname = McpRagDatabaseAway\]/source_matchers: [alertname = McpRagWatchdog]/; s/target_matchers: \[alertname =~ "McpRagAvail[^"]*"\]/target_matchers: [severity = page]/; /target_matchers: .severity = page/,/equal/{/equal/d}'
finish
