#!/usr/bin/env python3
"""What promtool does not say about rules, tests and dashboards. One line for each finding; non-zero when there is one.

usage: alerts.py names ROOT SCRAPE...   every metric and label that a rule or a dashboard names is in a real scrape
       alerts.py runbooks ROOT          every alert has a severity, says what it is, and leads to a heading that exists
       alerts.py tests ROOT             every alert is tested silent and firing
       alerts.py table ROOT [--write]   the table in docs/MONITORING_ALERTING.md is that of the rules
       alerts.py routes ROOT            every severity that alerts have is in the tested routes
"""
import json
import pathlib
import re
import sys

import yaml

# Of exporters beside the server: which one exposes it. What is not here and not in a scrape is a mistake.
ELSEWHERE = {
    "kube-state-metrics": """kube_cronjob_status_last_successful_time kube_deployment_spec_replicas kube_deployment_status_condition
        kube_deployment_status_replicas_updated kube_horizontalpodautoscaler_spec_max_replicas
        kube_horizontalpodautoscaler_status_current_replicas kube_job_status_failed kube_pod_container_resource_limits
        kube_pod_container_status_last_terminated_reason kube_pod_container_status_restarts_total
        kube_pod_container_status_waiting_reason kube_poddisruptionbudget_status_current_healthy
        kube_poddisruptionbudget_status_desired_healthy""",
    "kubelet": "container_memory_working_set_bytes kubelet_volume_stats_available_bytes kubelet_volume_stats_capacity_bytes",
    "cert-manager": "certmanager_certificate_expiration_timestamp_seconds",
    "scripts/backup-database.sh": "mcp_rag_backup_last_success_timestamp_seconds",
    "Prometheus": "up ALERTS prometheus_rule_evaluation_failures_total",
    # Of the server, where there is what they are about.
    "a server with TLS": "mcp_rag_tls_certificate_expiry_timestamp_seconds",
    "a server with replicas": "mcp_rag_database_replica_lag_seconds",
    "a delivery that failed": "alertmanager_notifications_failed_total",
}
# Labels that Prometheus gives and not the server.
GIVEN = {"job", "instance", "namespace", "pod", "cluster"}
WORDS = set("""and or unless by without on ignoring group_left group_right bool offset inf nan atan2""".split())


def rules(root):
    for path in sorted(root.glob("monitoring/prometheus/rules/*.rules.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield path.name, rule


def alerts(root):
    return [(file, rule) for file, rule in rules(root) if "alert" in rule]


def panels(of):
    for panel in of or []:
        yield panel
        yield from panels(panel.get("panels"))


def queries(root):
    for file, rule in rules(root):
        yield f"{file}: {rule.get('alert') or rule['record']}", rule["expr"]
    for path in sorted(root.glob("monitoring/grafana/dashboards/*.json")):
        board = json.loads(path.read_text())
        for panel in panels(board["panels"]):
            for target in panel.get("targets", []):
                yield f"{path.name}: {panel['title']}", target["expr"]
        for one in board["annotations"]["list"]:
            yield f"{path.name}: {one['name']}", one["expr"]


def named(expression):
    """Metrics of an expression, each with the labels that its selector matches."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    text = re.sub(r"\[[^\]]*\]|\boffset\s+\w+|\bgroup_(left|right)\b", " ", text)
    for name, labels in re.findall(r"\b([a-zA-Z_:][\w:]*)\b\s*(?!\s*\()(\{[^}]*\})?", text):
        # The pattern may end a word early to avoid a bracket; a function is followed by one.
        if re.search(rf"\b{re.escape(name)}\w*\s*\(", text) or name in WORDS or name in {"le"}:
            continue
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels))


def names(root, scrapes):
    known = {}
    for scrape in scrapes:
        for name, labels in re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ", scrape.read_text(), re.M):
            known.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    elsewhere = {name for names in ELSEWHERE.values() for name in names.split()}
    recorded = {rule["record"] for _, rule in rules(root) if "record" in rule}
    bad, looked = [], 0
    for where, expression in queries(root):
        for name, labels in named(expression):
            looked += 1
            if name in recorded or (name in elsewhere and name not in known):
                continue
            if name not in known:
                bad.append(f"{where}: no scrape holds {name}")
            elif strange := labels - known[name] - GIVEN:
                bad.append(f"{where}: {name} has no label {', '.join(sorted(strange))}")
    return bad if looked else ["no query was looked at"]


def anchors(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in re.findall(r"^#+ +(.*)$", text, flags=re.M)}


def runbooks(root):
    bad = []
    for file, rule in alerts(root):
        where, said = f"{file}: {rule['alert']}", rule.get("annotations", {})
        if rule.get("labels", {}).get("severity") not in {"page", "ticket", "none"}:
            bad.append(f"{where}: severity is page, ticket or none")
        bad += [f"{where}: no {wanted}" for wanted in ("summary", "description") if not said.get(wanted)]
        found = re.fullmatch(r"https://.*/(docs/runbooks/[\w-]+\.md)#([\w-]+)", said.get("runbook_url", ""))
        if not found:
            bad.append(f"{where}: runbook_url does not lead to a heading in docs/runbooks")
        elif not (root / found[1]).exists():
            bad.append(f"{where}: {found[1]} does not exist")
        elif found[2] not in anchors(root / found[1]):
            bad.append(f"{where}: {found[1]} has no heading #{found[2]}")
    return bad or ([] if alerts(root) else ["there are no alerts"])


def tests(root):
    quiet, firing = set(), set()
    for path in root.glob("monitoring/tests/*.test.yml"):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test.get("promql_expr_test", []):
                name = re.search(r'ALERTS\{alertname="(\w+)"', case["expr"])[1]
                if not case["exp_samples"]:
                    quiet.add(name)
                elif 'alertstate="firing"' in case["expr"]:
                    firing.add(name)
    bad = []
    for file, rule in alerts(root):
        # The one that always fires is never silent.
        if rule["alert"] not in quiet and rule["expr"] != "vector(1)":
            bad.append(f"{file}: {rule['alert']} is not tested silent")
        if rule["alert"] not in firing:
            bad.append(f"{file}: {rule['alert']} is not tested firing")
    there = {rule["alert"] for _, rule in alerts(root)}
    return bad + [f"{name} is tested, and there is no such alert" for name in sorted((quiet | firing) - there)]


def routes(root):
    tested = (root / "monitoring/alertmanager/routes.tsv").read_text()
    severities = {rule["labels"]["severity"] for _, rule in alerts(root)}
    return [f"routes.tsv tests no alert of severity {one}" for one in sorted(severities) if f"severity={one} " not in tested]


def table(root, write):
    def plain(text):
        text = re.sub(r"\{\{\s*\$labels\.(\w+)\s*\}\}", r"*\1*", text)
        return re.sub(r"\{\{[^}]*\}\}", "N", text)

    rows = ["| Alert | Severity | Fires when | Runbook |", "|---|---|---|---|"]
    for _, rule in alerts(root):
        book, heading = re.search(r"runbooks/([\w-]+\.md)#([\w-]+)", rule["annotations"]["runbook_url"]).groups()
        since = f", for {rule['for']}" if "for" in rule else ""
        rows.append(f"| `{rule['alert']}` | {rule['labels']['severity']} | {plain(rule['annotations']['summary'])}{since} | [{book[:2]}](runbooks/{book}#{heading}) |")
    path = root / "docs/MONITORING_ALERTING.md"
    begin, end = "<!-- alerts:begin -->\n", "<!-- alerts:end -->"
    before, rest = path.read_text().split(begin)
    there, after = rest.split(end)
    if write:
        path.write_text(before + begin + "".join(row + "\n" for row in rows) + end + after)
        return []
    return [f"docs/MONITORING_ALERTING.md: not as in the rules: {row}" for row in sorted(set(rows) ^ set(there.splitlines()))]


def main():
    what, root, *rest = sys.argv[1:]
    root = pathlib.Path(root)
    checks = {
        "names": lambda: names(root, map(pathlib.Path, rest)),
        "runbooks": lambda: runbooks(root),
        "tests": lambda: tests(root),
        "routes": lambda: routes(root),
        "table": lambda: table(root, "--write" in rest),
    }
    if what not in checks:
        raise SystemExit(__doc__)
    bad = checks[what]()
    print("\n".join(bad), end="\n" if bad else "")
    sys.exit(bool(bad))


main()
