#!/bin/sh
# scripts/terraform-outputs.sh: what it writes, and what it refuses to. Prints TAP.
set -eu
checkout=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0 count=0
MCP_RAG_OVERLAYS=$scratch/overlays
export MCP_RAG_OVERLAYS

# outputs ENVIRONMENT [EXTRA LINE]
outputs() {
  python3 - "$@" <<'PYTHON'
import json, sys
lines = [f"ENVIRONMENT={sys.argv[1]}", "AWS_REGION=us-east-1", "VPC_CIDR=10.30.0.0/16", "HOST=rag.example.com",
         "BACKUP_BUCKET=mcp-demo-prod-backups-123456789012", "BACKUP_ROLE_ARN=arn:aws:iam::123456789012:role/mcp-demo-prod-backup",
         "SECRETS_ROLE_ARN=arn:aws:iam::123456789012:role/mcp-demo-prod-external-secrets"] + sys.argv[2:]
print(json.dumps({"overlay_environment": {"value": "# Written.\n" + "\n".join(lines) + "\n"}}))
PYTHON
}
# run ENVIRONMENT OPTIONS...: on the outputs in $scratch/outputs.json
run() { sh "$checkout/scripts/terraform-outputs.sh" --json "$scratch/outputs.json" "$@" >"$scratch/out" 2>&1; }
result() {
  count=$((count + 1))
  if [ "$2" = 0 ]; then echo "ok - $1"; else failures=$((failures + 1)); echo "not ok - $1"; sed 's/^/# /' "$scratch/out"; fi
}
fresh() { rm -rf "$scratch/overlays"; mkdir -p "$scratch/overlays/prod"; }
written=$scratch/overlays/prod/environment.env

fresh; status=1
outputs prod >"$scratch/outputs.json"
run prod && grep -qx 'BACKUP_ROLE_ARN=arn:aws:iam::123456789012:role/mcp-demo-prod-backup' "$written" && status=0
result "an overlay gets what Terraform made" $status

status=1
outputs prod >"$scratch/outputs.json"
run prod && grep -q 'as Terraform has it' "$scratch/out" && status=0
result "a second time there is nothing to write" $status

fresh; status=1
outputs prod >"$scratch/outputs.json"
run prod --dry-run && [ ! -e "$written" ] && grep -q 'would be written' "$scratch/out" && status=0
result "a dry run writes nothing" $status

fresh; status=1
outputs staging >"$scratch/outputs.json"
if ! run prod; then [ ! -e "$written" ] && grep -q 'outputs of staging' "$scratch/out" && status=0; fi
result "another environment's outputs are refused" $status

fresh; status=1
outputs prod PASSWORD=secret >"$scratch/outputs.json"
if ! run prod; then [ ! -e "$written" ] && grep -q 'the output holds' "$scratch/out" && status=0; fi
result "a line that the overlay does not know is refused" $status

fresh; status=1
echo '{}' >"$scratch/outputs.json"
if ! run prod; then grep -q 'no output overlay_environment' "$scratch/out" && status=0; fi
result "outputs of something else are refused" $status

fresh; status=0
outputs prod >"$scratch/outputs.json"
run dev || status=$?
[ "$status" = 64 ] && status=0 || status=1
result "dev has no overlay that reads the file" $status

echo "1..$count"
[ "$failures" = 0 ]
