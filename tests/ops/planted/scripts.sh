#!/bin/sh
# Mistakes in the scripts and in what they restore, each caught by the tool it is for.
part=scripts
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
copies scripts tests/ops .ci
# PostgreSQL's account has to get through to the servers of the tests.
chmod 711 "$scratch"
# of TESTS: of a suite, those that are about the mistake; all others would only take their time.
of() { export MCP_RAG_BATS_FILTER="$1"; }

of .
for tool in shellcheck POSIX 'bats: help' 'bats: data'; do sound "the scripts as they are pass $tool" "$tool"; done
plant "an unquoted variable is caught" shellcheck 'SC2086' scripts/restore-database.sh 's/^mkdir -p "\$data_dir"/mkdir -p $data_dir/'
plant "a bashism in a POSIX script is caught" shellcheck 'SC3010|SC3014' scripts/backup-database.sh 's/^if \[ "\$kind" = logical \]; then/if [[ "$kind" == logical ]]; then/'
plant "a variable that nobody sets is caught" shellcheck 'SC2154' scripts/archive-wal.sh 's/^  key=\$prefix/  key=$prefixx/'
plant "a script that wants bash where operations have sh is caught" POSIX 'not #!/bin/sh' scripts/rotate-secrets.sh '1s/.*/#!\/bin\/bash/'
plant "a script that does not parse is caught" POSIX 'archive-wal.sh' scripts/archive-wal.sh 's/^set -eu$/set -eu; if true/'
plant "an option that the help does not name is caught" 'bats: help' 'is not in its help|not ok 1 ' scripts/restore-database.sh 's/^#   --from NAME .*/#/'
plant "a part of a pipeline whose failure nobody notices is caught" 'bats: help' 'pipeline that fails is noticed' scripts/lib/common.sh 's/^piped\(\) .*/piped() { "$@"; }/'
plant "a password on the screen is caught" 'bats: help' 'no password is printed' scripts/backup-database.sh 's/die "the database at \$PGHOST cannot/die "the database at $PGHOST $PGPASSWORD cannot/'
plant "a link that anonymising lets through is caught" 'bats: data' 'is in the copy' scripts/lib/anonymize.py 's/made\["uri"\] = .*/made["uri"] = document["uri"]/'
plant "an export that was cut off and is taken for whole is caught" 'bats: data' 'cut off leaves no copy' scripts/lib/anonymize.py 's/if begun and not complete:/if False:/'

of 'a good server passes|is away'
sound "the scripts as they are pass the smoke tests" 'bats: smoke'
plant "a smoke test whose line changed is caught" 'bats: smoke' 'a good server passes' scripts/smoke-tests.sh "s/'Search endpoint working'/'Search works'/"
plant "a smoke test that passes whatever happens is caught" 'bats: smoke' 'is away' scripts/smoke-tests.sh '/^    exit 1$/d'

of 'a damaged dump is found|an invalid index'
sound "the scripts as they are pass backup and restore" 'bats: backup'
plant "a restore that does not look whether the dump is damaged is caught" 'bats: backup' 'a damaged dump is found' scripts/lib/vault.sh 's/^  \[ "\$fetched" = .*/  true ||/'
plant "a verification that takes an invalid index is caught" 'bats: backup' 'an invalid index' scripts/lib/verify.sql 's/WHEN count\(\*\) FILTER \(WHERE NOT \(indisvalid AND indisready AND indislive\)\) = 0 AND count\(\*\) > 0/WHEN true/'
finish
