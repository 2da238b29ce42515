#!/bin/sh
# Mistakes in the runbooks' commands, each caught by running or parsing them.
part=docs
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
copies docs monitoring README.md
chmod 755 "$scratch"
run='^runbook commands$' parsed='^commands for a cluster, parsed$'
books=docs/runbooks

sound "commands for a cluster are parsed without a finding" "$parsed"
plant "an option of kubectl that does not exist is caught" "$parsed" "unknown flag: --previos" $books/04-pod-crash-loop.md 's/--previous/--previos/'
plant "a quotation mark that is not closed is caught" "$parsed" "04-pod-crash-loop.*unexpected EOF" $books/04-pod-crash-loop.md "s/(jsonpath='[^']*)'/\1/"
plant "an option of the server that does not exist is caught" "$run" "07-security-incident.md" $books/07-security-incident.md 's/--overlap 600/--overlaps 600/'
plant "a column that PostgreSQL does not have is caught" "$run" "03-database-issues.md" $books/03-database-issues.md 's/wait_event_type/wait_event_kind/'
finish
