#!/usr/bin/env python3
"""Commands of the runbooks. One line for each that fails; non-zero when there is one.

usage: runbooks.py run ROOT BINARY OUT    every `sh run` block, against a real server, PostgreSQL and Prometheus
       runbooks.py parse ROOT             every `sh cluster` block: the shell's syntax, and kubectl's without a cluster
       runbooks.py count ROOT             how many command lines of those blocks are not run
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import e2e


def blocks(root, mark):
    for path in sorted(root.glob("docs/runbooks/*.md")):
        text = path.read_text()
        for found in re.finditer(rf"^( *)```sh {mark}\n(.*?)^ *```$", text, re.M | re.S):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{path.name}:{line}", re.sub(rf"^{found[1]}", "", found[2], flags=re.M)


def commands(root):
    return [(where, line) for where, block in blocks(root, "cluster") for line in block.splitlines() if line.strip()]


def run(root, binary, out):
    out.mkdir(parents=True)
    out.chmod(0o755)
    drill = e2e.Run(root, binary, out)
    try:
        # A collector that is away: spans are sampled all the same, and latencies have their traces.
        url, admin = drill.server("server", **{"tracing.endpoint": "http://127.0.0.1:9"})
        socket_dir = re.search(r'"socket_dir":"([^"]+)"', (out / "server.log").read_text())[1]
        drill.traffic(url)
        e2e.ask(f"{url}/v1/collections", {"name": "docs"})
        e2e.ask(f"{url}/v1/collections/docs/documents/readme?wait=true", (root / "README.md").read_bytes(), "PUT", content_type="text/markdown")
        prom = e2e.prometheus(drill, admin, "http://127.0.0.1:9")
        e2e.until("Prometheus has recorded the objectives", lambda: '"value"' in e2e.ask(f"{prom}/api/v1/query?query=mcp_rag:search_seconds:p99_5m")[1])
        tools = out / "bin"
        tools.mkdir()
        (tools / "mcp-rag").symlink_to(binary)
        if not shutil.which("psql"):
            (tools / "psql").symlink_to(next(pathlib.Path(binary).parents[2].glob(".local/postgres/bin/psql")))
        environment = {
            **os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "URL": url, "ADMIN": admin, "PROM": prom, "WORK": str(out),
            # The superuser, as on call has it: the owner's rights would do, and RDS's administrator has those.
            "DATABASE_URL": f"postgresql://postgres@/mcp_rag?host={socket_dir}",
        }
        bad, done = [], 0
        for where, block in blocks(root, "run"):
            # As people type it: one line fails, and so does the block.
            ended = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=out, env=environment, capture_output=True, text=True, timeout=60)
            done += 1
            print(f"# {where}: {ended.returncode}\n{ended.stdout[:400]}", file=sys.stderr)
            if ended.returncode or re.search(r"error: |unexpected argument|command not found", ended.stderr):
                bad.append(f"{where}: status {ended.returncode}: {' '.join((ended.stderr or ended.stdout).split())[-300:]}")
        if done < 20:
            bad.append(f"only {done} blocks were found")
        return bad
    finally:
        drill.stop()


def kubectl(line):
    """Whether the real kubectl takes these arguments: it says so before it looks for a cluster."""
    said = subprocess.run(["bash", "-c", re.sub(r"\$\((?!date)[^()]*(?:\([^()]*\)[^()]*)*\)", "x", line)], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "KUBECONFIG": "/nonexistent"}).stderr
    return [said.strip()[:200]] if re.search(r"unknown (command|flag|shorthand)|error: (unable to parse|invalid|must|required)|flag needs", said) else []


def parse(root):
    bad = []
    for where, block in blocks(root, "cluster"):
        checked = subprocess.run(["bash", "-n", "-c", block], capture_output=True, text=True)
        bad += [f"{where}: {checked.stderr.strip()}"] if checked.returncode else []
    for where, line in commands(root) if not bad else []:
        if line.startswith("kubectl") and shutil.which("kubectl"):
            # What it would print is of no interest, only what it refuses: without the pipes behind it.
            bad += [f"{where}: {line}: {said}" for said in kubectl(line.split(" | ")[0])]
    return bad if commands(root) else ["no commands were found"]


def main():
    what, root, *rest = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), *map(lambda one: pathlib.Path(one).resolve(), sys.argv[3:])
    if what == "count":
        print(len(commands(root)))
        return
    began = time.monotonic()
    bad = run(root, *rest) if what == "run" else parse(root)
    print(f"# {time.monotonic() - began:.0f} s", file=sys.stderr)
    print("\n".join(bad), end="\n" if bad else "")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
