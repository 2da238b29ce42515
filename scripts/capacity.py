#!/usr/bin/env python3
"""What a request costs, and how much of what is needed for how many.

  capacity.py measure [--binary FILE] [--data-dir DIR] [--collection NAME] [--seconds N]
      Starts the server on a data directory that holds something (mcp-rag bench scale --data-dir DIR makes one), asks it with
      each kind of request in turn, and prints the processor time of the server and of PostgreSQL for each, from /proc: so it
      hardly matters what else the machine does, nor what the load costs. Linux only.
  capacity.py plan [--rate N] [--chunks N] [--busy SHARE] [--markdown]
      The model of docs/CAPACITY.md: cores, pods and memory for a rate, a number of chunks, and the mix of bench mixed.
"""
import argparse
import http.client
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

CLIENTS = 4
TICK = os.sysconf("SC_CLK_TCK")

# Processor milliseconds of one request: server, PostgreSQL; measured at 100,000 chunks (docs/CAPACITY.md).
COST = {
    "repeated search": (0.12, 0.0),
    "new hybrid search": (2.58, 9.02),
    "new dense search": (1.45, 1.59),
    "new lexical search": (0.53, 4.28),
    "answer": (60.0, 10.2),
    "read": (0.10, 0.06),
    "write": (12.1, 9.44),
}
# PostgreSQL's share of a search grows with the chunks: times this for each tenfold (docs/BENCHMARKS.md, 100,000 to 1,000,000).
GROWTH = {"new hybrid search": 2.3, "new dense search": 2.1, "new lexical search": 3.6, "answer": 2.3}
MEASURED_AT = 100_000
# Shares of a rate, as bench mixed has them; half of the filtered searches are new.
MIX = {"repeated search": 0.87, "new hybrid search": 0.07, "answer": 0.005, "read": 0.05, "write": 0.005}
# Megabytes for a million chunks: vector index, lexical index, the whole database.
VECTORS, LEXICAL, DATABASE = 1116, 265, 6025
POD_CORES = 2


def plan(rate, chunks, busy):
    decades = max(0.0, math.log10(chunks / MEASURED_AT))
    server = sum(rate * share * COST[kind][0] for kind, share in MIX.items()) / 1000
    database = sum(
        rate * share * COST[kind][1] * GROWTH.get(kind, 1.0) ** decades for kind, share in MIX.items()
    ) / 1000
    millions = chunks / 1e6
    return {
        "server_cores": server / busy,
        "pods": max(3, math.ceil(server / busy / POD_CORES) + 1),
        "database_cores": database / busy,
        "index_gb": (VECTORS + LEXICAL) * millions / 1024,
        "database_gb": DATABASE * millions / 1024,
    }


def show(arguments):
    rates = [arguments.rate] if arguments.rate else [1_000, 3_000, 10_000]
    sizes = [arguments.chunks] if arguments.chunks else [1_000_000, 3_000_000, 10_000_000]
    head = ["requests/s", "users at 0.1/s", "chunks", "server cores", f"pods of {POD_CORES}", "database cores", "indexes, GB", "database, GB"]
    rows = []
    for rate in rates:
        for chunks in sizes:
            need = plan(rate, chunks, arguments.busy)
            rows.append([f"{rate:,}", f"{rate * 10:,}", f"{chunks:,}", f"{need['server_cores']:.1f}", str(need["pods"]),
                         f"{need['database_cores']:.1f}", f"{need['index_gb']:.1f}", f"{need['database_gb']:.0f}"])
    if arguments.markdown:
        print("| " + " | ".join(head) + " |\n|" + "---:|" * len(head))
        for row in rows:
            print("| " + " | ".join(row) + " |")
    else:
        print("\t".join(head))
        for row in rows:
            print("\t".join(row))


def ticks(pid):
    """Of a process, with its children that have ended: in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return sum(int(fields[at]) for at in (11, 12, 13, 14)) / TICK


def postgres(data_dir):
    postmaster = int((Path(data_dir) / "postgres/postmaster.pid").read_text().split()[0])
    total = ticks(postmaster)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rsplit(") ", 1)[1].split()[1]) == postmaster:
                total += ticks(path.parent.name)
        except OSError:
            pass  # it has ended
    return total


def words():
    text = " ".join(path.read_text() for path in sorted(Path("docs").glob("*.md")))
    return sorted({word.lower() for word in re.findall(r"[A-Za-z]{4,14}", text)})


class Server:
    def __init__(self, binary, data_dir):
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.port, admin = (one.getsockname()[1] for one in sockets)
        for one in sockets:
            one.close()
        sets = {"server.port": self.port, "admin.port": admin, "data_dir": data_dir, "log.level": "warn", "server.max_in_flight": 256}
        command = [binary, "serve"] + [part for key, value in sets.items() for part in ("--set", f"{key}={value}")]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        for _ in range(600):
            try:
                if self.ask("GET", "/health/ready")[0] == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                sys.exit("capacity: the server did not start")
            time.sleep(0.1)
        sys.exit("capacity: the server is not ready")

    def ask(self, method, path, body=None, connection=None):
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"content-type": "application/json"} if body is not None else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def load(server, make, seconds):
    """Closed-loop clients: how many requests were answered."""
    over, counts, failures, lock, serial = time.monotonic() + seconds, [], [], threading.Lock(), iter(range(10**9))

    def client():
        connection, answered = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60), 0
        while time.monotonic() < over and not failures:
            with lock:
                number = next(serial)
            try:
                status, _ = server.ask(*make(number), connection=connection)
            except (OSError, http.client.HTTPException) as error:
                status = repr(error)
            if status not in (200, 201, 202):
                failures.append(f"{make(number)[1]} was answered {status}")
                return
            answered += 1
        with lock:
            counts.append(answered)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if failures:
        server.process.kill()
        sys.exit(f"capacity: {failures[0]}")
    return sum(counts)


def measure(arguments):
    known, start = words(), int(time.time())
    server = Server(arguments.binary, arguments.data_dir)
    name = arguments.collection

    def query(number):
        return " ".join(known[(start + number * 7919 + at * 104729) % len(known)] for at in range(4)) + f" {number}"

    def search(**more):
        return lambda number: ("POST", "/v1/search", {"query": query(number), "collections": [name], **more})

    _, listed = server.ask("GET", f"/v1/collections/{name}/documents?limit=1")
    document = json.loads(listed)["data"][0]["external_id"]
    sentence = " ".join(known[at * 37 % len(known)] for at in range(160))
    server.ask("POST", "/v1/collections", {"name": "capacity"})
    kinds = {
        "repeated search": lambda _: ("POST", "/v1/search", {"query": "what is kept", "collections": [name]}),
        "new hybrid search": search(),
        "new dense search": search(mode="dense"),
        "new lexical search": search(mode="lexical"),
        "answer": lambda number: ("POST", "/v1/answers", {"question": query(number), "collections": [name]}),
        "read": lambda _: ("GET", f"/v1/collections/{name}/documents/{document}"),
        "write": lambda number: ("PUT", f"/v1/collections/capacity/documents/d{start}-{number}?wait=true",
                                 {"text": f"{number} {sentence}"}),
    }
    print("| request | answered | server, ms | PostgreSQL, ms | a core answers, per second |\n|---|---:|---:|---:|---:|")
    for kind, make in kinds.items():
        load(server, make, 1)  # plans, caches of pages
        before = ticks(server.process.pid), postgres(arguments.data_dir)
        answered = load(server, make, arguments.seconds)
        own, database = (now - then for now, then in zip((ticks(server.process.pid), postgres(arguments.data_dir)), before))
        own, database = 1000 * own / answered, 1000 * database / answered
        print(f"| {kind} | {answered:,} | {own:.2f} | {database:.2f} | {1000 / (own + database):,.0f} |", flush=True)
    memory = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.process.pid}/status").read_text())
    print(f"\nresident memory of the server: {int(memory[1]) // 1024} MB")
    server.ask("DELETE", "/v1/collections/capacity")
    server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("measure")
    one.add_argument("--binary", default="target/release/mcp-rag")
    one.add_argument("--data-dir", required=True)
    one.add_argument("--collection", default="mcp-rag-bench")
    one.add_argument("--seconds", type=float, default=5)
    one.set_defaults(run=measure)
    one = commands.add_parser("plan")
    one.add_argument("--rate", type=int)
    one.add_argument("--chunks", type=int)
    one.add_argument("--busy", type=float, default=0.6, help="how busy a core may be (0.6)")
    one.add_argument("--markdown", action="store_true")
    one.set_defaults(run=show)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent)
    main()
