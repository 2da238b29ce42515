#!/usr/bin/env python3
"""Rego policies over what overlays render to.

Policies of this repository see a whole overlay: `input.documents`, `input.environment` (the label app.kubernetes.io/instance
of the Deployments) and `input.settings`, the settings that each Deployment of ours runs with, so that grace periods can be
compared with drains. A policy of package k8s sees one document at a time. Each finding is a line."""
import argparse, json, pathlib, re, sys, tomllib
import yaml
from regopy import Interpreter


def flat(table, prefix=""):
    """{"server": {"port": 1}} as {"server.port": 1}."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def settings(deployment, documents, root):
    """The layers of docs/CONFIGURATION.md, without secrets and flags; None where it runs another program."""
    spec = deployment["spec"]["template"]["spec"]
    env = {e["name"]: e.get("value") for c in spec["containers"] for e in c.get("env", [])}
    mounted = {v["configMap"]["name"] for v in spec.get("volumes", []) if "configMap" in v}
    config = [d for d in documents if d["kind"] == "ConfigMap" and d["metadata"]["name"] in mounted and "default.toml" in d["data"]]
    if not config or "MCP_RAG_ENV" not in env:
        return None
    layers = {}
    for name in ("default.toml", env["MCP_RAG_ENV"] + ".toml"):
        layers.update(flat(tomllib.loads((root / "config" / name).read_text())))
    for name in ("default.toml", env["MCP_RAG_ENV"] + ".toml"):
        layers.update(flat(tomllib.loads(config[0]["data"].get(name, ""))))
    for name, value in env.items():
        if name.startswith("MCP_RAG__"):
            key = name.removeprefix("MCP_RAG__").lower().replace("__", ".")
            layers[key] = int(value) if isinstance(layers.get(key), int) and value.isdigit() else value
    return layers


def denials(source, value):
    rego = Interpreter()
    rego.add_module("policy", source)
    rego.set_input(value)
    package = next(line.split()[1] for line in source.splitlines() if line.startswith("package "))
    output = rego.query(f"x = data.{package}.deny")
    if not output.ok():
        sys.exit(f"{package}: {output}")
    return sorted(json.loads(str(output.binding("x"))))


def findings(rendered, policies, root):
    documents = [d for d in yaml.safe_load_all(rendered.read_text()) if d]
    deployments = [d for d in documents if d["kind"] == "Deployment"]
    instances = {d["metadata"].get("labels", {}).get("app.kubernetes.io/instance", "") for d in deployments}
    if len(instances) > 1:
        yield f"Deployments of several environments: {sorted(instances)}"
    known = {d["metadata"]["name"]: settings(d, documents, root) for d in deployments}
    whole = {"documents": documents, "environment": next(iter(instances), ""),
             "settings": {name: layers for name, layers in known.items() if layers}}
    for policy in policies:
        source = policy.read_text()
        one_by_one = re.search(r"^package k8s$", source, flags=re.M)
        for value in documents if one_by_one else [whole]:
            yield from denials(source, value)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, required=True, help="where config/ is")
    parser.add_argument("--policy", type=pathlib.Path, action="append", required=True)
    parser.add_argument("rendered", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()
    found = 0
    for rendered in arguments.rendered:
        for finding in findings(rendered, arguments.policy, arguments.root):
            print(f"{rendered.stem}: {finding}")
            found += 1
    print(f"findings: {found}")
    sys.exit(found > 0)


main()
