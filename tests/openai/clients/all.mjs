// Every row of the contract with openai-node as it comes. OPENAI_CLIENT is the folder of the package;
// OPENAI_BASE_URL and OPENAI_API_KEY are read by the client itself.

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const { default: OpenAI, toFile } = await import(pathToFileURL(`${process.env.OPENAI_CLIENT}/index.mjs`));
const client = new OpenAI({ maxRetries: 0, timeout: 30_000 });
const soon = { pollIntervalMs: 50 };
const FOX = "# Foxes\n\nThe quick brown fox jumps over the lazy dog every morning.\n";
const HARBOUR = "The harbour of Genoa opened in 1893. Its lighthouse is made of white granite.\n";

const upload = async (name, content) =>
  client.files.create({ file: await toFile(Buffer.from(content), name), purpose: "assistants" });

async function eventually(what, holds) {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`never happened: ${what}`);
}

// The error of a call that must not succeed, whose form is checked.
async function refused(kind, call, param) {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
    assert.ok(error.requestID, "x-request-id");
    assert.deepEqual(Object.keys(error.error).sort(), ["code", "message", "param", "type"]);
    if (param) assert.equal(error.param, param);
    return error;
  }
  assert.fail("it succeeded");
}

async function all(pages) {
  const ids = [];
  for await (const one of await pages) ids.push(one.id);
  return ids;
}

async function storeOf(name, ...files) {
  const uploaded = [];
  for (const [file, content] of files) uploaded.push(await upload(file, content));
  const store = await client.vectorStores.create({ name, file_ids: uploaded.map((file) => file.id) });
  await eventually("the files are searchable", async () =>
    (await client.vectorStores.retrieve(store.id)).status === "completed");
  return [store, uploaded];
}

const rows = {
  async vectorStores() {
    const store = await client.vectorStores.create({
      name: "Node", metadata: { a: "b" }, expires_after: { anchor: "last_active_at", days: 3 },
    });
    assert.equal(store.object, "vector_store");
    assert.equal(store.status, "completed");
    assert.deepEqual(store.file_counts, { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 });
    assert.equal(store.expires_at, store.last_active_at + 3 * 86400);
    assert.deepEqual(await client.vectorStores.retrieve(store.id), store);
    const changed = await client.vectorStores.update(store.id, { name: "Other", expires_after: null });
    assert.deepEqual([changed.name, changed.metadata, changed.expires_after], ["Other", { a: "b" }, null]);
    const made = [];
    for (let n = 0; n < 4; n++) made.push((await client.vectorStores.create({ name: `page ${n}` })).id);
    assert.deepEqual((await all(client.vectorStores.list({ limit: 2 }))).slice(0, 4), [...made].reverse());
    const page = await client.vectorStores.list({ limit: 2, order: "asc", after: made[0] });
    assert.deepEqual(page.data.map((one) => one.id), made.slice(1, 3));
    const raw = await (await client.vectorStores.list({ limit: 2, order: "asc", after: made[0] }).asResponse()).json();
    assert.deepEqual([raw.object, raw.has_more, raw.first_id, raw.last_id], ["list", true, made[1], made[2]]);
    const before = await client.vectorStores.list({ limit: 2, order: "asc", before: made[3] });
    assert.deepEqual(before.data.map((one) => one.id), made.slice(1, 3));
    for (const id of [store.id, ...made]) {
      assert.deepEqual(await client.vectorStores.delete(id), { id, object: "vector_store.deleted", deleted: true });
    }
    await refused(OpenAI.NotFoundError, () => client.vectorStores.retrieve(store.id));
    await refused(OpenAI.BadRequestError, () => client.vectorStores.list({ limit: 101 }), "limit");
  },

  async files() {
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, n) => n % 256));
    const file = await upload("größe.bin", bytes);
    assert.deepEqual([file.object, file.bytes, file.filename, file.status], ["file", 512, "größe.bin", "processed"]);
    const content = Buffer.from(await (await client.files.content(file.id)).arrayBuffer());
    assert.ok(content.equals(bytes), "the bytes as they came");
    assert.deepEqual(await client.files.retrieve(file.id), file);
    assert.equal((await client.files.waitForProcessing(file.id)).id, file.id);
    const short = await client.files.create({
      file: await toFile(Buffer.from("x"), "a.txt"), purpose: "user_data",
      expires_after: { anchor: "created_at", seconds: 7200 },
    });
    assert.ok(Math.abs(short.expires_at - short.created_at - 7200) <= 1);
    assert.deepEqual(await all(client.files.list({ purpose: "user_data", limit: 1 })), [short.id]);
    for (const id of [file.id, short.id]) {
      assert.deepEqual(await client.files.delete(id), { id, object: "file", deleted: true });
    }
    await refused(OpenAI.NotFoundError, () => client.files.retrieve(file.id));
    await refused(OpenAI.BadRequestError,
      async () => client.files.create({ file: await toFile(Buffer.from("x"), "a.txt"), purpose: "party" }), "purpose");
  },

  async filesOfAVectorStore() {
    const store = await client.vectorStores.create({ name: "attach" });
    const files = client.vectorStores.files;
    const file = await upload("fox.md", FOX);
    const chunking_strategy = { type: "static", static: { max_chunk_size_tokens: 128, chunk_overlap_tokens: 16 } };
    const done = await files.createAndPoll(
      store.id, { file_id: file.id, attributes: { year: 2026, draft: false }, chunking_strategy }, soon);
    assert.deepEqual([done.id, done.object, done.status, done.last_error],
      [file.id, "vector_store.file", "completed", null]);
    assert.deepEqual([done.attributes, done.chunking_strategy], [{ year: 2026, draft: false }, chunking_strategy]);
    const text = await files.content(file.id, { vector_store_id: store.id });
    assert.match(text.data[0].text, /lazy dog/);
    const changed = await files.update(file.id, { vector_store_id: store.id, attributes: { year: 2027 } });
    assert.deepEqual(changed.attributes, { year: 2027 });
    assert.deepEqual(await files.retrieve(file.id, { vector_store_id: store.id }), changed);
    const more = await files.uploadAndPoll(store.id, await toFile(Buffer.from(HARBOUR), "harbour.txt"), soon);
    assert.equal(more.status, "completed");
    const bad = await upload("photo.png", Buffer.from([137, 80, 78, 71, 0, 255]));
    const failed = await files.createAndPoll(store.id, { file_id: bad.id }, soon);
    assert.deepEqual([failed.status, failed.last_error.code], ["failed", "unsupported_file"]);
    assert.deepEqual(await all(files.list(store.id, { order: "asc", limit: 1 })), [file.id, more.id, bad.id]);
    assert.deepEqual(await all(files.list(store.id, { filter: "failed" })), [bad.id]);
    assert.deepEqual(await files.delete(file.id, { vector_store_id: store.id }),
      { id: file.id, object: "vector_store.file.deleted", deleted: true });
    await refused(OpenAI.NotFoundError, () => files.retrieve(file.id, { vector_store_id: store.id }));
    await refused(OpenAI.NotFoundError, () => files.create(store.id, { file_id: "file-999999" }), "file_id");
  },

  async batches() {
    const store = await client.vectorStores.create({ name: "batches" });
    const batches = client.vectorStores.fileBatches;
    const files = [await upload("a.txt", "Alpha."), await upload("b.txt", "Beta."), await upload("c.png", "\x89\0")];
    const batch = await batches.createAndPoll(store.id, { file_ids: files.map((file) => file.id) }, soon);
    assert.deepEqual([batch.object, batch.status, batch.vector_store_id],
      ["vector_store.files_batch", "completed", store.id]);
    assert.deepEqual(batch.file_counts, { in_progress: 0, completed: 2, failed: 1, cancelled: 0, total: 3 });
    assert.deepEqual(
      await all(batches.listFiles(batch.id, { vector_store_id: store.id, order: "asc", limit: 2 })),
      files.map((file) => file.id));
    const own = await batches.create(store.id, { files: [{ file_id: files[0].id, attributes: { n: 1 } }] });
    await batches.poll(store.id, own.id, soon);
    const alpha = await client.vectorStores.files.retrieve(files[0].id, { vector_store_id: store.id });
    assert.deepEqual([alpha.status, alpha.attributes], ["completed", { n: 1 }]);
    const gamma = { files: [await toFile(Buffer.from("Gamma."), "d.txt")] };
    assert.equal((await batches.uploadAndPoll(store.id, gamma, soon)).file_counts.completed, 1);
    const long = Array.from({ length: 400 }, (_, n) => `Sentence ${n} says that ${n} and ${n + 1} are neighbours.`);
    const many = [];
    for (let n = 0; n < 12; n++) many.push((await upload(`long ${n}.txt`, `${long.join(" ")} ${n}`)).id);
    const waiting = await batches.create(store.id, { file_ids: many });
    const cancelled = await batches.cancel(waiting.id, { vector_store_id: store.id });
    assert.equal(cancelled.status, "cancelled");
    assert.ok(cancelled.file_counts.cancelled > 0 && cancelled.file_counts.in_progress === 0);
    assert.equal((await batches.retrieve(waiting.id, { vector_store_id: store.id })).status, "cancelled");
    await refused(OpenAI.BadRequestError, () => batches.create(store.id, { file_ids: [] }), "file_ids");
    await refused(OpenAI.NotFoundError, () => batches.retrieve("vsfb_999999", { vector_store_id: store.id }));
  },

  async search() {
    const [store, [fox, harbour]] = await storeOf("search", ["fox.md", FOX], ["harbour.txt", HARBOUR]);
    await client.vectorStores.files.update(fox.id, { vector_store_id: store.id, attributes: { legs: 4 } });
    const page = await client.vectorStores.search(store.id, { query: "what does the fox jump over", max_num_results: 5 });
    assert.equal(page.object, "vector_store.search_results.page");
    assert.deepEqual([page.data[0].file_id, page.data[0].filename, page.data[0].attributes],
      [fox.id, "fox.md", { legs: 4 }]);
    assert.ok(page.data.every((hit) => hit.score >= 0 && hit.score <= 1 && hit.content[0].type === "text"));
    const found = async (extra) =>
      (await client.vectorStores.search(store.id, { query: "fox harbour", ...extra })).data.map((hit) => hit.file_id);
    assert.deepEqual(await found({ filters: { type: "gte", key: "legs", value: 4 } }), [fox.id]);
    assert.deepEqual(await found({ filters: { type: "and", filters: [
      { type: "ne", key: "legs", value: 4 }, { type: "or", filters: [{ type: "nin", key: "legs", value: [1] }] },
    ] } }), [harbour.id]);
    const asked = client.vectorStores.search(store.id, { query: ["lazy dog", "white granite"] });
    const both = await (await asked.asResponse()).json();
    assert.deepEqual(new Set(both.data.map((hit) => hit.file_id)), new Set([fox.id, harbour.id]));
    assert.deepEqual(both.search_query, ["lazy dog", "white granite"]);
    const best = await found({ query: "lazy dog", ranking_options: { ranker: "auto", score_threshold: 0.9 } });
    assert.deepEqual(best, [fox.id]);
    await refused(OpenAI.BadRequestError, () => found({ max_num_results: 51 }), "max_num_results");
    await refused(OpenAI.BadRequestError, () => found({ filters: { type: "x" } }), "filters");
    await refused(OpenAI.NotFoundError, () => client.vectorStores.search("vs_999999", { query: "x" }));
  },

  async embeddings() {
    const found = await client.embeddings.create({ model: "mcp-rag", input: ["A quick fox.", "White granite."] });
    assert.deepEqual(found.data.map((one) => [one.index, one.embedding.length]), [[0, 384], [1, 384]]);
    const plain = await client.embeddings.create(
      { model: found.model, input: "A quick fox.", encoding_format: "float", dimensions: 384 });
    plain.data[0].embedding.forEach((number, at) =>
      assert.ok(Math.abs(number - found.data[0].embedding[at]) < 1e-6));
    assert.ok(found.usage.prompt_tokens > 4 && found.usage.prompt_tokens === found.usage.total_tokens);
    const create = (extra) => client.embeddings.create({ model: "mcp-rag", input: "x", ...extra });
    await refused(OpenAI.BadRequestError, () => create({ input: [[1, 2]] }), "input");
    await refused(OpenAI.BadRequestError, () => create({ dimensions: 3 }), "dimensions");
    await refused(OpenAI.NotFoundError, () => create({ model: "text-embedding-3-small" }), "model");
  },

  async chat() {
    const [store, [fox]] = await storeOf("chat", ["fox.md", FOX], ["harbour.txt", HARBOUR]);
    const messages = [{ role: "user", content: "What does the quick brown fox jump over every morning?" }];
    const model = `mcp-rag/${store.id}`;
    const whole = await client.chat.completions.create({ model, messages, temperature: 0 });
    const { content, annotations } = whole.choices[0].message;
    assert.match(content, /lazy dog/);
    const { start_index, end_index, title, url } = annotations[0].url_citation;
    assert.match([...content].slice(start_index, end_index).join(""), /lazy dog/);
    assert.ok(["fox.md", "Foxes"].includes(title) && url.endsWith(`/files/${fox.id}/content`), url);
    assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);
    assert.deepEqual([whole.object, whole.choices[0].finish_reason], ["chat.completion", "stop"]);

    const stream = await client.chat.completions.create(
      { model, messages, stream: true, stream_options: { include_usage: true } });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const deltas = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta));
    assert.equal(deltas[0].role, "assistant");
    assert.equal(deltas.map((delta) => delta.content ?? "").join(""), content);
    assert.deepEqual(deltas.flatMap((delta) => delta.annotations ?? []), annotations);
    assert.deepEqual([chunks.at(-1).choices, chunks.at(-1).usage], [[], whole.usage]);
    assert.equal(chunks.at(-2).choices[0].finish_reason, "stop");
    const final = await client.chat.completions.stream({ model, messages }).finalChatCompletion();
    assert.equal(final.choices[0].message.content, content);

    const turns = await client.chat.completions.create({ model: "mcp-rag", collections: [store.id], messages: [
      { role: "system", content: "Be brief." }, ...messages, whole.choices[0].message,
      { role: "user", content: [{ type: "text", text: "When did the harbour of Genoa open?" }] },
    ] });
    assert.match(turns.choices[0].message.content, /1893/);
    await refused(OpenAI.NotFoundError, () => client.chat.completions.create({ model: "gpt-5", messages }), "model");
    await refused(OpenAI.NotFoundError,
      () => client.chat.completions.create({ model: "mcp-rag/nowhere", messages, stream: true }), "model");
    await refused(OpenAI.BadRequestError, () => client.chat.completions.create({ model, messages, n: 2 }), "n");
  },

  async models() {
    const store = await client.vectorStores.create({ name: "model" });
    const ids = await all(client.models.list());
    assert.ok(ids.includes("mcp-rag") && ids.includes("mcp-rag/model"), ids.join());
    for (const id of [...ids.slice(0, 2), "mcp-rag/model"]) {
      const model = await client.models.retrieve(id);
      assert.deepEqual([model.id, model.object, model.owned_by], [id, "model", "mcp-rag"]);
    }
    await refused(OpenAI.NotFoundError, () => client.models.retrieve("gpt-5"), "model");
    await client.vectorStores.delete(store.id);
  },

  async errors() {
    const wrong = new OpenAI({ apiKey: "sk-wrong", maxRetries: 0 });
    const error = await refused(OpenAI.AuthenticationError, () => wrong.models.list());
    assert.deepEqual([error.status, error.type, error.code], [401, "authentication_error", "unauthorized"]);
    await refused(OpenAI.BadRequestError, () => client.vectorStores.create({ colour: "red" }), "colour");
    const { request_id } = await client.models.list().withResponse();
    assert.ok(request_id);
  },
};

const failed = [];
for (const [name, check] of Object.entries(rows)) {
  const began = Date.now();
  try {
    await check();
    console.log(`ok ${name} ${Date.now() - began} ms`);
  } catch (error) {
    console.log(`FAILED ${name}`, error);
    failed.push(name);
  }
}
if (failed.length > 0) {
  console.error(`failed: ${failed.join(", ")}`);
  process.exit(1);
}
