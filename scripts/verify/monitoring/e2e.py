#!/usr/bin/env python3
"""A page, from a broken dependency to a stand-in PagerDuty and back, through the committed configuration.

usage: e2e.py ROOT BINARY OUT [--scrape-only]

A real server on a real PostgreSQL behind a proxy that can be cut, a real Prometheus with ROOT's rules, a real
Alertmanager with ROOT's routes. What waits minutes in production waits seconds here: `for`, `group_wait` and the like,
and nothing else is changed. Leaves in OUT what the server, Prometheus and Alertmanager expose (*.metrics), and the
server's log as JSON (server.log). Ports are free ones of this machine; every process that is started is ended.
"""
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(url, body=None, method=None, timeout=10, **headers):
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def until(what, holds, within=60):
    began = time.monotonic()
    while time.monotonic() - began < within:
        if found := holds():
            print(f"ok - {what} ({time.monotonic() - began:.1f} s)")
            return found
        time.sleep(0.2)
    raise SystemExit(f"not ok - {what}: not within {within} s")


class Sink(http.server.BaseHTTPRequestHandler):
    """PagerDuty, the tickets' channel, the heartbeat's watcher and a collector of traces."""

    got = []

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path != "/v1/traces":
            Sink.got.append((self.path, json.loads(body or b"{}"), self.headers.get("authorization")))
        answer = b"" if self.path == "/v1/traces" else b'{"status":"success","dedup_key":"x","message":"ok"}'
        self.send_response(200 if self.path == "/v1/traces" else 202)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Proxy:
    """Between the server and PostgreSQL's socket; cut, it closes everything and takes nothing."""

    def __init__(self, folder, upstream):
        self.upstream, self.open, self.pairs = upstream, True, set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{folder}/.s.PGSQL.5432")
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if not self.open:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.upstream)
            self.pairs.add((client, server))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, target), daemon=True).start()

    def pump(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.open = False
        for pair in list(self.pairs):
            for one in pair:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Run:
    def __init__(self, root, binary, out):
        self.root, self.binary, self.out, self.started = root, binary, out, []

    def start(self, name, *command, cwd=None, env=None):
        log = open(self.out / f"{name}.log", "w")
        self.started.append(subprocess.Popen(command, cwd=cwd or self.root, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}))
        return self.started[-1]

    def stop(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()

    def server(self, name, **settings):
        port, admin = free_port(), free_port()
        sets = {"server.port": port, "admin.port": admin, "log.format": "json", "data_dir": self.out / name, **settings}
        arguments = [part for key, value in sets.items() for part in ("--set", f"{key}={value}")]
        process = self.start(name, str(self.binary), "serve", *arguments, cwd=pathlib.Path(self.binary).resolve().parent.parent.parent, env={"MCP_RAG_SECRETS_DIR": "/nonexistent"})
        url, admin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}"

        def ready():
            if process.poll() is not None:
                raise SystemExit(f"not ok - {name} did not start: " + (self.out / f"{name}.log").read_text()[-2000:])
            return ask(f"{admin}/health/ready")[0] == 200

        until(f"the server {name} is ready", ready)
        return url, admin

    def traced(self, url):
        return ask(f"{url}/v1/search", {"query": "what jumps?", "collections": ["facts"]}, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")[0] == 200

    # What makes the metrics of what is only there once it has happened.
    def traffic(self, url):
        ask(f"{url}/v1/collections", {"name": "facts"})
        for at in range(3):
            ask(f"{url}/v1/collections/facts/documents/fox{at}?wait=true", f"The fox {at} jumps over the lazy dog.".encode(), "PUT", content_type="text/markdown")
        assert self.traced(url)
        assert ask(f"{url}/v1/answers", {"question": "What does the fox jump over?", "collections": ["facts"]})[0] == 200
        ask(f"{url}/v1/search", {"query": "nothing", "collections": ["unknown"]})
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_collections", "arguments": {}}}
        ask(f"{url}/mcp", call, accept="application/json, text/event-stream", mcp_protocol_version="2025-06-18")


def hasten(text):
    """Seconds for minutes."""
    text = re.sub(r"\b(for|interval|group_wait|group_interval): \d+[smhd]", lambda found: f"{found[1]}: {2 if found[1] == 'for' else 1}s", text)
    return text


def prometheus(run, backend, alertmanager):
    folder = run.out / "prometheus"
    shutil.copytree(run.root / "monitoring/prometheus", folder)
    config = (folder / "prometheus.yml").read_text()
    port = free_port()
    config = re.sub(r"(scrape_interval|evaluation_interval|scrape_timeout): \d+s", r"\1: 1s", config).replace("localhost:9090", f"127.0.0.1:{port}")
    (folder / "prometheus.yml").write_text(config)
    for rules in folder.glob("rules/*.rules.yml"):
        rules.write_text(hasten(rules.read_text()))
    target = lambda url: json.dumps([{"targets": [url.removeprefix("http://")], "labels": {"namespace": "mcp-demo"}}])
    (folder / "targets/mcp-backend.yml").write_text(target(backend))
    (folder / "targets/alertmanager.yml").write_text(target(alertmanager))
    run.start("prometheus-server", "prometheus", "--config.file=prometheus.yml", f"--storage.tsdb.path={run.out}/tsdb", f"--web.listen-address=127.0.0.1:{port}",
              "--enable-feature=exemplar-storage", "--rules.alert.resend-delay=2s", "--log.level=warn", cwd=folder)
    return f"http://127.0.0.1:{port}"


def alertmanager(run, sink):
    folder = run.out / "alertmanager"
    (folder / "secrets").mkdir(parents=True)
    for name in ("pagerduty-oncall", "pagerduty-security", "heartbeat-token"):
        (folder / "secrets" / name).write_text(f"key-of-{name}")
    (folder / "secrets/tickets-url").write_text(f"{sink}/tickets")
    config = hasten((run.root / "monitoring/alertmanager/alertmanager.yml").read_text())
    config = config.replace("/etc/alertmanager/secrets", f"{folder}/secrets").replace("https://heartbeat.example.com", sink)
    # Whatever the hour of the test.
    config = config.replace("mute_time_intervals: [nights]", "mute_time_intervals: []").replace("global:\n", f"global:\n  pagerduty_url: {sink}/v2/enqueue\n", 1)
    config = config.replace("repeat_interval: 1m", "repeat_interval: 2s").replace("resolve_timeout: 5m", "resolve_timeout: 2s")
    (folder / "alertmanager.yml").write_text(config)
    port = free_port()
    run.start("alertmanager-server", "prometheus-alertmanager", "--config.file=alertmanager.yml", f"--storage.path={run.out}/am", f"--web.listen-address=127.0.0.1:{port}",
              "--cluster.listen-address=", cwd=folder)
    return f"http://127.0.0.1:{port}"


def pages(action, key="key-of-pagerduty-oncall"):
    return [body for path, body, _ in Sink.got if path == "/v2/enqueue" and body["event_action"] == action and body["routing_key"] == key]


def drill(run, scrape_only):
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    sink = f"http://127.0.0.1:{listener.server_port}"

    # The first has the database; the second one is looked at, and reaches it through the proxy.
    run.server("owner", **{"ingest.worker": "false"})
    socket_path = next(iter(re.findall(r'"socket_dir":"([^"]+)"', (run.out / "owner.log").read_text())), None)
    if socket_path is None:
        raise SystemExit("not ok - the log does not say where PostgreSQL's socket is")
    folder = pathlib.Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    try:
        proxy = Proxy(folder, f"{socket_path}/.s.PGSQL.5432")
        url, admin = run.server("server", **{"database.url": f"postgresql://postgres@%2F{str(folder)[1:].replace('/', '%2F')}/mcp_rag", "tracing.endpoint": sink})
        run.traffic(url)
        until("the database is measured", lambda: re.search(r"^mcp_rag_chunks \d", ask(f"{admin}/metrics")[1], re.M))
        (run.out / "server.metrics").write_text(ask(f"{admin}/metrics")[1])
        (run.out / "server.openmetrics").write_text(ask(f"{admin}/metrics", accept=OPENMETRICS)[1])
        if scrape_only:
            return
        alerts = alertmanager(run, sink)
        server = prometheus(run, admin, alerts)

        def query(path):
            status, body = ask(f"{server}/api/v1/{path}")
            # While it reads its log it answers 503, in words.
            return json.loads(body)["data"] if status == 200 else {}

        until("Prometheus scrapes the server", lambda: query("query?query=up%7Bjob%3D%22mcp-backend%22%7D%20%3D%3D%201").get("result"))
        until("every rule was evaluated, and none failed", lambda: all(
            rule["health"] == "ok" or print(f"not ok - {rule['name']}: {rule.get('lastError')}") for group in query("rules").get("groups", []) for rule in group["rules"])
            and query("rules")["groups"])
        exemplars = lambda: query(f"query_exemplars?query=mcp_rag_http_request_seconds_bucket%7Broute%3D%22%2Fv1%2Fsearch%22%7D&start={time.time() - 600}&end={time.time() + 60}")
        # A bucket keeps the newest alone: the request is made again until a scrape has come between it and another.
        until("a latency leads to its trace: query_exemplars has the id that the request had",
              lambda: run.traced(url) and any(one["labels"]["trace_id"] == TRACE for series in exemplars() or [] for one in series["exemplars"]))
        until("the heartbeat is heard, with its token", lambda: any(path == "/mcp-rag" and token == "Bearer key-of-heartbeat-token" for path, _, token in Sink.got))
        # What fires while all is well would page every night; only that nobody reports backups is true here, and what this
        # machine's disk is like. Before the first scrape no server can be scraped, which in seconds is an alert.
        true_here = {"McpRagWatchdog", "McpRagBackupUnknown", "McpRagDiskLow", "McpRagDiskAlmostFull"}
        loud = lambda: {alert["labels"]["alertname"] for alert in query("alerts")["alerts"]} - true_here
        until("nothing fires while all is well", lambda: not loud() and len(pages("trigger")) == len(pages("resolve")))
        time.sleep(5)
        if loud():
            raise SystemExit(f"not ok - an alert while all is well: {loud()}")
        Sink.got.clear()

        before = time.monotonic()
        proxy.cut()
        page = until("the database is cut off: a page arrives at PagerDuty", lambda: next((p for p in pages("trigger") if "McpRagDatabaseAway" in json.dumps(p)), None))
        said = json.dumps(page)
        for wanted in ("No server reaches the database", "docs/runbooks/03-database-issues.md#the-database-is-away", "critical"):
            if wanted not in said:
                raise SystemExit(f"not ok - the page does not say {wanted!r}: {said}")
        print(f"ok - it says what is wrong and leads to the runbook ({page['payload']['summary']!r})")
        proxy.open = True
        resolved = until("the database is back: the page is resolved", lambda: next((p for p in pages("resolve") if p["dedup_key"] == page["dedup_key"]), None))
        print(f"ok - the same incident, {time.monotonic() - before:.1f} s from cut to resolved" if resolved else "")
        if wrong := pages("trigger", "key-of-pagerduty-security"):
            raise SystemExit(f"not ok - the security rotation was paged too: {wrong}")
        (run.out / "prometheus.metrics").write_text(ask(f"{server}/metrics")[1])
        (run.out / "alertmanager.metrics").write_text(ask(f"{alerts}/metrics")[1])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    root, binary, out = (pathlib.Path(one).resolve() for one in sys.argv[1:4])
    out.mkdir(parents=True, exist_ok=True)
    out.chmod(0o755)
    run = Run(root, binary, out)
    try:
        drill(run, "--scrape-only" in sys.argv[4:])
    finally:
        run.stop()


if __name__ == "__main__":
    main()
