// The AI SDK, through its packages for three schemas

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, jsonSchema, stepCountIs, streamText, tool } from "ai";

const thinking = {
  compatible: { gateway: { reasoningEffort: "low" } },
  anthropic: { anthropic: { thinking: { type: "enabled", budgetTokens: 2048 } } },
  openai: { openai: { reasoningEffort: "low", reasoningSummary: "auto", store: false, forceReasoning: true } },
};

const providers = {
  compatible: ({ url, key }) =>
    createOpenAICompatible({
      name: "gateway",
      baseURL: url,
      apiKey: key,
      includeUsage: true,
      supportsStructuredOutputs: true,
    }),
  anthropic: ({ url, key }) => createAnthropic({ baseURL: url, apiKey: key }),
  openai: ({ url, key }) => createOpenAI({ baseURL: url, apiKey: key }),
};

const weather = tool({
  description: "How warm it is.",
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] }),
  execute: async ({ city }) => `${city}: 7`,
});

const form = jsonSchema({
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
});

const asking = (gateway, { sdk, model, think = false }) => ({
  model: providers[sdk](gateway)(model),
  maxRetries: gateway.retries,
  maxOutputTokens: 4096,
  prompt: "hi",
  ...(think && { providerOptions: thinking[sdk] }),
});

// One part for each step but the deltas', which are joined.
async function read(result) {
  const kinds = new Set();
  for await (const part of result.fullStream) {
    if (part.type === "error") throw part.error;
    kinds.add(part.type);
  }
  return [...kinds].sort();
}

const counts = (usage) => [usage.inputTokens, usage.cachedInputTokens, usage.outputTokens];

export async function aiText(gateway, asked) {
  const result = streamText({ ...asking(gateway, asked), onError: () => {} });
  const parts = await read(result);
  return { text: await result.text, finish: await result.finishReason, usage: counts(await result.usage), parts };
}

export async function aiTools(gateway, asked) {
  const tools = { get_weather: weather };
  const result = streamText({ ...asking(gateway, asked), tools, stopWhen: stepCountIs(3), onError: () => {} });
  const parts = await read(result);
  const [first, second] = await result.steps;
  return {
    thought: first.reasoningText ?? "",
    calls: first.toolCalls.map((call) => call.input),
    finish: [first.finishReason, second.finishReason],
    text: second.text,
    usage: [counts(first.usage), counts(second.usage)],
    parts,
  };
}

export async function aiObject(gateway, asked) {
  const { object, usage } = await generateObject({ ...asking(gateway, asked), schema: form });
  return { object, usage: counts(usage) };
}
