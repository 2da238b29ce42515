"""Callers who never try twice: searches and writes to every server, half with the operator's token, half with tokens of an issuer.

callers.py FOLDER OUT SERVER...   until SIGTERM; FOLDER/token and FOLDER/jwt are what the callers and their issuer hold now
"""

import base64
import collections
import hashlib
import hmac
import json
import signal
import sys
import threading
import time
import urllib.error
import urllib.request

stop = threading.Event()
lock = threading.Lock()
count = collections.Counter()
failures = []


def credential(folder, kind):
    with open(f"{folder}/{kind}") as file:
        secret = file.read().strip()
    if kind == "token":
        return secret
    part = lambda value: base64.urlsafe_b64encode(value).rstrip(b"=")
    claims = {"iss": "drill", "aud": "mcp-rag", "sub": "caller", "tenant": "default", "scope": "search ingest", "exp": int(time.time()) + 60}
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    return (signed + b"." + part(hmac.new(secret.encode(), signed, hashlib.sha256).digest())).decode()


def caller(folder, kind, server, number):
    turn = 0
    while not stop.is_set():
        turn += 1
        if turn % 4 == 0:
            path, method = f"/v1/collections/rotation/documents/{number}-{turn}", "PUT"
            body = {"text": f"Note {turn} of caller {number}, written while secrets change."}
        else:
            path, method, body = "/v1/search", "POST", {"query": f"note {turn} of caller {number}", "collections": ["rotation"]}
        request = urllib.request.Request(server + path, json.dumps(body).encode(), {"content-type": "application/json"}, method=method)
        request.add_header("authorization", "Bearer " + credential(folder, kind))
        problem = None
        try:
            with urllib.request.urlopen(request, timeout=15) as reply:
                text = reply.read()
                # A search without the database would be answered from the cache, and say so.
                if method == "POST" and json.loads(text)["degraded"]:
                    problem = f"degraded: {json.loads(text)['degraded']}"
        except urllib.error.HTTPError as error:
            problem = f"{error.code} {error.read()[:200]!r}"
        except OSError as error:
            problem = repr(error)
        with lock:
            count[f"{kind} {method}"] += 1
            if problem:
                failures.append(f"{time.strftime('%H:%M:%S')} {kind} {method} {path}: {problem}")
        time.sleep(0.02)


def main(folder, out, servers):
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threads = [threading.Thread(target=caller, args=(folder, kind, server, f"{kind}{at}"))
               for kind in ("token", "jwt") for at, server in enumerate(servers)]
    for thread in threads:
        thread.start()
    while not stop.wait(0.2):
        pass
    for thread in threads:
        thread.join()
    with open(out, "w") as file:
        json.dump({"requests": sum(count.values()), "by": dict(sorted(count.items())), "failed": len(failures), "failures": failures[:20]}, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
