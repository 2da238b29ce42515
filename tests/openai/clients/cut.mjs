// A stream that breaks in the middle raises the client's own error, after the words that came.

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const { default: OpenAI } = await import(pathToFileURL(`${process.env.OPENAI_CLIENT}/index.mjs`));
const client = new OpenAI({ maxRetries: 0 });
let words = "";
const read = async () => {
  const messages = [{ role: "user", content: "What does the brown fox jump over?" }];
  for await (const chunk of await client.chat.completions.create({ model: "mcp-rag", stream: true, messages })) {
    words += chunk.choices[0]?.delta?.content ?? "";
  }
};
await assert.rejects(read, (error) => error instanceof OpenAI.APIError && error.code === "unavailable");
assert.equal(words, "The brown fox jumps over the ");
