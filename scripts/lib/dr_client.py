"""A client of the disaster drill: writes that are noted once they are acknowledged, and questions whose answers are kept.

write URL LOG             one document after the other until SIGTERM; a line in LOG for each that was acknowledged
survivors URL LOG         JSON: how many of LOG's writes are still there, and the seconds between the last one and the last that is
ask URL FILE              dense, hybrid and lexical searches; ids and scores of the results, one line each
"""

import json
import signal
import sys
import time
import urllib.error
import urllib.request

COLLECTION = "drill"
QUESTIONS = [
    "how do I rotate the database password", "what happens while the embedder is away", "replicas and failover",
    "vectors in half precision", "why was my request refused", "documents that expire", "restart after a panic",
    "how wide is the index searched", "a proxy in front of the server", "tokens of another issuer",
    "row-level security", "what does a backup hold", "answers with citations", "limits of a tenant",
    "PDF with many pages", "the cache and Redis", "languages and stemming", "jobs that were interrupted",
    "migrations of the schema", "how much memory does it take",
]


def call(url, method="GET", body=None, timeout=30):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=timeout) as reply:
        return reply.status, json.load(reply)


def write(url, log):
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    try:
        call(f"{url}/v1/collections", "POST", {"name": COLLECTION})
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise
    number = int(time.time() * 1000)
    with open(log, "a", buffering=1) as acknowledged:
        while not stop:
            number += 1
            text = f"Entry {number} of the ledger was written at {time.time():.3f} and must not be lost."
            try:
                status, _ = call(f"{url}/v1/collections/{COLLECTION}/documents/{number}?wait=true", "PUT", {"text": text})
            except (OSError, urllib.error.HTTPError):
                return  # the disaster
            if status in (200, 201, 202):
                acknowledged.write(f"{number} {time.time():.3f}\n")
            time.sleep(0.05)


def survivors(url, log):
    entries = [(line.split()[0], float(line.split()[1])) for line in open(log) if line.endswith("\n")]
    present = set()
    after = ""
    while True:
        _, page = call(f"{url}/v1/collections/{COLLECTION}/documents?limit=100{after}")
        present |= {document["external_id"] for document in page["data"]}
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"
    kept = [at for number, at in entries if number in present]
    lost = [at for number, at in entries if number not in present]
    # What survived must be a beginning: a hole in it would be worse than a loss.
    holes = sum(1 for at in lost if kept and at < kept[-1])
    rpo = entries[-1][1] - kept[-1] if kept else None
    print(json.dumps({"written": len(entries), "lost": len(lost), "holes": holes, "rpo_seconds": round(rpo, 1) if kept else None}))


def ask(url, file):
    with open(file, "w") as out:
        for question in QUESTIONS:
            for mode in ("dense", "hybrid", "lexical"):
                body = {"query": question, "collections": ["mcp-rag-bench"], "mode": mode, "top_k": 10}
                status, reply = call(f"{url}/v1/search", "POST", body)
                if reply["degraded"] or not reply["results"]:
                    sys.exit(f"{mode} search for '{question}' is degraded or empty: {reply['degraded']}")
                if reply["cached"]:
                    sys.exit(f"{mode} search for '{question}' was answered from a cache: that says nothing of the index")
                found = [[hit["chunk_id"], hit["score"]] for hit in reply["results"]]
                out.write(json.dumps([mode, question, found]) + "\n")


if __name__ == "__main__":
    commands = {"write": write, "survivors": survivors, "ask": ask}
    if len(sys.argv) != 4 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](sys.argv[2], sys.argv[3])
