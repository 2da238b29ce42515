#!/bin/sh
# Verifies the manifests: what each overlay renders to, against schemas (those of the custom resources too), against the
# policies of k8s/policy and against checkov.
#
# usage: scripts/verify/k8s.sh [ROOT]
part=k8s
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
begin "$@"

# What checkov is told not to ask, with the reason.
#   CKV_K8S_15 imagePullPolicy Always: an image is named by its digest, so the one on the node is the one; and a pod starts
#              while the registry is away
#   CKV_K8S_43 digests: in dev, and in the base, alone
#   CKV_K8S_40 user ids above 10000: in dev alone, whose images of PostgreSQL and Redis have ids of their own
checkov_skips=CKV_K8S_15
checkov_dev_skips=$checkov_skips,CKV_K8S_43,CKV_K8S_40

# VERIFY_RENDER=REGEX in the environment keeps to the overlays that match it, for tests.
kustomize() {
  printf '%s\n' "$(basename "$2" .yaml)" | grep -Eq "${VERIFY_RENDER:-.}" || return 0
  kubectl kustomize "$1" >"$2" || { rm -f "$2"; return 1; }
}

render() {
  render_status=0
  for folder in "$root"/k8s/overlays/*/ "$root"/k8s/argocd/; do
    [ -d "$folder" ] || continue
    kustomize "$folder" "$work/$(basename "$folder").yaml" || render_status=1
  done
  # Flagger takes the place of some of what istio has; so istio is looked at by itself, too.
  mkdir "$work/alone"
  cp "$root/k8s/overlays/prod/environment.env" "$work/alone/"
  cat >"$work/alone/kustomization.yaml" <<KUSTOMIZATION
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [$(relative "$root/k8s/base")]
configMapGenerator:
  - {name: environment, envs: [environment.env], options: {disableNameSuffixHash: true}}
components: [$(relative "$root/k8s/components/istio"), $(relative "$root/k8s/components/monitoring"), $(relative "$root/k8s/components/environment")]
KUSTOMIZATION
  kustomize "$work/alone" "$work/rolling.yaml" || render_status=1
  for component in "$root"/k8s/components/*/; do
    grep -rqs "components/$(basename "$component")\$" "$root"/k8s/overlays/*/kustomization.yaml ||
      { echo "k8s/components/$(basename "$component") is in no overlay"; render_status=1; }
  done
  return "$render_status"
}
# kustomize takes no absolute paths.
relative() { python3 -c 'import os, sys; print(os.path.relpath(os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])))' "$1" "$work/alone"; }

policy() {
  rendered=$1
  shift
  set -- "$@"
  for file in $rendered; do set -- "$@" "$file"; done
  "$python" "$checkout/scripts/verify/policy.py" --root "$root" "$@"
}

checkov() {
  # The settings of this machine are not the project's.
  env -u BC_API_KEY "$tools/checkov" --skip-download --quiet --compact --framework kubernetes "$@"
}

# Custom resources have schemas of their own, and a typing mistake in any object is an error.
schemas() {
  # shellcheck disable=SC2046 # the names of this folder have no spaces
  "$python" "$shared/tools/infra/kvalidate.py" 1.32 "$shared/data/crd-schemas" $(rendered_files) | sed "s|$work/||"
}
# The status of a pipe is its last one's: the findings are what is looked at.
validate() { schemas >"$work/schemas"; cat "$work/schemas"; grep -q ', 0 errors$' "$work/schemas"; }
rendered_files() { ls "$work"/*.yaml; }
# files PATTERN: those whose name matches, apart from Argo CD's own, which make no pods.
files() { rendered_files | grep -E "/($1)\.yaml\$"; }
released='staging|prod|prod-blue-green'
tagged='dev|rolling'

if ! command -v kubectl >/dev/null; then
  skip "$part" "kubectl kustomize" - "kubectl is not on PATH"
  finish
fi
rendered=0
render >"$work/render.log" 2>&1 || rendered=$?
told() { cat "$work/render.log"; return "$rendered"; }
check "$part" "kubectl kustomize" "$(kubectl version --client 2>/dev/null | sed -n 's/^Kustomize Version: v//p')" told

if python_tools python "$checkout/scripts/verify/requirements.txt"; then
  python=$tools/python
  if [ -n "$shared" ] && [ -f "$shared/tools/infra/kvalidate.py" ]; then
    check "$part" "kvalidate (schemas of 1.32)" "$(version_of kubernetes-validate)" validate
  else
    skip "$part" "kvalidate (schemas of 1.32)" - "no ../shared with schemas of custom resources"
  fi
  ours=''
  for file in "$root"/k8s/policy/*.rego; do ours="$ours --policy $file"; done
  # shellcheck disable=SC2086 # options
  check "$part" "policies of k8s/policy" "regopy $(version_of regopy)" policy "$(files "$released|$tagged")" $ours
  if [ -n "$shared" ] && [ -f "$shared/tools/infra/policy/k8s.rego" ]; then
    check "$part" "policies of ../shared" "regopy $(version_of regopy)" policy "$(files "$released|$tagged")" --policy "$shared/tools/infra/policy/k8s.rego"
  else
    skip "$part" "policies of ../shared" - "no ../shared"
  fi
  # shellcheck disable=SC2046 # names without spaces
  check "$part" "checkov" "$(version_of checkov)" checkov --skip-check "$checkov_skips" $(files "$released" | sed 's/^/--file /')
  # shellcheck disable=SC2046 # names without spaces
  check "$part" "checkov (dev)" "$(version_of checkov)" checkov --skip-check "$checkov_dev_skips" $(files "$tagged" | sed 's/^/--file /')
else
  for tool in kvalidate "policies of k8s/policy" checkov; do skip "$part" "$tool" - "scripts/verify/requirements.txt could not be installed"; done
fi

# The server's own word on its settings, where one was built from this tree.
binary=${MCP_RAG_BINARY:-}
for built in "$checkout/target/debug/mcp-rag" "$checkout/target/release/mcp-rag"; do
  [ -z "$binary" ] && [ -x "$built" ] && [ -z "$(find "$checkout/src/config" "$checkout/config" -newer "$built" | head -n 1)" ] && binary=$built
done
if [ -n "$binary" ] && [ -n "${python:-}" ]; then
  # shellcheck disable=SC2046 # names without spaces
  check "$part" "settings (mcp-rag config check)" "$("$binary" --version | cut -d ' ' -f 2)" "$python" "$checkout/scripts/verify/settings.py" "$binary" $(files "$released|dev")
else
  skip "$part" "settings (mcp-rag config check)" - "no binary of this tree: cargo build --bin mcp-rag, or MCP_RAG_BINARY"
fi

if [ -d "$root/monitoring/prometheus/rules" ]; then
  check "$part" "PrometheusRule is of today" - "$checkout/scripts/prometheus-rules.sh" --check "$root"
else
  skip "$part" "PrometheusRule is of today" - "there is no monitoring/prometheus/rules"
fi
finish
