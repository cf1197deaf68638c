"""What Claude Code and Codex sent to a gateway, with other words in it, and what was said to them.

`requests/` has one request a file: `client` is which release sent it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from gateway.simulator import Request, Simulator, Step, event, json_answer, sse_answer
from gateway.simulator.answer import Headers
from tests.conftest import KEY, Gateway
from tests.dialects.callers import Event, events_of
from tests.dialects.providers import PROVIDERS, Json, Provider
from tests.dialects.wire import request
from tests.e2e.answers import Answer
from tests.e2e.raw import RawClient
from tests.sdk.upstreams import chat, gemini, messages, responses
from tests.sdk.upstreams.said import Said

SCHEMAS: Mapping[str, ModuleType] = {
    "openai": chat,
    "anthropic": messages,
    "gemini": gemini,
    "responses": responses,
}
BY_DIALECT: Mapping[str, Provider] = {provider.dialect: provider for provider in PROVIDERS}
# In the file that the recorded turns read.
FOUND = "token-7391"


@dataclass(frozen=True)
class Recorded:
    path: str
    headers: Headers
    body: Json

    @classmethod
    def of(cls, name: str) -> "Recorded":
        read = json.loads((Path(__file__).parent / "requests" / f"{name}.json").read_text())
        return cls(read["path"], tuple(read["headers"].items()), read["body"])

    async def ask(self, gateway: Gateway, model: str) -> Answer:
        client = RawClient(gateway.port)
        await client.send(request(self.path, {**self.body, "model": model}, self.headers))
        return Answer(*await client.rest())


@dataclass(frozen=True)
class Heard:
    """`calls` are the tools' names, and what they are given: an object, or the text of a custom tool."""

    text: str
    calls: list[tuple[str, Any]]


def routes(simulator: Simulator, other: Simulator) -> str:
    """A model of each dialect's name, and the tiers `search` and `compaction`, whose first can't take the call."""
    upstreams = [
        f'  {name}: {{dialect: {name}, base_url: "{at.url}", api_key: key-of-{name}}}'
        for name, at in {**dict.fromkeys(SCHEMAS, simulator), "anthropic": other, "responses": other}.items()
    ]
    models = [f'  {name}: {{upstream: {name}, name: "{BY_DIALECT[name].model}"}}' for name in SCHEMAS]
    return "\n".join(
        (
            *("upstreams:", *upstreams),
            "model_defaults: {max_retries: 0}",
            *("models:", *models),
            "tiers: {search: [openai, gemini, anthropic], compaction: [openai, gemini, responses]}",
            f"keys: [{{name: tester, key: {KEY}}}]\n",
        )
    )


def says(simulator: Simulator, dialect: str, said: Said) -> None:
    def script(asked: Request) -> Iterable[Step]:
        if asked.path.endswith("/count_tokens"):
            return json_answer(200, {"input_tokens": 20})
        return sse_answer([_encode(*one) for one in SCHEMAS[dialect].stream(said)], done=False)

    simulator.script = script


def _encode(name: str, data: Json | bytes) -> bytes:
    raw = data if isinstance(data, bytes) else msgspec.json.encode(data)
    return b"event: %b\n%b" % (name.encode(), event(raw)) if name else event(raw)


def hear(answer: Answer) -> Heard:
    """As the two read a stream: blocks and items count once they are whole."""
    events = events_of(answer.body)
    assert [one.name for one in events] == [one.data["type"] for one in events]
    return _hear_messages(events) if events[0].name == "message_start" else _hear_responses(events)


def _hear_messages(events: list[Event]) -> Heard:
    assert events[-1].name == "message_stop"
    blocks: list[Json] = []
    for one in events:
        if one.name == "content_block_start":
            blocks.append({**one.data["content_block"], "pieces": ""})
        elif one.name == "content_block_delta":
            delta = one.data["delta"]
            blocks[one.data["index"]]["pieces"] += delta.get("text", "") + delta.get("partial_json", "")
    text = "".join(block["pieces"] for block in blocks if block["type"] == "text")
    calls = [(block["name"], json.loads(block["pieces"])) for block in blocks if block["type"] == "tool_use"]
    return Heard(text, calls)


def _hear_responses(events: list[Event]) -> Heard:
    assert events[-1].name == "response.completed"
    done = {e.data["output_index"]: e.data["item"] for e in events if e.name == "response.output_item.done"}
    items = [done[index] for index in range(len(done))]
    assert items == events[-1].data["response"]["output"]
    text = "".join(part["text"] for item in items if item["type"] == "message" for part in item["content"])
    calls: list[tuple[str, Any]] = []
    for item in items:
        if item["type"] == "function_call":
            calls.append((item["name"], json.loads(item["arguments"])))
        elif item["type"] == "custom_tool_call":
            calls.append((item["name"], item["input"]))
    return Heard(text, calls)
