#!/usr/bin/env python3
"""Writes each step's script of the workflows in a folder to a file of its own, for shellcheck. An expression in a script is
replaced by a word: whether it may be there at all is zizmor's to say."""
import pathlib, re, sys
import yaml

workflows, target = map(pathlib.Path, sys.argv[1:])
target.mkdir()
for path in sorted(workflows.glob("*.yml")):
    workflow = yaml.safe_load(path.read_text())
    for job, content in workflow["jobs"].items():
        for number, step in enumerate(content.get("steps", [])):
            if "run" in step:
                script = re.sub(r"\$\{\{.*?\}\}", "expression", step["run"])
                (target / f"{path.stem}.{job}.{number}.sh").write_text("set -eo pipefail\n" + script)
