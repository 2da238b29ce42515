#!/bin/sh
# Writes what Terraform made into the overlay of an environment: k8s/overlays/ENV/environment.env.
#
# usage: scripts/terraform-outputs.sh [OPTIONS] ENV
#
#   ENV            staging or prod: an overlay that reads environment.env
#   --json FILE    the output of `terraform output -json`, - for standard input; absent: terraform is asked, in terraform/
#   --dry-run      show the difference, write nothing
#   --help         this text
#
# The file holds names and no secrets: review the difference and commit it. An overlay is not written from another
# environment's state: the outputs say whose they are. Exit status: 0 written, or nothing to write; 1 not; 64 bad usage.
set -eu

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }
die() { echo "terraform-outputs: $1" >&2; exit "${2:-1}"; }

environment='' json='' dry_run=0
while [ $# -gt 0 ]; do
  case $1 in
    --json) [ $# -gt 1 ] || die "--json needs a file" 64; json=$2; shift ;;
    --dry-run) dry_run=1 ;;
    --help | -h) usage; exit 0 ;;
    -*) usage >&2; die "unknown option: $1" 64 ;;
    *) [ -z "$environment" ] || die "one environment at a time" 64; environment=$1 ;;
  esac
  shift
done
case $environment in
  staging | prod) ;;
  '') usage >&2; die "which environment: staging or prod?" 64 ;;
  *) die "$environment: staging or prod have an overlay that reads environment.env; dev runs without AWS" 64 ;;
esac

checkout=$(cd "$(dirname "$0")/.." && pwd)
file=${MCP_RAG_OVERLAYS:-$checkout/k8s/overlays}/$environment/environment.env
[ -d "$(dirname "$file")" ] || die "$(dirname "$file") is not there"
command -v python3 >/dev/null || die "python3 is needed"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -n "$json" ]; then
  cat -- "$json" >"$scratch/outputs.json" || die "$json cannot be read"
else
  command -v terraform >/dev/null || die "terraform is not on PATH; or give --json FILE"
  terraform -chdir="$checkout/terraform" output -json >"$scratch/outputs.json" ||
    die "terraform has no outputs: terraform init -backend-config=environments/$environment.s3.tfbackend, and apply, come first"
fi

python3 - "$scratch/outputs.json" "$environment" >"$scratch/environment.env" <<'PYTHON' || die "nothing was written"
import json, re, sys

path, environment = sys.argv[1:]
try:
    text = json.load(open(path))["overlay_environment"]["value"]
except (ValueError, KeyError, TypeError):
    sys.exit("terraform-outputs: there is no output overlay_environment: is this the state of mcp-rag, and applied?")
values = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
wanted = ["ENVIRONMENT", "AWS_REGION", "VPC_CIDR", "HOST", "BACKUP_BUCKET", "BACKUP_ROLE_ARN", "SECRETS_ROLE_ARN"]
if sorted(values) != sorted(wanted):
    sys.exit(f"terraform-outputs: the output holds {', '.join(sorted(values))}, not {', '.join(sorted(wanted))}")
if values["ENVIRONMENT"] != environment:
    sys.exit(f"terraform-outputs: these are the outputs of {values['ENVIRONMENT']}: terraform init -reconfigure -backend-config=environments/{environment}.s3.tfbackend")
for name, value in values.items():
    if not re.fullmatch(r"[A-Za-z0-9:/._-]+", value):
        sys.exit(f"terraform-outputs: {name} is {value!r}")
print(text.strip())
PYTHON

if cmp -s "$scratch/environment.env" "$file"; then
  echo "$file is as Terraform has it"
  exit 0
fi
[ ! -f "$file" ] || diff -u "$file" "$scratch/environment.env" || true
if [ "$dry_run" = 1 ]; then
  echo "$file would be written"
else
  cp "$scratch/environment.env" "$file"
  echo "$file written"
fi
