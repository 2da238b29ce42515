#!/usr/bin/env python3
"""Says what terraform/ lacks by its own rules, and keeps the tables of variables and outputs in each README.

usage: layout.py [--write] FOLDER

Every module has a README, an example, and tests that also expect a refusal. Every variable has a type, a description and
a use; one that takes free text or numbers has a validation. Every output has a description. Versions of Terraform and of
providers are the same everywhere, and exact in the root. No statement allows all actions of a service, but for keys, which
leave it to IAM: a policy that names what is made in the same plan is not in the plan. One line for each finding; exit status 1 when there is one."""

import pathlib
import re
import sys

BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.M | re.S)
BEGIN, END = "<!-- interface:begin -->", "<!-- interface:end -->"
TERRAFORM = ">= 1.11, < 2.0"
MODULE_VERSIONS = {"aws": "~> 6.25", "random": "~> 3.7"}
ROOT_VERSIONS = {"aws": "6.25.0", "random": "3.7.2"}


def argument(body, name):
    """The text of a block's own argument, also when it goes over several lines."""
    found = re.search(rf"^  {name}\s+= ", body, re.M)
    if not found:
        return None
    lines = body[found.end():].split("\n")
    text, depth = [], 0
    for line in lines:
        text.append(line)
        depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if depth <= 0:
            break
    # Comments go, and what stood on lines of its own stands in one.
    return re.sub(r"\s+", " ", ", ".join(t.strip() for t in text)).replace("{, ", "{ ").replace("(, ", "(").replace(", }", " }").replace(", )", ")").replace(",,", ",")


def blocks(folder, kind):
    for file in sorted(folder.glob("*.tf")):
        for found, name, body in BLOCK.findall(file.read_text()):
            if found == kind:
                yield name, body


def tables(folder):
    def cell(text):
        return (text or "").replace("|", "\\|")

    yield "| Variable | Type | Default | Meaning |\n|---|---|---|---|"
    for name, body in blocks(folder, "variable"):
        default = argument(body, "default")
        yield f"| `{name}` | `{cell(argument(body, 'type'))}` | {'required' if default is None else f'`{cell(default)}`'} | {cell((argument(body, 'description') or '').strip(chr(34)))} |"
    yield "\n| Output | Meaning |\n|---|---|"
    for name, body in blocks(folder, "output"):
        yield f"| `{name}` | {cell((argument(body, 'description') or '').strip(chr(34)))} |"


def interface(folder, write):
    readme = folder / "README.md"
    if not readme.exists():
        yield "has no README.md"
        return
    text = readme.read_text()
    if BEGIN not in text or END not in text:
        yield f"README.md has no {BEGIN} and {END}"
        return
    before, rest = text.split(BEGIN, 1)
    wanted = f"{before}{BEGIN}\n" + "\n".join(tables(folder)) + f"\n{END}{rest.split(END, 1)[1]}"
    if wanted != text:
        if write:
            readme.write_text(wanted)
        else:
            yield "README.md shows other variables or outputs: scripts/verify/terraform/layout.py --write terraform"


def declarations(folder):
    code = "\n".join(f.read_text() for f in sorted(folder.glob("*.tf")))
    code = BLOCK.sub(lambda block: "" if block[1] == "variable" else block[0], code)
    for name, body in blocks(folder, "variable"):
        if not (argument(body, "description") or "").strip('"'):
            yield f"variable {name} has no description"
        if argument(body, "type") is None:
            yield f"variable {name} has no type"
        if not re.search(rf"\bvar\.{name}\b", code):
            yield f"variable {name} is not used"
    for name, body in blocks(folder, "output"):
        if not (argument(body, "description") or "").strip('"'):
            yield f"output {name} has no description"


def rights(folder):
    for file in [] if folder.name == "kms" else sorted(folder.glob("*.tf")):
        text = file.read_text()
        for found in re.finditer(r'\b[Aa]ctions?\s*= (\[[^\]]*\]|"[^"]*")', text):
            effects = re.findall(r'\bEffect\s*= "(\w+)"', text[:found.start()])
            if re.search(r'"([a-z0-9-]+:)?\*"', found[1]) and effects[-1:] != ["Deny"]:
                yield f"{file.name}:{text[:found.start()].count(chr(10)) + 1} allows every action"


def versions(folder, providers):
    file = folder / "versions.tf"
    text = file.read_text() if file.exists() else ""
    if f'required_version = "{TERRAFORM}"' not in text:
        yield f"versions.tf does not say required_version = \"{TERRAFORM}\""
    found = dict(re.findall(r'(\w+) = \{\s+source\s+= "hashicorp/\w+"\s+version = "([^"]+)"', text))
    if "aws" not in found or any(providers.get(name) != version for name, version in found.items()):
        yield f"versions.tf pins {found}, not {providers}"


def module(folder):
    for pattern, what in [("examples/*/main.tf", "example"), ("tests/*.tftest.hcl", "tests")]:
        if not list(folder.glob(pattern)):
            yield f"has no {what}"
    tests = "".join(f.read_text() for f in folder.glob("tests/*.tftest.hcl"))
    if "expect_failures" not in tests:
        yield "has no test that expects a refusal"
    for example in folder.glob("examples/*"):
        if f'source = "./examples/{example.name}"' not in tests:
            yield f"examples/{example.name} is planned by no test"
    for name, body in blocks(folder, "variable"):
        if "validation {" in body and not re.search(rf"expect_failures = \[[^\]]*\bvar\.{name}\b", tests):
            yield f"no test expects variable {name} to refuse a value"


def main(arguments):
    write = "--write" in arguments
    root = pathlib.Path([a for a in arguments if a != "--write"][0])
    modules = sorted(p for p in (root / "modules").iterdir() if p.is_dir()) + [root / "bootstrap"]
    findings = []
    for folder in modules + [root]:
        rules = [interface(folder, write), declarations(folder), rights(folder), versions(folder, ROOT_VERSIONS if folder == root else MODULE_VERSIONS)]
        if folder != root:
            rules.append(module(folder))
        where = "terraform" if folder == root else f"terraform/{folder.relative_to(root)}"
        findings += [f"{where}: {finding}" for rule in rules for finding in rule]
    print("\n".join(findings))
    return 1 if findings else 0


sys.exit(main(sys.argv[1:]))
