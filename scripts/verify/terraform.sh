#!/bin/sh
# Verifies terraform/: how it is written, that it is valid, the tests of every module, what each environment's plan would
# make, and checkov. The AWS provider is not needed: where ../shared/tools/infra/tfstub is, stubs that know its schema take
# its place, so that wrong arguments, types and outputs are found. What only the provider or AWS can say (the syntax of a
# CIDR, whether a class of instances exists) is not.
#
# usage: scripts/verify/terraform.sh [ROOT]
#
# VERIFY_FOLDER=modules/rds in the environment looks at one module alone, for quick rounds.
# shellcheck disable=SC2329 # check calls the functions by name
part=terraform
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
begin "$@"

support=$checkout/scripts/verify/terraform
folder=${VERIFY_FOLDER:+/$VERIFY_FOLDER}
server=''
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

# The stubs, built once from the shared tools; they come from npm and PyPI.
stubs() {
  stubs=$ops/terraform-stubs
  python_tools terraform "$support/requirements.txt" || { echo "the stubs' Python packages could not be installed"; return 77; }
  stub_stamp=$(stamp_of "$shared"/tools/infra/tfstub/*)
  [ "$(cat "$stubs/.stamp" 2>/dev/null)" = "$stub_stamp" ] || alone build_stubs
}
# shellcheck disable=SC2329 # by name, from alone
build_stubs() {
  command -v npm >/dev/null || { echo "npm is needed for the schemas of the providers"; return 77; }
  rm -rf "$stubs"
  cp -R "$shared/tools/infra/tfstub" "$stubs"
  chmod -R u+w "$stubs"
  echo "building the provider stubs in .local/ops/terraform-stubs"
  (cd "$stubs" && PATH="$tools:$PATH" STUB_PYTHON="$tools/python" bash ./make_mirror.sh </dev/null) || { echo "the stubs could not be built"; return 77; }
  echo "$stub_stamp" >"$stubs/.stamp"
}

# One process serves the schemas of what the tree names, for every command after it.
serve() {
  mkdir -p "$work/aws" "$work/random"
  "$tools/python" "$stubs/trim_schema.py" "$stubs/aws-schema.json" "$work/aws/schema.json" "$tree" >/dev/null
  cp "$support/aws-data.json" "$work/aws/data.json"
  cp "$stubs/random-schema.json" "$work/random/schema.json"
  "$tools/python" "$support/stub_server.py" "$stubs/stub_provider.py" "aws=$work/aws" "random=$work/random" >"$work/reattach" 2>"$work/server.log" &
  server=$!
  tries=0
  until [ -s "$work/reattach" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 150 ] || ! kill -0 "$server" 2>/dev/null; then
      cat "$work/server.log"
      echo "the stubs do not start"
      return 1
    fi
    sleep 0.2
  done
  TF_REATTACH_PROVIDERS=$(cat "$work/reattach")
  export TF_REATTACH_PROVIDERS
}

# in_each COMMAND: in every module and the root, two at a time; what failed says where.
in_each() {
  cat >"$work/each" <<'EACH'
cd "$2" || exit 1
log=$(mktemp)
eval "$1" >"$log" 2>&1 </dev/null || { echo "in terraform/${2#"$3"/}:"; grep -v '^[[:space:]]*$' "$log"; exit 1; }
EACH
  # The root takes longest and so goes first.
  { echo "$tree"; find "$tree"/modules/* "$tree/bootstrap" -prune -type d | sort; } | grep "$folder\$" | xargs -P 2 -I '{}' sh "$work/each" "$1" '{}' "$tree"
}

# A copy without lock files, whose hashes are those of the real provider, with its state on this disk.
copy() {
  tree=$work/tree/terraform
  mkdir -p "$work/tree"
  cp -R "$root/terraform" "$tree"
  find "$tree" \( -name .terraform -o -name .terraform.lock.hcl -o -name '*.tfstate*' \) -prune -exec rm -rf {} +
  printf 'terraform {\n  backend "local" {}\n}\n' >"$tree/backend_override.tf"
}

prepare() {
  stubs || return
  # Against the mirror, which also says whether the versions that are asked for are there.
  TF_CLI_CONFIG_FILE=$stubs/terraformrc in_each 'terraform init -no-color -input=false' || return 1
  serve
}
prepared() { cat "$work/prepare.log"; return "$prepare_status"; }

validate() { in_each 'terraform validate -no-color'; }
tests() { in_each 'terraform test -no-color'; }

plan() (
  cd "$tree" || exit 1
  # Any password will do: it is write-only, and nothing is made.
  TF_VAR_initial_master_password=$(printf '%032d' 0)
  export TF_VAR_initial_master_password
  terraform plan -no-color -input=false -lock=false -var-file="environments/$1.tfvars" -out="$work/$1.plan" >"$work/$1.log" 2>&1 ||
    { sed -n '/^Error/,$p' "$work/$1.log"; exit 1; }
  terraform show -json "$work/$1.plan" >"$work/$1.json"
  python3 "$support/plan.py" "$1" "$work/$1.json"
)

# The cost page has the quantities and classes of the plans.
costs() {
  set -- python3 "$checkout/scripts/costs.py" --root "$root"
  for environment in $environments; do
    [ -s "$work/$environment.json" ] || plan "$environment" >/dev/null || { echo "the plan of $environment is not there"; return 77; }
    set -- "$@" --plan "$environment" "$work/$environment.json"
  done
  "$@"
}

checkov() {
  # The settings of this machine are not the project's.
  env -u BC_API_KEY "$tools/checkov" --directory "$tree$folder" --config-file "$root/terraform/.checkov.yaml" >"$work/checkov.log" 2>&1
  checkov_status=$?
  sed "s|$work/tree/||g" "$work/checkov.log"
  # A file that it cannot read is one that it did not look at.
  grep -q 'Parsing errors: [1-9]' "$work/checkov.log" && checkov_status=1
  echo "findings: $(grep -c 'FAILED for resource\|Parsing errors: [1-9]' "$work/checkov.log")"
  return "$checkov_status"
}

version=-
TMPDIR=$work CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_CLI_CONFIG_FILE=$work/terraformrc
export TMPDIR CHECKPOINT_DISABLE TF_IN_AUTOMATION TF_CLI_CONFIG_FILE
: >"$TF_CLI_CONFIG_FILE"
unset TF_VAR_initial_master_password TF_VAR_page_endpoint TF_CLI_ARGS
copy

check "$part" terraform-outputs.sh - sh "$checkout/tests/ops/terraform-outputs.sh"
check "$part" "cost page" - python3 "$checkout/scripts/costs.py" --root "$root"
check "$part" layout - python3 "$support/layout.py" "$root/terraform"

environments='dev staging prod'
unrun() {
  for tool in validate test; do skip "$part" "terraform $tool" "$version" "$1"; done
  for environment in $environments; do skip "$part" "terraform plan $environment" "$version" "$1"; done
  skip "$part" "costs of the plans" - "$1"
}
if ! command -v terraform >/dev/null; then
  for tool in fmt init; do skip "$part" "terraform $tool" - "terraform 1.11 or newer is not on PATH"; done
  unrun "terraform 1.11 or newer is not on PATH"
else
  version=$(terraform version -json | sed -n 's/.*"terraform_version": "\([^"]*\)".*/\1/p')
  check "$part" "terraform fmt" "$version" terraform fmt -no-color -check -recursive "$root/terraform"
  if [ -z "$shared" ]; then
    skip "$part" "terraform init" "$version" "../shared with the provider stubs is not there"
    unrun "../shared with the provider stubs is not there"
  elif printf '%s\n' "terraform init" "terraform validate" "terraform test" "terraform plan dev" "terraform plan staging" "terraform plan prod" "costs of the plans" | grep -Eq "${VERIFY_TOOL:-.}"; then
    prepare_status=0
    prepare >"$work/prepare.log" 2>&1 || prepare_status=$?
    check "$part" "terraform init" "$version" prepared
    if [ "$prepare_status" = 0 ]; then
      check "$part" "terraform validate" "$version" validate
      check "$part" "terraform test" "$version" tests
      for environment in $environments; do check "$part" "terraform plan $environment" "$version" plan "$environment"; done
      check "$part" "costs of the plans" - costs
    else
      unrun "terraform init did not succeed"
    fi
  fi
fi

if python_tools python "$checkout/scripts/verify/requirements.txt"; then
  check "$part" checkov "$(sed -n 's/^checkov==//p' "$checkout/scripts/verify/requirements.in")" checkov
else
  skip "$part" checkov - "scripts/verify/requirements.txt could not be installed"
fi
# tflint is a binary of GitHub's releases alone; what its core rules find (unused declarations, no types, no descriptions, loose
# versions) layout looks for.
finish
