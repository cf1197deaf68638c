"""Simulated providers, one of each schema that upstreams speak; asked the same they answer the same.

The model's name may ask for a failure: `status-<N>`, `once-<N>` (the first time only), `breaks` (an error event after
half of a stream), `cut` (no more after half of it).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

import msgspec

from gateway.simulator import LAST_CHUNK, Request, Reset, Send, Step, chunked, event, head, json_answer
from tests.sdk.upstreams import chat, gemini, messages, responses
from tests.sdk.upstreams.said import PROMPT, Heard, Json, Said, reply

FAILURE = "The provider says no."

# What to ask each for: the names of models that think.
MODELS: Mapping[str, str] = MappingProxyType(
    {
        "openai": "openai/gpt-5",
        "anthropic": "anthropic/claude-sonnet-4-5",
        "gemini": "gemini/gemini-3-flash",
        "responses": "responses/gpt-5",
    }
)

_FAILING = re.compile(r"(status|once)-(\d{3})")
_STREAM = (("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))


class Schema(Protocol):
    """A module of this package."""

    def hear(self, body: Json) -> Heard: ...

    def answer(self, said: Said) -> Json: ...

    def stream(self, said: Said) -> Iterator[tuple[str, Json | bytes]]:
        """The name of each event, and its data."""

    def fail(self, status: int, message: str) -> Json: ...


_SCHEMAS: Mapping[str, Schema] = {"openai": chat, "anthropic": messages, "gemini": gemini, "responses": responses}


class Provider:
    """The script of a Simulator; `heard` is what it understood of each request."""

    def __init__(self, dialect: str) -> None:
        self.heard: list[Heard] = []
        self._schema = _SCHEMAS[dialect]
        self._failed: set[str] = set()

    def __call__(self, request: Request) -> Iterable[Step]:
        body = json.loads(request.body)
        if request.path.endswith("/count_tokens"):
            return json_answer(200, {"input_tokens": PROMPT})
        name, streams = _asked(request, body)
        if (failing := _FAILING.search(name)) and not (failing[1] == "once" and name in self._failed):
            self._failed.add(name)
            return json_answer(int(failing[2]), self._schema.fail(int(failing[2]), FAILURE))
        self.heard.append(self._schema.hear(body))
        said = reply(self.heard[-1], name)
        return self._stream(said) if streams else json_answer(200, self._schema.answer(said))

    def _stream(self, said: Said) -> Iterator[Step]:
        yield Send(head(200, _STREAM))
        events = [_encode(*each) for each in self._schema.stream(said)]
        if said.model in ("breaks", "cut"):
            events = events[: len(events) // 2]
        yield from (Send(chunked(each)) for each in events)
        if said.model == "cut":
            yield Reset()
        elif said.model == "breaks":
            yield Send(chunked(_encode(*_break(self._schema))))
        yield Send(LAST_CHUNK)


def _asked(request: Request, body: Json) -> tuple[str, bool]:
    """The model, and whether to stream; Google has both in the path."""
    if found := re.search(r"/models/([^:]+):(\w+)", request.path):
        return found[1], found[2] == "streamGenerateContent"
    return body["model"], body.get("stream", False)


def _break(schema: Schema) -> tuple[str, Json]:
    error = schema.fail(500, FAILURE)
    if schema is responses:
        return "error", {**error["error"], "type": "error", "sequence_number": 99}
    return ("error" if schema is messages else ""), error


def _encode(name: str, data: Json | bytes) -> bytes:
    raw = data if isinstance(data, bytes) else msgspec.json.encode(data)
    return b"event: %b\n%b" % (name.encode(), event(raw)) if name else event(raw)
