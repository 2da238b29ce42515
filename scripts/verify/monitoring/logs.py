#!/usr/bin/env python3
"""The log pipeline's stages on real lines: what Alloy would find in them, not Alloy itself.

usage: logs.py ROOT LOG    LOG is what a server with log.format = "json" wrote

Every line that is JSON has a time and a level; every expression of the pipeline finds something in some line; labels are
few and of a closed set. One line for each finding; non-zero when there is one.
"""
import datetime
import json
import pathlib
import re
import sys

LEVELS = {"ERROR", "WARN", "INFO", "DEBUG", "TRACE"}


def block(text, name):
    """What stands in `stage.name { … = { here } }` or `stage.name { here }`."""
    body = re.search(rf"^( *)stage\.{name} \{{\n(.*?)^\1\}}", text, re.M | re.S)
    return dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', body[2])) if body else {}


def at(value, path):
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def main():
    root, log = map(pathlib.Path, sys.argv[1:3])
    text = (root / "monitoring/loki/pipeline.alloy").read_text()
    expressions, labels, kept = block(text, "json"), block(text, "labels"), block(text, "structured_metadata")
    bad, found, lines = [], {name: 0 for name in expressions}, 0
    for name in [*labels, *kept]:
        if name not in expressions:
            bad.append(f"{name} is a label or metadata, and no expression finds it")
    if set(labels) - {"level"}:
        bad.append(f"labels are streams, and {set(labels) - {'level'}} has no closed set of values")
    if block(text, "timestamp").get("source") not in expressions:
        bad.append("no expression finds the timestamp's source")
    for line in log.read_text().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        lines += 1
        for name, path in expressions.items():
            found[name] += at(entry, path) is not None
        if at(entry, expressions.get("level", "level")) not in LEVELS:
            bad.append(f"a line without a level: {line[:120]}")
        try:
            datetime.datetime.fromisoformat(str(at(entry, expressions.get("timestamp", "timestamp"))).replace("Z", "+00:00"))
        except ValueError:
            bad.append(f"a line without a time: {line[:120]}")
    if not expressions or lines < 10:
        bad.append(f"{len(expressions)} expressions, {lines} lines: too little was looked at")
    bad += [f"`{expressions[name]}` is in none of {lines} lines" for name, count in found.items() if not count]
    print("\n".join(bad), end="\n" if bad else "")
    sys.exit(bool(bad))


main()
