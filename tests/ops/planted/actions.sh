#!/bin/sh
# Mistakes in workflows, each caught by the tool it is for.
# shellcheck disable=SC2016 # expressions of sed, and of workflows
part=actions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
copies .github

ci=.github/workflows/ci.yml image=.github/workflows/image.yml promote=.github/workflows/promote.yml
for tool in actionlint zizmor shellcheck 'actions by commit'; do sound "the workflows as they are pass $tool" "$tool"; done

plant "an event that does not exist is caught" actionlint 'unknown Webhook event "pull_requests"' $ci 's/^  pull_request:/  pull_requests:/'
plant "a job that waits for none is caught" actionlint 'needs job "built"' $image 's/needs: build/needs: built/'
plant "a value that no step has is caught" actionlint 'property "nmae" is not defined' $image 's/steps.name.outputs.image \}\}@/steps.nmae.outputs.image }}@/'
plant "a key that does not exist is caught" actionlint 'unexpected key "timeout"' $ci 's/^    timeout-minutes: 30/    timeout: 30/'
plant "text of a pull request in a script is caught" zizmor 'template-injection' $ci 's/run: make lint/run: echo "${{ github.event.pull_request.title }}"/'
plant "a token that may do everything is caught" zizmor 'excessive-permissions' $ci 's/^permissions: \{\}/permissions: write-all/'
plant "a credential left in the checkout is caught" zizmor 'artipacked' $ci '0,/persist-credentials: false/s//persist-credentials: true/'
plant "a trigger that gives secrets to strangers is caught" zizmor 'dangerous-triggers' $ci 's/^  pull_request:/  pull_request_target:/'
plant "an action by its tag is caught" 'actions by commit' 'checkout@v7' $ci '0,/checkout@[0-9a-f]+ # v7.0.1/s//checkout@v7/'
plant "an action by its tag is caught by zizmor, too" zizmor 'unpinned-uses' $ci '0,/checkout@[0-9a-f]+ # v7.0.1/s//checkout@v7/'
plant "an unquoted variable in a step is caught" shellcheck 'SC2086|SC2046' $promote 's/for name in "\$image" "\$image-ops"/cp $(ls) x; for name in "$image"/'
finish
