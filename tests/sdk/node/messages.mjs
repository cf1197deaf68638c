// `@anthropic-ai/sdk`

import Anthropic from "@anthropic-ai/sdk";

const messages = [{ role: "user", content: "hi" }];
const tools = [
  { name: "get_weather", input_schema: { type: "object", properties: { city: { type: "string" } } } },
];

// The gateway's own base URL has no version.
const client = ({ url, key, retries }) =>
  new Anthropic({ apiKey: key, baseURL: url.replace(/\/v1$/, ""), maxRetries: retries, timeout: 10_000 });

const told = (message) => ({
  text: message.content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join(""),
  thought: message.content.flatMap((block) => (block.type === "thinking" ? [block.thinking] : [])).join(""),
  calls: message.content.flatMap((block) => (block.type === "tool_use" ? [block.input] : [])),
  finish: message.stop_reason,
  usage: [message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens],
});

export async function message(gateway, { model }) {
  return told(await client(gateway).messages.create({ model, messages, max_tokens: 4096 }));
}

async function read(gateway, asked) {
  const events = new Set();
  const stream = client(gateway).messages.stream({ tools, max_tokens: 4096, ...asked });
  stream.on("streamEvent", (event) => events.add(event.type));
  return { message: await stream.finalMessage(), events: [...events].filter((each) => each !== "ping").sort() };
}

// Two turns: the calls, and the answer to what the tools said.
export async function messageTools(gateway, asked) {
  const first = await read(gateway, { messages, ...asked });
  const results = first.message.content.flatMap((block) =>
    block.type === "tool_use" ? [{ type: "tool_result", tool_use_id: block.id, content: `${block.input.city}: 7` }] : [],
  );
  const turns = [...messages, { role: "assistant", content: first.message.content }, { role: "user", content: results }];
  const second = await read(gateway, { ...asked, messages: turns });
  return { first: told(first.message), second: told(second.message), events: first.events };
}

export async function messageModels(gateway) {
  const names = [];
  for await (const model of client(gateway).models.list()) names.push(model.id);
  return { names };
}
