// The npm clients: `talk.mjs PACKAGE http URL [TOKEN]`, or `talk.mjs PACKAGE stdio COMMAND ARGUMENTS…`, where PACKAGE is
// sdk (1.x), client (2.x as it is) or client-2026-07-28 (2.x, newest protocol only). Prints what it saw as JSON; what
// is not as it should be ends it with a status that is not 0.
import assert from 'node:assert/strict';

const [which, kind, ...where] = process.argv.slice(2);
const old = which === 'sdk';
const base = old ? '@modelcontextprotocol/sdk/client' : '@modelcontextprotocol/client';
const { Client, StreamableHTTPClientTransport } = old
  ? { ...(await import(`${base}/index.js`)), ...(await import(`${base}/streamableHttp.js`)) }
  : await import(base);
const { StdioClientTransport } = await import(old ? `${base}/stdio.js` : `${base}/stdio`);

const options = which.startsWith('client-') ? { versionNegotiation: { mode: { pin: which.slice('client-'.length) } } } : {};
const client = new Client({ name: which, version: '1.0.0' }, options);
const transport =
  kind === 'stdio'
    ? new StdioClientTransport({ command: where[0], args: where.slice(1), env: process.env })
    : new StreamableHTTPClientTransport(
        new URL(where[0]),
        where[1] ? { requestInit: { headers: { authorization: `Bearer ${where[1]}` } } } : {},
      );
await client.connect(transport);

const call = (name, args, progress) => {
  const parameters = { name, arguments: args };
  const extra = progress ? { onprogress: progress } : undefined;
  return old ? client.callTool(parameters, undefined, extra) : client.callTool(parameters, extra);
};
const shown = (result) => {
  assert.equal(result.content.length, 1);
  const value = JSON.parse(result.content[0].text);
  if (!result.isError) assert.deepEqual(value, result.structuredContent);
  return value;
};

const told = { client: which };
told.version = (old ? transport.protocolVersion : client.getNegotiatedProtocolVersion?.()) ?? null;
told.server = client.getServerVersion()?.name;
// Listed first, so that the client checks results against the output schemas.
told.tools = (await client.listTools()).tools.map((tool) => tool.name);
told.search = shown(await call('search', { query: 'what jumps over the dog', collections: ['notes'] }));
told.fetch = shown(await call('fetch', { id: told.search.results[0].id }));
told.progress = [];
told.ask = shown(await call('ask', { question: 'What does the fox jump over?' }, (news) => told.progress.push(news.message)));
const wrong = await call('search', { query: 'x', collections: ['nowhere'] });
assert.equal(wrong.isError, true);
told.wrong = shown(wrong);
await call('no_such_tool', {}).then(
  () => assert.fail('an unknown tool was called'),
  (error) => (told.unknown = error.code),
);
told.resources = (await client.listResources()).resources.map((resource) => resource.uri);
told.templates = (await client.listResourceTemplates()).resourceTemplates.map((template) => template.uriTemplate);
told.read = (await client.readResource({ uri: told.resources[0] })).contents[0].text;
told.prompts = (await client.listPrompts()).prompts.map((prompt) => prompt.name);
const prompt = await client.getPrompt({ name: 'answer_from_documents', arguments: { question: 'What jumps?' } });
told.prompt = prompt.messages[0].content.text;
const completed = await client.complete({
  ref: { type: 'ref/resource', uri: told.templates[0] },
  argument: { name: 'collection', value: 'no' },
});
told.completed = completed.completion.values;
await client.close();
console.log(JSON.stringify(told));
