// The Responses of `openai`

import OpenAI from "openai";

const input = [{ role: "user", content: "hi" }];
const parameters = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ type: "function", name: "get_weather", parameters, strict: false }];
const stateless = { store: false, include: ["reasoning.encrypted_content"] };

const client = ({ url, key, retries }) =>
  new OpenAI({ apiKey: key, baseURL: url, maxRetries: retries, timeout: 10_000 });

const told = ({ output, output_text, status, usage }) => ({
  text: output_text,
  thought: output.flatMap((item) => [...(item.summary ?? []), ...(item.content ?? [])])
    .flatMap((part) => (/summary_text|reasoning_text/.test(part.type) ? [part.text] : [])).join(""),
  calls: output.flatMap((item) => (item.type === "function_call" ? [JSON.parse(item.arguments)] : [])),
  finish: status,
  usage: [usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens],
});

async function read(gateway, asked) {
  const events = new Set();
  const stream = client(gateway).responses.stream({ ...stateless, ...asked });
  for await (const event of stream) events.add(event.type);
  return { response: await stream.finalResponse(), events: [...events].sort() };
}

export async function response(gateway, { model }) {
  return told(await client(gateway).responses.create({ model, input, ...stateless }));
}

// Two turns: the calls, and the answer to what the tools said.
export async function responseTools(gateway, asked) {
  const first = await read(gateway, { tools, input, ...asked });
  const results = first.response.output.flatMap((item) =>
    item.type === "function_call"
      ? [{ type: "function_call_output", call_id: item.call_id, output: `${JSON.parse(item.arguments).city}: 7` }]
      : [],
  );
  const second = await read(gateway, { tools, ...asked, input: [...input, ...first.response.output, ...results] });
  return { first: told(first.response), second: told(second.response), events: first.events };
}
