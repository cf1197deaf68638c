// The unmodified `openai` package for Node, driven line by line: a line of JSON on stdin names a case and says where
// the gateway is, a line on stdout says what became of it. One process serves all cases, because it starts slowly.

import { createInterface } from "node:readline";
import OpenAI from "openai";

const messages = [{ role: "user", content: "hi" }];
const tools = [
  {
    type: "function",
    function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
  },
];

async function read(stream, seen) {
  for await (const chunk of stream) seen.push(chunk);
  return seen;
}

const textOf = (chunks) => chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta.content ?? "")).join("");

const cases = {
  async plain(client, { model, ...more }) {
    const answer = await client.chat.completions.create({ model, messages, ...more });
    return { text: answer.choices[0].message.content, finish: answer.choices[0].finish_reason, usage: answer.usage };
  },

  // What was read before an error is told with it.
  async stream(client, { model, ...more }) {
    const seen = [];
    try {
      await read(await client.chat.completions.create({ model, messages, stream: true, ...more }), seen);
    } catch (error) {
      error.text = textOf(seen);
      throw error;
    }
    const finish = seen.flatMap((chunk) => chunk.choices.map((choice) => choice.finish_reason)).filter(Boolean);
    return { text: textOf(seen), finish, usages: seen.filter((chunk) => chunk.usage).map((chunk) => chunk.usage) };
  },

  async tools(client, { model, ...more }) {
    const asked = { model, messages, tools, tool_choice: "required", ...more };
    const plain = await client.chat.completions.create(asked);
    const chunks = await read(await client.chat.completions.create({ ...asked, stream: true }), []);
    const calls = chunks.flatMap((chunk) => chunk.choices.flatMap((choice) => choice.delta.tool_calls ?? []));
    return {
      plain: plain.choices[0].message.tool_calls[0].function,
      streamed: {
        name: calls.map((call) => call.function.name ?? "").join(""),
        arguments: calls.map((call) => call.function.arguments ?? "").join(""),
      },
    };
  },

  async embeddings(client, { model }) {
    const answer = await client.embeddings.create({ model, input: ["one", "two"] });
    return { lengths: answer.data.map((item) => item.embedding.length) };
  },

  async models(client, { model }) {
    const names = [];
    for await (const each of client.models.list()) names.push(each.id);
    return { names, found: (await client.models.retrieve(model)).id };
  },

  async headers(client, { model }) {
    const asked = client.chat.completions.create({ model, messages }, { headers: { "X-Request-Id": "node-1" } });
    const { response } = await asked.withResponse();
    return Object.fromEntries(response.headers);
  },

  async abort(client, { model, ...more }) {
    const stream = await client.chat.completions.create({ model, messages, stream: true, ...more });
    const seen = [];
    for await (const chunk of stream) {
      seen.push(chunk);
      if (seen.length === 3) stream.controller.abort();
    }
    return { chunks: seen.length };
  },

  async abortBeforeTheFirstByte(client, { model, stream }) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    await client.chat.completions.create({ model, messages, stream }, { signal: controller.signal });
    return {};
  },

  async atOnce(client, { models }) {
    const one = async (model) =>
      textOf(await read(await client.chat.completions.create({ model, messages, stream: true }), []));
    return { texts: await Promise.all(models.map(one)) };
  },
};

async function run({ name, url, key, retries, asked }) {
  const client = new OpenAI({ apiKey: key, baseURL: url, maxRetries: retries, timeout: 10_000 });
  try {
    return await cases[name](client, asked);
  } catch (error) {
    const { status, code, type, param, message, requestID, text } = error;
    return { error: { class: error.constructor.name, status, code, type, param, message, requestID, text } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line))));
}
