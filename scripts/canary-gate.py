#!/usr/bin/env python3
"""Answers Flagger's webhooks: may this canary go on?

usage: canary-gate.py --canary URL --primary URL --set FOLDER [--secrets FOLDER] [--port 8080]

A webhook is POST / with {"metadata": {"check": CHECK}}; 200 lets the canary go on, 500 does not and says why.

  smoke    scripts/smoke-tests.sh on the canary
  eval     mcp-rag eval of the judged set on the primary and on the canary, whose ndcg@10 must not be significantly lower
  traffic  a part of the same questions on the canary alone, so that its metrics have something to say

What is run is fixed: of a request only the name of the check is used. One check at a time; the others wait. --secrets holds
`auth__token`, a key with the scopes ingest and search whose tenant is best its own; collections are removed again."""
import argparse, json, os, pathlib, signal, subprocess, sys, tempfile, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGEST = 64 * 1024
HERE = pathlib.Path(__file__).resolve().parent


class Gate:
    def __init__(self, arguments):
        self.arguments, self.turn = arguments, threading.Lock()

    def run(self, command, seconds):
        """(whether it succeeded, the end of what it said); what it started does not outlive it."""
        environment = dict(os.environ, MCP_RAG__SECRETS_DIR=str(self.arguments.secrets))
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, start_new_session=True)
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            return False, f"{said[-1000:]}\nnot done after {seconds} s"
        return process.returncode == 0, said[-2000:]

    def ask(self, server, *more):
        return [self.arguments.binary, "eval", str(self.arguments.set), "--server", server, "--modes", "hybrid", *more]

    def smoke(self):
        token = self.arguments.secrets / "auth__token"
        return self.run([str(HERE / "smoke-tests.sh"), *(["--token-file", str(token)] if token.exists() else []), self.arguments.canary], 50)

    def traffic(self):
        return self.run(self.ask(self.arguments.canary, "--limit", "20"), 50)

    def eval(self):
        with tempfile.TemporaryDirectory() as folder:
            before = str(pathlib.Path(folder) / "primary.json")
            good, said = self.run(self.ask(self.arguments.primary, "--output", before), 140)
            if not good:
                # Nothing to compare with says nothing good of the canary.
                return False, f"the primary could not be measured:\n{said}"
            return self.run(self.ask(self.arguments.canary, "--baseline", before, "--gate", "ndcg@10"), 140)

    def check(self, name):
        known = {"smoke": self.smoke, "eval": self.eval, "traffic": self.traffic}
        if name not in known:
            return 400, f"`metadata.check` is one of {', '.join(known)}"
        with self.turn:
            good, said = known[name]()
        print(json.dumps({"check": name, "passed": good, "said": said}), file=sys.stderr, flush=True)
        return 200 if good else 500, said


class Webhook(BaseHTTPRequestHandler):
    timeout = 10

    def reply(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(200 if self.path == "/healthz" else 404, "")

    def do_POST(self):
        try:
            length = int(self.headers.get("content-length", "0"))
            if not 0 < length <= LARGEST:
                # What is not read at all would end the connection before the reply.
                self.rfile.read(max(0, min(length, 16 * LARGEST)))
                return self.reply(413, f"a body of 1 to {LARGEST} bytes")
            name = json.loads(self.rfile.read(length))["metadata"]["check"]
            if not isinstance(name, str):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            return self.reply(400, 'expected {"metadata": {"check": "smoke"}}')
        self.reply(*self.server.gate.check(name))

    def log_message(self, *_):
        """Probes are not worth a line; checks have their own."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--canary", required=True)
    parser.add_argument("--primary", required=True)
    parser.add_argument("--set", type=pathlib.Path, required=True)
    parser.add_argument("--secrets", type=pathlib.Path, default=pathlib.Path("/run/secrets/mcp-gate"))
    parser.add_argument("--binary", default="mcp-rag")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    server = ThreadingHTTPServer(("", arguments.port), Webhook)
    server.daemon_threads = False
    server.gate = Gate(arguments)
    # A check that is under way ends first: the interpreter waits for its thread.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


main()
