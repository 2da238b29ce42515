#!/bin/sh
# Commits what changed in k8s/overlays to a branch and asks for its merge. For workflows: needs git, gh and GH_TOKEN.
#
# usage: scripts/propose.sh [--dry-run] BRANCH TITLE BODY
set -eu
dry_run=''
case ${1:-} in
  --dry-run) dry_run="echo"; shift ;;
  --help | -h) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
esac
[ $# = 3 ] || { echo "propose: expected BRANCH TITLE BODY (--help)" >&2; exit 64; }
cd "$(dirname "$0")/.."
if git diff --quiet -- k8s/overlays; then
  echo "nothing to deploy: these digests are there already" >&2
  exit 0
fi
$dry_run git switch --create "deploy/$1"
$dry_run git -c user.name=github-actions -c user.email=41898282+github-actions[bot]@users.noreply.github.com \
  commit --message "$2" --message "$3" -- k8s/overlays
$dry_run git push --force-with-lease origin "deploy/$1"
$dry_run gh pr create --head "deploy/$1" --title "$2" --body "$3"
