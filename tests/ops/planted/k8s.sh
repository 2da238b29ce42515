#!/bin/sh
# Mistakes in manifests, each caught by the tool it is for.
# shellcheck disable=SC2016 # expressions of sed, and of workflows
part=k8s
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
copies k8s config monitoring
# One of each kind is enough to see a mistake, and five times as fast as all.
export VERIFY_RENDER='^(dev|prod)$'

server=k8s/base/deployment.yaml
policies='policies of k8s/policy'
sound "the manifests as they are pass the policies" "$policies"

plant "a misspelt field of a Deployment is caught" kvalidate "replicaz|Additional properties" $server 's/^  minReadySeconds: 5/  replicaz: 3/'
plant "a misspelt field of a custom resource is caught" kvalidate "stepWeigth" k8s/components/flagger-canary/canary.yaml 's/stepWeight:/stepWeigth:/'
plant "an unknown kind is caught" kvalidate "no schema for" k8s/base/pdb.yaml 's/^kind: PodDisruptionBudget/kind: PodDisruptionBudgets/'
plant "a text where a number belongs is caught" kvalidate "is not of type" $server 's/terminationGracePeriodSeconds: 80/terminationGracePeriodSeconds: eighty/'
plant "a key that is there twice is caught" "kustomize|kvalidate" "already (set|defined)|duplicate" $server 's/^(  progressDeadlineSeconds: 600)/\1\n\1/'
plant "a file that is not there is caught" kustomize "no such file|not found" k8s/base/kustomization.yaml 's/  - pdb.yaml/  - pbd.yaml/'
plant "a component that no overlay uses is caught" kustomize "blue-green is in no overlay" k8s/overlays/prod-blue-green/kustomization.yaml '/^components:/d; /blue-green$/d'

plant "21: a missing readiness probe is caught" "$policies" "readinessProbe is missing" $server 's/readinessProbe:/x-readinessProbe:/'
plant "21: a liveness probe that asks for dependencies is caught" "$policies" "liveness asks what readiness asks" $server 's|/health/live|/health/ready|'
plant "21: a liveness probe without patience is caught" "$policies" "no patience" $server 's/failureThreshold: 6/failureThreshold: 2/'
plant "22: a preStop shorter than endpoints take is caught" "$policies" "preStop of 2 s" $server 's/seconds: 5$/seconds: 2/'
plant "22: a readiness slower than the drain is caught" "$policies" "readiness says no after up to 13 s" $server 's/^(            periodSeconds: )2$/\15/'
plant "23: a grace period shorter than the drain is caught" "$policies" "killed after 60 s" $server 's/terminationGracePeriodSeconds: 80/terminationGracePeriodSeconds: 60/'
plant "23: a drain longer than the grace period is caught" "$policies" "killed after 80 s" k8s/base/config/default.toml 's/shutdown_timeout_ms = 30000/shutdown_timeout_ms = 60000/'
plant "24: a rollout that takes a server away first is caught" "$policies" "maxUnavailable is not 0" $server 's/maxUnavailable: 0/maxUnavailable: 1/'
plant "25: a budget that holds for nobody is caught" "$policies" "mcp-backend.*no PodDisruptionBudget" k8s/base/pdb.yaml '0,/component: server$/!s/component: server$/component: serverr/'
plant "26: servers in one zone are caught" "$policies" "not spread over zones" $server 's|topology.kubernetes.io/zone|topology.kubernetes.io/region|'
plant "27: a priority that does not exist is caught" "$policies" "there is no PriorityClass" $server 's/mcp-demo-serving/mcp-demo-serve/'
plant "28: a container that is root is caught" "$policies" "runs as user 0" $server 's/runAsUser: 65532/runAsUser: 0/'
plant "28: a container that is root is caught by checkov, too" "^checkov$" "CKV_K8S_(40|23)" $server 's/runAsUser: 65532/runAsUser: 0/'
plant "28: a root file system that can be written is caught" "$policies" "readOnlyRootFilesystem" $server 's/readOnlyRootFilesystem: true/readOnlyRootFilesystem: false/'
plant "28: a capability that is kept is caught" "$policies" "drop all capabilities" $server 's/drop: \[ALL\]/drop: [NET_RAW]/'
plant "29: no seccomp profile is caught" "$policies" "seccompProfile" $server 's/type: RuntimeDefault/type: Unconfined/'
plant "30: an open network is caught" "$policies" "denies everything by default" k8s/base/networkpolicy.yaml '0,/policyTypes: \[Ingress, Egress\]/s//policyTypes: [Ingress]/'
plant "30: a way to the node's rights is caught" "$policies" "169.254.169.254" k8s/base/networkpolicy.yaml 's|169.254.0.0/16, ||'
plant "30: a policy for pods that do not exist is caught" "$policies" "is for no pod" k8s/base/networkpolicy.yaml 's/(values: \[server, worker)\]/\1]/; s/component: server$/component: api/'
plant "31: the tag latest is caught" "$policies" "whatever is newest" k8s/base/kustomization.yaml 's/newTag: 0.1.0/newTag: latest/'
plant "31: a tag in production is caught" "$policies" "not named by its digest" k8s/overlays/prod/kustomization.yaml 's/    digest: sha256:0+/    newTag: 0.1.0/'
plant "32: settings that roll nothing are caught" "$policies" "has no hash in its name" k8s/base/kustomization.yaml 's|^      - config/default.toml|&\n    options: {disableNameSuffixHash: true}|'
plant "32: a secret by subPath is caught" "$policies" "never updated" $server 's|mountPath: /run/secrets/mcp-rag|&\n              subPath: database__url|'
plant "33: a number of servers beside the scaler is caught" "$policies" "replicas is set beside a scaler" $server 's/^  minReadySeconds: 5/&\n  replicas: 2/'
plant "33: workers that are not scaled by the queue are caught" "$policies" "queue's depth|instead of one" k8s/overlays/prod/kustomization.yaml '/components.keda$/d; /ScaledObject/,/maxReplicaCount/d'
plant "34: no limit of memory is caught" "$policies" "no limits of memory" k8s/base/worker-deployment.yaml '/limits:/,/memory/s/memory: 3Gi/hugepages-2Mi: "0"/'
plant "a setting that the server does not know is caught" "settings" "unknown field" k8s/overlays/prod/production.toml 's/^sample_ratio/sampel_ratio/'
plant "a secret whose file the server does not know is caught" "settings" "database" k8s/components/external-secrets/externalsecret.yaml 's/secretKey: database__url/secretKey: database_url/'
plant "a Service that finds no pod is caught" "$policies" "selects no pod" k8s/base/service.yaml '/selector:/,/ports:/s/component: server/component: servers/'
plant "a certificate where no gateway looks for it is caught" "$policies" "no Certificate in istio-system" k8s/components/istio/gateway.yaml '/namespace: istio-system/d'
plant "a path of secrets of another environment is caught" "$policies" "no path of an environment's secrets" k8s/overlays/prod/kustomization.yaml 's|/mcp-demo/prod/database|/mcp-demo/staging/database|'
plant "a missing preStop is caught by the common policy, too" "policies of ../shared" "no preStop" $server 's/^            preStop:/            postStart:/'
plant "a rule of alerts that was not carried over is caught" "PrometheusRule" "scripts/prometheus-rules.sh" k8s/components/monitoring/prometheusrule.yaml '$s/$/ # edited/'
finish
