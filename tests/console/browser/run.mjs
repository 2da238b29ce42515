// node run.mjs CASE URL TOKEN ARGUMENTS: does what cases/CASE.mjs says.

const [, , name, url, token, given] = process.argv;
const {default: run} = await import(`./cases/${name}.mjs`);
await run({url, token, ...(JSON.parse(given) ?? {})});
