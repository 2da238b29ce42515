#!/usr/bin/env python3
"""Writes dashboards/*.json: each dashboard is its rows, a row its panels, a panel its queries.

usage: generate.py [--check]     --check writes nothing and fails where a committed file differs
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent / "dashboards"
NS = 'namespace=~"$namespace"'
SEARCH = 'route=~"/v1/search|/v1/vector_stores/.+/search"'
WORK = 'route=~"/v1/.+|/mcp", route!~"/v1/system.*"'


def rate(metric, matchers="", by=""):
    """Of a counter, by nothing or by some labels."""
    series = f"{metric}{{{', '.join(filter(None, [NS, matchers]))}}}[$__rate_interval]"
    return f"sum{f' by ({by})' if by else ''} (rate({series}))"


def gauge(metric, by="", how="max", matchers=""):
    return f"{how}{f' by ({by})' if by else ''} ({metric}{{{', '.join(filter(None, [NS, matchers]))}}})"


def quantile(share, metric, matchers="", by=""):
    return f"histogram_quantile({share}, {rate(metric + '_bucket', matchers, ', '.join(filter(None, ['le', by])))})"


def of(part, whole):
    return f"{part} / {whole}"


def graph(title, about, unit, *queries, width=12, **custom):
    return dict(kind="timeseries", title=title, about=about, unit=unit, queries=queries, width=width, custom=custom)


def stat(title, about, unit, query, width=6, steps=(), **options):
    return dict(kind="stat", title=title, about=about, unit=unit, queries=[(query, "")], width=width, steps=steps, custom=options)


DASHBOARDS = {
    "service": ("mcp-rag: service and objectives", {
        "Objectives": [
            stat("Availability, budget left", "Of 30 days. Below a quarter, changes that may fail wait.", "percentunit",
                 f'min(slo:mcp_rag_budget_left:ratio30d{{slo="availability", {NS}}})', steps=[(None, "red"), (0, "orange"), (0.25, "green")]),
            stat("Searches within 1 s, budget left", "Of 30 days.", "percentunit",
                 f'min(slo:mcp_rag_budget_left:ratio30d{{slo="search_1s", {NS}}})', steps=[(None, "red"), (0, "orange"), (0.25, "green")]),
            stat("Searches, p95", "The objective is 500 ms.", "s", f"max(mcp_rag:search_seconds:p95_5m{{{NS}}})", steps=[(None, "green"), (0.4, "orange"), (0.5, "red")]),
            stat("Searches, p99", "The objective is 1 s.", "s", f"max(mcp_rag:search_seconds:p99_5m{{{NS}}})", steps=[(None, "green"), (0.8, "orange"), (1, "red")]),
            graph("Burn rate over an hour", "How many times faster than allowed. 1 spends the budget in 30 days; 14.4 pages.", "none",
                  (f"max by (slo) (slo:mcp_rag_burn:rate1h{{{NS}}})", "{{slo}}"), width=24),
        ],
        "Requests": [
            graph("Requests by status", "4xx are callers' mistakes, 5xx ours.", "reqps", (rate("mcp_rag_http_requests_total", WORK, "status"), "{{status}}"), fillOpacity=20, stacking={"mode": "normal"}),
            graph("Failed, by route", "One route that fails is hidden in the total.", "percentunit", (f"max by (route) (mcp_rag:route_error_ratio:rate1h{{{NS}}}) > 0", "{{route}}")),
            graph("Search latency", "Dots are traces: click one.", "s",
                  *[(quantile(q, "mcp_rag_http_request_seconds", SEARCH), name) for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))], exemplars=True),
            graph("Searches that were not cached, p95 by mode", "The database's and the embedder's part.", "s", (quantile(0.95, "mcp_rag_search_seconds", by="mode"), "{{mode}}")),
            graph("Whole answers", "As long as the chat model takes; extractive ones are as quick as searches.", "s",
                  (quantile(0.5, "mcp_rag_answer_seconds"), "p50"), (quantile(0.95, "mcp_rag_answer_seconds"), "p95")),
            graph("Answers that abstained", "Nothing was found that supports an answer.", "percentunit",
                  (of(rate("mcp_rag_answers_total", 'abstained="true"'), rate("mcp_rag_answers_total")), "abstained")),
        ],
        "What is missing": [
            graph("Responses without a stage", "They are answered, and say so in `degraded`.", "reqps", (rate("mcp_rag_degraded_responses_total", by="stage"), "{{stage}}")),
            graph("Turned away", "503 with Retry-After, at the entrance.", "reqps", (rate("mcp_rag_http_shed_total", by="priority"), "{{priority}}")),
            graph("In flight, of the limit", "The limit adapts to latency: when it falls, something behind is slow.", "percentunit",
                  (f"{gauge('mcp_rag_http_in_flight', 'lane', 'sum')} / {gauge('mcp_rag_http_limit', 'lane', 'sum')}", "{{lane}}")),
            graph("Versions", "Two for long: a rollout is stuck.", "none", (gauge("mcp_rag_build_info", "version", "count"), "{{version}}"), fillOpacity=20, stacking={"mode": "normal"}),
        ],
    }),
    "actors": ("mcp-rag: actors and circuits", {
        "Actors": [
            stat("Actors down", "Should be 0.", "none", f"count(mcp_rag_actor_up{{{NS}}} == 0) or vector(0)", steps=[(None, "green"), (1, "red")]),
            stat("Restarts in the last day", "In good health there are none.", "none", f"sum(increase(mcp_rag_actor_restarts_total{{{NS}}}[1d]))", steps=[(None, "green"), (1, "orange")]),
            stat("Threads given up", "Blocked and not ended. More than eight end the process.", "none", gauge("mcp_rag_actor_abandoned_threads", how="sum"), steps=[(None, "green"), (1, "red")]),
            stat("Circuits open", "Dependencies that are away.", "none", f"count(mcp_rag_breaker_state{{{NS}}} == 2) or vector(0)", steps=[(None, "green"), (1, "red")]),
            graph("Restarts by cause", "The log names the reason of each.", "none", (f"sum by (actor, cause) (increase(mcp_rag_actor_restarts_total{{{NS}}}[$__rate_interval])) > 0", "{{actor}} {{cause}}"), drawStyle="bars"),
            graph("Waiting calls", "Where calls pile up is what is slow.", "none", (gauge("mcp_rag_actor_mailbox", "actor", "sum"), "{{actor}}")),
            graph("Calls being worked on", "Beside it: what each owns is busy.", "none", (gauge("mcp_rag_actor_in_flight", "actor", "sum"), "{{actor}}")),
            graph("Calls that did not end well", "`down` and `not_started` are repeated by themselves; `lost` was cut off in the middle.", "reqps",
                  (rate("mcp_rag_actor_calls_total", 'outcome!="ok"', "actor, outcome") + " > 0", "{{actor}} {{outcome}}")),
            graph("Calls refused for want of a place", "Bulk goes first; `interactive` means users notice.", "reqps", (rate("mcp_rag_actor_shed_total", by="actor, priority") + " > 0", "{{actor}} {{priority}}")),
            graph("Deadlines passed, calls repeated", "Repeated: their incarnation ended before they began.", "reqps",
                  (rate("mcp_rag_actor_deadline_exceeded_total", by="actor") + " > 0", "{{actor}} late"), (rate("mcp_rag_actor_repeats_total", by="actor") + " > 0", "{{actor}} repeated")),
        ],
        "Circuits": [
            graph("State", "0 closed, 1 half open, 2 open: the worst of all servers.", "none", (gauge("mcp_rag_breaker_state", "breaker"), "{{breaker}}"), lineInterpolation="stepAfter"),
            graph("Changes of state", "Opening again and again: now and then it answers.", "none",
                  (f"sum by (breaker, to) (increase(mcp_rag_breaker_transitions_total{{{NS}}}[$__rate_interval])) > 0", "{{breaker}} {{to}}"), drawStyle="bars"),
            graph("Tokens of callers, by outcome", "`unavailable`: the issuer's keys cannot be fetched.", "reqps", (rate("mcp_rag_tokens_total", by="outcome") + " > 0", "{{outcome}}")),
            graph("Spans, settings, audit", "All of them should be flat but `exported`.", "none",
                  (rate("mcp_rag_trace_spans_total", by="outcome"), "spans {{outcome}}"),
                  (f"sum by (outcome) (increase(mcp_rag_config_reloads_total{{{NS}}}[$__rate_interval])) > 0", "settings {{outcome}}"),
                  (rate("mcp_rag_audit_dropped_total"), "audit entries lost")),
        ],
    }),
    "database": ("mcp-rag: database and vector index", {
        "Connections": [
            graph("Of each pool, in use", "At 100 % calls wait.", "percentunit",
                  (f"{gauge('mcp_rag_database_pool_in_use', 'server', 'sum')} / {gauge('mcp_rag_database_pool_size', 'server', 'sum')}", "{{server}}")),
            graph("Calls that wait for a connection", "Above 0 for long: slow statements, or too few connections.", "none", (gauge("mcp_rag_database_pool_waiting", "server", "sum"), "{{server}}")),
            graph("Connections of PostgreSQL", "Everybody's, against what it allows.", "none", (gauge("mcp_rag_database_connections"), "connections"), (gauge("mcp_rag_database_max_connections"), "allowed")),
            graph("Reads by who answered", "`standin`: a replica while the writer is away.", "reqps", (rate("mcp_rag_database_reads_total", by="route"), "{{route}}"), fillOpacity=20, stacking={"mode": "normal"}),
            graph("Replicas behind the writer", "Beyond database.replica_max_lag_ms they get no reads.", "s",
                  (f"max by (server) (mcp_rag_database_replica_lag_seconds{{{NS}}})", "{{server}}")),
            graph("Hedged reads, cancelled statements", "Reads that were slow at first; statements nobody waited for any more.", "reqps",
                  (rate("mcp_rag_database_hedges_total", by="winner"), "hedge won by the {{winner}}"), (rate("mcp_rag_database_cancellations_total", by="outcome"), "cancellation {{outcome}}")),
        ],
        "Vector index": [
            stat("Index, of what PostgreSQL can cache", "Above 80 % grow the instance before searches slow down.", "percentunit",
                 f"{gauge('mcp_rag_vector_index_bytes')} / {gauge('mcp_rag_database_cache_bytes')}", steps=[(None, "green"), (0.6, "orange"), (0.8, "red")]),
            stat("Vectors", "As the planner estimates.", "short", gauge("mcp_rag_vectors")),
            stat("Bytes of index for a vector", "About 1.1 kB at 384 dimensions in half precision.", "bytes", f"{gauge('mcp_rag_vector_index_bytes')} / {gauge('mcp_rag_vectors')}"),
            stat("Share of the largest tenant", "One tenant that is most of it sets the effort of everybody's searches.", "percentunit",
                 f"{gauge('mcp_rag_largest_tenant_chunks')} / {gauge('mcp_rag_chunks')}"),
            graph("Size", "Index, whole database, and what can be cached.", "bytes", (gauge("mcp_rag_vector_index_bytes"), "vector index"), (gauge("mcp_rag_database_bytes"), "database"), (gauge("mcp_rag_database_cache_bytes"), "cache")),
            graph("Searches repeated exactly", "The walk of the index came back short: filters select little.", "reqps", (rate("mcp_rag_search_repeats_total"), "repeated")),
            graph("Since the write-ahead log was archived", "The objective is less than 15 minutes, while something is written.", "s", (f"time() - {gauge('mcp_rag_wal_archived_timestamp_seconds')}", "since")),
            graph("Since the last backup", "One is made each day.", "s", ("mcp_rag:backup_age:seconds", "since")),
        ],
        "Hot index": [
            stat("Searches answered in memory", "Of those that were not cached.", "percentunit", of(rate("mcp_rag_index_searches_total", 'outcome="hot"'), rate("mcp_rag_index_searches_total"))),
            stat("Copies that were wrong, last day", "A fault of ours: they were made anew. Report it.", "none",
                 f'sum(increase(mcp_rag_index_drops_total{{{NS}, reason=~"differs|damaged"}}[1d]))', steps=[(None, "green"), (1, "red")]),
            graph("Searches by who answered", "`absent`: not kept. `behind`: PostgreSQL was asked for what is newer.", "reqps",
                  (rate("mcp_rag_index_searches_total", by="outcome"), "{{outcome}}"), fillOpacity=20, stacking={"mode": "normal"}),
            graph("Memory of the copies", "By process, at most index.memory_bytes.", "bytes", (gauge("mcp_rag_index_bytes", "instance"), "{{instance}}")),
            graph("Age of the copy that is furthest behind", "About index.poll_ms; it grows while PostgreSQL is away.", "s", (gauge("mcp_rag_index_lag_seconds", "instance"), "{{instance}}")),
            graph("Documents taken in", "What the feed brings.", "none", (rate("mcp_rag_index_changes_total"), "documents")),
            graph("Copies made, given up", "Again and again: they take turns for too little memory.", "none",
                  (f"sum by (outcome) (increase(mcp_rag_index_builds_total{{{NS}}}[$__rate_interval])) > 0", "build {{outcome}}"),
                  (f"sum by (reason) (increase(mcp_rag_index_drops_total{{{NS}}}[$__rate_interval])) > 0", "given up: {{reason}}"), drawStyle="bars"),
        ],
    }),
    "ingestion": ("mcp-rag: ingestion", {
        "Queue": [
            stat("Oldest that somebody waits for", "Interactive tasks. Above 5 minutes there is a ticket.", "s", gauge("mcp_rag_queue_oldest_task_seconds", matchers='class="interactive"'), steps=[(None, "green"), (60, "orange"), (300, "red")]),
            stat("Oldest of bulk uploads", "Hours are normal for a large one.", "s", gauge("mcp_rag_queue_oldest_task_seconds", matchers='class="bulk"')),
            stat("Tasks due", "Waiting for a worker.", "short", "sum(" + gauge("mcp_rag_queue_tasks", "class", matchers='state="due"') + ")"),
            stat("Failed documents", "Waiting for somebody to correct them.", "short", gauge("mcp_rag_failed_documents"), steps=[(None, "green"), (1, "orange")]),
            graph("Tasks", "`put_off`: something they need is away.", "short", (gauge("mcp_rag_queue_tasks", "class, state"), "{{class}} {{state}}"), fillOpacity=20, stacking={"mode": "normal"}),
            graph("Age of the oldest task", "It falls when workers catch up.", "s", (gauge("mcp_rag_queue_oldest_task_seconds", "class"), "{{class}}")),
        ],
        "Work": [
            graph("Documents by outcome", "`waits`: too long to be worked on beside other long ones.", "reqps", (rate("mcp_rag_ingested_documents_total", by="outcome"), "{{outcome}}")),
            graph("Texts in a forward pass", "Near 1 while the queue is long: batches do not form.", "none", (f'max(mcp_rag_embedder_batch_texts{{quantile="0.95", {NS}}})', "p95")),
            graph("Situating sentences of chunks", "`asked` costs tokens of the chat model.", "reqps", (rate("mcp_rag_chunk_contexts_total", by="outcome"), "{{outcome}}")),
            graph("Webhooks", "`failed`: the client was not told.", "reqps", (rate("mcp_rag_webhooks_total", by="outcome"), "{{outcome}}")),
            graph("Documents that expired", "Deleted because their time had come.", "reqps", (rate("mcp_rag_expired_documents_total"), "expired")),
            graph("Reading PDF and Office files", "Calls to the parser by their end.", "reqps", (rate("mcp_rag_actor_calls_total", 'actor="parser"', "outcome"), "{{outcome}}")),
        ],
    }),
    "capacity": ("mcp-rag: cost and capacity", {
        "Servers": [
            graph("Cores in use", "By process.", "none", (rate("process_cpu_seconds_total", by="instance"), "{{instance}}")),
            graph("Requests for a core", "What a core does: the number to plan with.", "reqps", (f"{rate('mcp_rag_http_requests_total', WORK)} / {rate('process_cpu_seconds_total')}", "requests a second and core")),
            graph("Memory", "Resident, by process.", "bytes", (gauge("process_resident_memory_bytes", "instance"), "{{instance}}")),
            graph("Open files", "Connections above all.", "none", (gauge("process_open_fds", "instance"), "{{instance}}")),
            graph("Replicas, of the most there may be", "At 100 % more load finds no more servers.", "percentunit",
                  (f'max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_current_replicas{{{NS}}} / kube_horizontalpodautoscaler_spec_max_replicas{{{NS}}})', "{{horizontalpodautoscaler}}")),
            graph("Disk free", "The data directory, and volumes.", "percentunit", ("mcp_rag:disk_free:ratio", "{{of}} {{instance}}")),
        ],
        "What costs": [
            stat("Tokens of the chat model, last day", "What the provider bills.", "short", f"sum(increase(mcp_rag_llm_tokens_total{{{NS}}}[1d]))"),
            stat("Tokens for an answer", "Of the last hour.", "short", f"sum(increase(mcp_rag_llm_tokens_total{{{NS}}}[1h])) / sum(increase(mcp_rag_answers_total{{{NS}}}[1h]))"),
            stat("Searches from the cache", "Each one costs the database nothing.", "percentunit", of(rate("mcp_rag_cache_requests_total", 'outcome="hit"'), rate("mcp_rag_cache_requests_total", 'level="local"'))),
            stat("Queries whose vector was known", "Each one costs the embedder nothing.", "percentunit", of(rate("mcp_rag_embedder_query_cache_total", 'outcome="hit"'), rate("mcp_rag_embedder_query_cache_total"))),
            graph("Tokens of the chat model", "By the minute.", "none", (f"60 * {rate('mcp_rag_llm_tokens_total')}", "tokens")),
            graph("Cache by level and outcome", "`skipped` while Redis is away.", "reqps", (rate("mcp_rag_cache_requests_total", by="level, outcome"), "{{level}} {{outcome}}")),
            graph("Over a quota", "By budget: search, answers, ingest.", "percentunit",
                  (of(rate("mcp_rag_quota_requests_total", 'outcome="limited"', "budget"), rate("mcp_rag_quota_requests_total", by="budget")), "{{budget}}")),
            graph("Who decides quotas", "`fallback`: each server for itself, while Redis is away.", "reqps", (rate("mcp_rag_quota_requests_total", by="level"), "{{level}}"), (gauge("mcp_rag_quota_buckets", how="sum"), "buckets kept")),
            graph("Chunks", "What there is to search.", "short", (gauge("mcp_rag_chunks"), "all tenants"), (gauge("mcp_rag_largest_tenant_chunks"), "the largest")),
            graph("Calls of MCP tools", "By tool, and how they ended.", "reqps", (rate("mcp_rag_mcp_tool_calls_total", by="tool, outcome"), "{{tool}} {{outcome}}")),
        ],
    }),
}


def panel(spec, number, x, y):
    source = {"type": "prometheus", "uid": "${datasource}"}
    custom = dict(spec["custom"])
    exemplars = custom.pop("exemplars", False)
    defaults = {"unit": spec["unit"]}
    if spec["kind"] == "timeseries":
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 5, "showPoints": "never", **custom}
        options = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}, "tooltip": {"mode": "multi", "sort": "desc"}}
    else:
        steps = [{"value": value, "color": colour} for value, colour in spec.get("steps") or [(None, "blue")]]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value", "graphMode": "area",
                   "textMode": "auto", "justifyMode": "auto", "orientation": "auto"}
    targets = [{"refId": chr(65 + at), "datasource": source, "expr": expr, "legendFormat": legend or "__auto", **({"exemplar": True} if exemplars else {})}
               for at, (expr, legend) in enumerate(spec["queries"])]
    height = 8 if spec["kind"] == "timeseries" else 4
    return {"id": number, "type": spec["kind"], "title": spec["title"], "description": spec["about"], "datasource": source,
            "gridPos": {"x": x, "y": y, "w": spec["width"], "h": height}, "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": options, "targets": targets}


def dashboard(name, title, rows):
    panels, y, number = [], 0, 1
    for row, specs in rows.items():
        panels.append({"id": number, "type": "row", "title": row, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        number, y, x, tallest = number + 1, y + 1, 0, 0
        for spec in specs:
            if x + spec["width"] > 24:
                x, y, tallest = 0, y + tallest, 0
            made = panel(spec, number, x, y)
            panels.append(made)
            number, x, tallest = number + 1, x + spec["width"], max(tallest, made["gridPos"]["h"])
        y += tallest
    variables = [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0},
        {"name": "namespace", "label": "Namespace", "type": "query", "datasource": {"type": "prometheus", "uid": "${datasource}"},
         "query": "label_values(mcp_rag_build_info, namespace)", "includeAll": True, "allValue": ".*", "refresh": 2,
         "current": {"text": "All", "value": "$__all"}},
    ]
    starts = {"name": "Starts of servers", "enable": True, "iconColor": "blue", "datasource": {"type": "prometheus", "uid": "${datasource}"},
              "expr": f'process_start_time_seconds{{job=~"mcp-.+", {NS}}} * 1000', "useValueForTime": True, "titleFormat": "{{instance}} started", "hide": False}
    links = [{"title": "mcp-rag", "type": "dashboards", "tags": ["mcp-rag"], "asDropdown": True, "icon": "external link", "tooltip": "", "url": "",
              "includeVars": True, "keepTime": True, "targetBlank": False}]
    return {"uid": f"mcp-rag-{name}", "title": title, "tags": ["mcp-rag"], "schemaVersion": 39, "editable": False, "graphTooltip": 1, "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"}, "timezone": "utc", "templating": {"list": variables}, "annotations": {"list": [starts]}, "links": links, "panels": panels}


def main():
    differ = []
    for name, (title, rows) in DASHBOARDS.items():
        path, text = HERE / f"{name}.json", json.dumps(dashboard(name, title, rows), indent=1, ensure_ascii=False) + "\n"
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != text:
                differ.append(f"{path.name} is not what generate.py makes: run monitoring/grafana/generate.py")
        else:
            path.write_text(text)
    print("\n".join(differ), end="\n" if differ else "")
    sys.exit(bool(differ))


main()
