// The SDKs that speak other schemas too, driven line by line as in cases.mjs. What they warn of is told with the answer.

import { createInterface } from "node:readline";
import * as aisdk from "./aisdk.mjs";
import * as messages from "./messages.mjs";
import * as responses from "./responses.mjs";

const cases = { ...messages, ...responses, ...aisdk };

let warnings = [];
console.warn = console.error = (...words) => warnings.push(words.map(String).join(" "));
globalThis.AI_SDK_LOG_WARNINGS = (told) => warnings.push(JSON.stringify(told.warnings));
process.on("warning", (warning) => warnings.push(String(warning)));

async function run({ name, url, key, retries, asked }) {
  warnings = [];
  try {
    return { ...(await cases[name]({ url, key, retries }, asked)), warnings };
  } catch (error) {
    const { status, statusCode, code, type, message, requestID, stack } = error;
    const told = { class: error.constructor.name, status: status ?? statusCode, code, type, message, requestID, stack };
    return { error: told, warnings };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line))));
}
