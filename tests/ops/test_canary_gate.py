#!/usr/bin/env python3
"""scripts/canary-gate.py as Flagger calls it, with a stand-in for mcp-rag that does what its server's name says."""
import contextlib, http.client, json, os, pathlib, socket, stat, subprocess, sys, tempfile, time, unittest

GATE = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "canary-gate.py"
STANDIN = """#!/bin/sh
case "$*" in *--server\\ http://worse*--baseline*) echo "ndcg@10 lost"; exit 3 ;; esac
case "$*" in *--server\\ http://away*) echo "no answer"; exit 1 ;; esac
case "$*" in *--server\\ http://slow*) : >"$0.began"; sleep 1 ;; esac
echo "asked: $*"
echo "token: $(cat "$MCP_RAG__SECRETS_DIR/auth__token")" >"$0.saw"
"""


@contextlib.contextmanager
def gate(canary="http://canary", primary="http://primary"):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "auth__token").write_text("key-of-the-gate")
        binary = folder / "mcp-rag"
        binary.write_text(STANDIN)
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen([sys.executable, str(GATE), "--canary", canary, "--primary", primary, "--set", "set",
                                    "--secrets", str(folder), "--binary", str(binary), "--port", str(port)], stderr=subprocess.PIPE, text=True)
        try:
            until = time.monotonic() + 20
            while True:
                with contextlib.suppress(OSError):
                    if call(port, "GET", "/healthz")[0] == 200:
                        break
                assert time.monotonic() < until and process.poll() is None, "the gate did not start"
                time.sleep(0.02)
            yield port, process, folder
        finally:
            process.terminate()
            process.communicate(timeout=20)


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body)
    reply = connection.getresponse()
    return reply.status, reply.read().decode()


def check(port, name):
    return call(port, "POST", "/", json.dumps({"name": "mcp-backend", "phase": "Progressing", "metadata": {"check": name}}))


class Gate(unittest.TestCase):
    def test_a_canary_as_good_as_the_primary_goes_on(self):
        with gate() as (port, _, folder):
            status, said = check(port, "eval")
            self.assertEqual(status, 200, said)
            self.assertIn("--server http://canary --modes hybrid --baseline", said)
            self.assertEqual((folder / "mcp-rag.saw").read_text().strip(), "token: key-of-the-gate")

    def test_a_significant_loss_of_quality_stops_the_canary_and_says_why(self):
        with gate(canary="http://worse") as (port, _, _):
            status, said = check(port, "eval")
            self.assertEqual((status, said.strip()), (500, "ndcg@10 lost"))

    def test_a_primary_that_cannot_be_measured_lets_nothing_through(self):
        with gate(primary="http://away") as (port, _, _):
            status, said = check(port, "eval")
            self.assertEqual(status, 500)
            self.assertIn("the primary could not be measured", said)

    def test_a_canary_that_does_not_answer_is_stopped(self):
        with gate(canary="http://away") as (port, _, _):
            self.assertEqual(check(port, "traffic")[0], 500)

    def test_what_is_not_a_check_runs_nothing(self):
        with gate() as (port, _, folder):
            self.assertEqual(check(port, "eval; rm -rf /")[0], 400)
            self.assertEqual(check(port, "__init__")[0], 400)
            for body in ("", "x", "[]", '{"metadata": {}}', '{"metadata": 7}', '{"metadata": {"check": []}}'):
                self.assertIn(call(port, "POST", "/", body)[0], (400, 413), body)
            self.assertEqual(call(port, "POST", "/", "x" * 70_000)[0], 413)
            self.assertFalse((folder / "mcp-rag.saw").exists())

    def test_a_check_that_is_under_way_ends_before_the_gate_does(self):
        with gate(canary="http://slow") as (port, process, folder):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/", json.dumps({"metadata": {"check": "traffic"}}))
            while not (folder / "mcp-rag.began").exists():
                time.sleep(0.01)
            process.terminate()
            self.assertEqual(connection.getresponse().status, 200)
            process.wait(timeout=20)
            self.assertEqual(process.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
