#!/usr/bin/env python3
"""What no linter knows of: that compose.yaml is sound as a whole, and that the Dockerfile's context has what it copies.

usage: container.py compose|context ROOT. Each finding is a line."""
import fnmatch, pathlib, re, shutil, subprocess, sys, tempfile
import yaml


def compose(root):
    """The Compose specification by a strict parser; then what it allows and we do not."""
    from compose_spec import PyCompose

    try:
        # Merge keys and anchors are YAML's: resolved first.
        whole = yaml.safe_load((root / "compose.yaml").read_text())
        whole = {key: value for key, value in whole.items() if not key.startswith("x-")}
        PyCompose.from_yaml(yaml.safe_dump(whole)).validate()
    except (ValueError, yaml.YAMLError) as error:
        yield str(error).replace("\n", " ")
        return
    services = whole["services"]
    for name, service in services.items():
        for other in service.get("depends_on", []):
            if other not in services:
                yield f"{name} depends on {other}, which does not exist"
        image = service.get("image", "")
        if not re.search(r"[^/:]+:[^/:]+$|@sha256:", image) or image.endswith(":latest"):
            yield f"{name}: image {image or 'missing'} is not pinned"
        for port in service.get("ports", []):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name}: port {port} is open to the network"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            # monitoring/ belongs to another part and may not be there; then nothing is to be said of what is in it.
            if source.startswith("./") and not (root / source).exists() and (root / source.split("/")[1]).exists():
                yield f"{name}: {source} does not exist"
        if "build" not in service and "profiles" not in service and "healthcheck" not in service:
            yield f"{name}: no health check"


def ignored(path, patterns):
    """.dockerignore: the last pattern that matches decides; a pattern matches what is below it, too."""
    result = False
    for pattern in patterns:
        negated, body = pattern.startswith("!"), pattern.lstrip("!")
        parts = path.parts
        prefixes = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        anywhere = body.removeprefix("**/")
        candidates = parts if body.startswith("**/") else prefixes
        if any(fnmatch.fnmatchcase(candidate, anywhere) for candidate in candidates):
            result = not negated
    return result


def context(root):
    dockerfile = (root / "Dockerfile").read_text()
    lines = (root / ".dockerignore").read_text().splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=root, capture_output=True, text=True)
    files = [pathlib.PurePosixPath(line) for line in listed.stdout.splitlines()] if listed.returncode == 0 and listed.stdout else [
        pathlib.PurePosixPath(path.relative_to(root).as_posix()) for path in root.rglob("*") if path.is_file() and ".local" not in path.parts and "target" not in path.parts]
    sent = [path for path in files if not ignored(path, patterns) and (root / path).is_file()]
    for path in sent:
        if re.search(r"\.(pem|key|env)$|(^|/)\.git(/|$)", str(path)):
            yield f"{path} is sent to the build"
    for sources in re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", dockerfile, flags=re.M):
        for source in sources.split():
            if source != "." and not any(str(path) == source or str(path).startswith(source.rstrip("/") + "/") for path in sent):
                yield f"COPY {source}: not in the context"
    for stage in re.findall(r"^COPY --from=(\S+)", dockerfile, flags=re.M):
        if not re.search(rf"^FROM .* AS {re.escape(stage)}$", dockerfile, flags=re.M):
            yield f"COPY --from={stage}: no such stage"
    # Cargo reads the manifest of every member, and looks for every target it names.
    if shutil.which("cargo"):
        with tempfile.TemporaryDirectory() as folder:
            for path in sent:
                (pathlib.Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / path, pathlib.Path(folder) / path)
            made = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=folder, capture_output=True, text=True)
            if made.returncode != 0:
                yield f"cargo does not read the context: {made.stderr.strip().splitlines()[-1]}"
            for named in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', "\n".join((root / p).read_text() for p in sent if p.match("src/**/*.rs"))):
                if "config/" in named and not (pathlib.Path(folder) / named.lstrip("./")).exists():
                    yield f"{named} is compiled in, and not in the context"


def image(root):
    """The image that is used: its last stage, and the one for operations."""
    stages = re.split(r"^(?=FROM )", (root / "Dockerfile").read_text(), flags=re.M)
    for stage in stages[1:]:
        name = re.search(r" AS (\S+)", stage)
        if not name or name[1] not in {"server", "ops"}:
            continue
        user = re.findall(r"^USER (\S+)", stage, flags=re.M)
        if not user or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user[-1]):
            yield f"{name[1]}: runs as {user[-1] if user else 'root'}; Kubernetes needs a number that is not 0"
        if not re.search(r"^HEALTHCHECK ", stage, flags=re.M):
            yield f"{name[1]}: no HEALTHCHECK"
        for label in ("title", "licenses", "version", "revision"):
            if f"org.opencontainers.image.{label}" not in stage:
                yield f"{name[1]}: no label {label}"
    for base in re.findall(r"^FROM (\S+)", "".join(stages), flags=re.M):
        if not base.startswith("${"):
            yield f"FROM {base}: not an argument, so that a digest cannot be given"
    for argument in re.findall(r"^ARG \w+_IMAGE=(\S+)", stages[0], flags=re.M):
        if ":" not in argument or argument.endswith(":latest"):
            yield f"{argument} is whatever is newest"


def main():
    what, root = sys.argv[1], pathlib.Path(sys.argv[2])
    found = list({"compose": compose, "context": context, "image": image}[what](root))
    print("\n".join(found))
    print(f"findings: {len(found)}")
    sys.exit(bool(found))


main()
