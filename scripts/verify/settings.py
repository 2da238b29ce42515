#!/usr/bin/env python3
"""Whether the server takes the settings and the names of the secrets that an overlay gives it: `mcp-rag config check` on what
the manifest mounts, with secrets of the right form that are none.

usage: settings.py BINARY RENDERED.yaml... Each finding is a line."""
import os, pathlib, subprocess, sys, tempfile
import yaml

STANDINS = {"database__url": "postgres://user:password@db.example.com/mcp_rag", "redis__url": "rediss://user:password@cache.example.com:6379",
            "database__replica_urls": "postgres://user:password@replica.example.com/mcp_rag"}


def check(binary, deployment, documents):
    spec = deployment["spec"]["template"]["spec"]
    container, volumes = spec["containers"][0], {v["name"]: v for v in spec["volumes"]}
    with tempfile.TemporaryDirectory() as folder:
        folder, arguments = pathlib.Path(folder), []
        environment = {"PATH": os.environ["PATH"], **{e["name"]: e["value"] for e in container["env"]}}
        for mount in container["volumeMounts"]:
            volume, target = volumes[mount["name"]], folder / mount["name"]
            if "configMap" in volume:
                files = next(d["data"] for d in documents if d["kind"] == "ConfigMap" and d["metadata"]["name"] == volume["configMap"]["name"])
            elif "secret" in volume:
                name = volume["secret"]["secretName"]
                given = [d for d in documents if d["kind"] in {"ExternalSecret", "Secret"} and d["metadata"]["name"] == name]
                names = [e["secretKey"] for d in given for e in d.get("spec", {}).get("data", [])] + [k for d in given for k in d.get("data", {})]
                files = {key: STANDINS.get(key, "0123456789abcdef0123456789abcdef") for key in names}
                arguments += ["--set", f"secrets_dir={target}"]
            else:
                continue
            target.mkdir()
            for file, content in files.items():
                (target / file).write_text(content)
            if mount["name"] == "config":
                environment["MCP_RAG_CONFIG_DIR"] = str(target)
        made = subprocess.run([binary, "config", "check", *arguments], env=environment, cwd=folder, capture_output=True, text=True)
        return None if made.returncode == 0 else made.stderr.strip()


def main():
    found = 0
    for rendered in map(pathlib.Path, sys.argv[2:]):
        documents = [d for d in yaml.safe_load_all(rendered.read_text()) if d]
        ours = [d for d in documents if d["kind"] == "Deployment" and d["metadata"]["name"] in {"mcp-backend", "mcp-worker"}]
        for deployment in ours:
            if problem := check(sys.argv[1], deployment, documents):
                print(f"{rendered.stem}: {deployment['metadata']['name']}: {problem}")
                found += 1
        if len(ours) != 2:
            print(f"{rendered.stem}: {len(ours)} of 2 Deployments")
            found += 1
    print(f"findings: {found}")
    sys.exit(found > 0)


main()
