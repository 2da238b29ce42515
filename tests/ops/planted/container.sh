#!/bin/sh
# Mistakes in the images and in compose.yaml, each caught by the tool it is for.
# shellcheck disable=SC2016 # expressions of sed, and of workflows
part=container
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
copies Dockerfile .dockerignore compose.yaml Cargo.toml Cargo.lock LICENSE src actors chaos minilm text tests config console migrations scripts k8s/gate monitoring

for tool in hadolint 'image:' 'build context' compose-spec; do sound "the files as they are pass $tool" "$tool"; done

plant "an instruction that does not exist is caught" hadolint "missing whitespace|unexpected|DL1000" Dockerfile 's/^EXPOSE /EXPOSED /'
plant "a pipe whose first part may fail unseen is caught" hadolint "DL4006" Dockerfile 's/^SHELL .*$/RUN curl -sf http:\/\/127.0.0.1\/ | tar x/'
plant "a key that is baked in is caught by checkov" "checkov" "CKV_SECRET|CKV2_DOCKER|CKV_DOCKER" Dockerfile 's/^STOPSIGNAL SIGTERM/ADD https:\/\/example.com\/x \/x/'
plant "a server that is root is caught" "image:" "server: runs as root" Dockerfile '/^FROM .* AS server/,$s/^USER 65532:65532/USER root/'
plant "a user without a number is caught" "image:" "needs a number" Dockerfile '/^FROM .* AS server/,$s/^USER 65532:65532/USER nonroot/'
plant "a missing health check is caught" "image:" "server: no HEALTHCHECK" Dockerfile '/^HEALTHCHECK --/d'
plant "a base that nobody can pin is caught" "image:" "not an argument" Dockerfile 's/^FROM \$\{RUST_IMAGE\}/FROM rust:1.95/'
plant "a base that is whatever is newest is caught" "image:" "whatever is newest" Dockerfile 's/rust:1.95-bookworm/rust:latest/'
plant "a label that is missing is caught" "image:" "no label revision" Dockerfile 's/image.revision=/image.rev=/'
plant "a file that the context lacks is caught" "build context" "COPY k8s/gate: not in the context" .dockerignore '/^!k8s.gate/d'
plant "a member that the context lacks is caught" "build context" "cargo does not read|minilm" .dockerignore '/^!minilm/d'
plant "a stage that does not exist is caught" "build context" "no such stage" Dockerfile 's/COPY --from=model/COPY --from=models/'
plant "a misspelt key of compose is caught" compose-spec "healthchek" compose.yaml 's/healthcheck:/healthchek:/'
plant "a condition that does not exist is caught" compose-spec "service_health" compose.yaml 's/condition: service_healthy/condition: service_health/'
plant "a configuration that nobody defines is caught" compose-spec "rediss__url" compose.yaml 's/\{source: redis__url/{source: rediss__url/'
plant "a service that depends on none is caught" compose-spec "lokki" compose.yaml 's/depends_on: \[loki\]/depends_on: [lokki]/'
plant "an image by latest is caught" compose-spec "not pinned" compose.yaml 's/redis:7.4-alpine/redis:latest/'
plant "a port that is open to the network is caught" compose-spec "open to the network" compose.yaml 's/"127.0.0.1:5432:5432"/"5432:5432"/'
plant "a service without a health check is caught" compose-spec "alertmanager: no health check" compose.yaml '/^  alertmanager:/,/^  grafana:/{/healthcheck:/,/retries/d}'

# A secret in the tree must not reach the build.
fresh
mkdir -p "$scratch/tree/config"
echo secret >"$scratch/tree/config/server.pem"
sed '/pem/d' "$checkout/.dockerignore" >"$scratch/tree/.dockerignore"
judge "a key that is sent to the build is caught" "build context" "server.pem is sent to the build"
finish
