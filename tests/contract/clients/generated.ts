// A client that openapi-typescript made of the document, checked by tsc --strict and at work.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string | undefined> };

function must(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(what));
}

const client = createClient<paths>({
  baseUrl: process.env.MCP_RAG_URL ?? "",
  headers: { authorization: `Bearer ${process.env.MCP_RAG_TOKEN}` },
});
const name = "generated-ts";

const made = await client.POST("/v1/collections", { body: { name } });
must(made.data?.chunking.max_tokens === 256, made);
const again = await client.POST("/v1/collections", { body: { name } });
const refused: components["schemas"]["ErrorBody"] | undefined = again.error;
must(refused?.error.code === "conflict", again);

const put = await client.PUT("/v1/collections/{name}/documents/{external_id}", {
  params: { path: { name, external_id: "fox" }, query: { wait: true } },
  body: { title: "Fox", text: "The quick brown fox jumps over the lazy dog.", attributes: { lang: "en" } },
});
must(put.data?.document.status === "ready", put);
const listed = await client.GET("/v1/collections/{name}/documents", {
  params: { path: { name }, query: { status: "ready", limit: 10 } },
});
must(listed.data?.data[0]?.external_id === "fox", listed);

const found = await client.POST("/v1/search", {
  body: { query: "what jumps?", collections: [name], filters: { type: "eq", key: "lang", value: "en" } },
});
must(found.data?.results[0]?.external_id === "fox", found);
const answered = await client.POST("/v1/answers", {
  body: { question: "What does the fox jump over?", collections: [name] },
});
// Without `stream` an answer is JSON; with it, events.
must(typeof answered.data === "object" && answered.data !== null && "citations" in answered.data, answered);
must(answered.data.citations[0]?.quote.includes("lazy dog") ?? false, answered);

const path = { name, external_id: "fox" };
const gone = await client.DELETE("/v1/collections/{name}/documents/{external_id}", { params: { path } });
must(gone.data?.deleted.documents === 1, gone);
must((await client.DELETE("/v1/collections/{name}", { params: { path: { name } } })).data !== undefined, name);
console.log("ok");
