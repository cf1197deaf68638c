"""Every caller at every upstream, and what each upstream's streams are made of."""

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from gateway.core.call import Ask, Endpoint
from gateway.core.route import Target
from gateway.wire.anthropic_native import Anthropic
from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.dialect import Gemini
from gateway.wire.events import Framing
from gateway.wire.openai import OpenAI
from gateway.wire.openai_anthropic import OpenAIAnthropic
from gateway.wire.openai_gemini import OpenAIGemini
from gateway.wire.openai_responses import OpenAIResponses
from gateway.wire.pair import Outgoing, Pair
from gateway.wire.responses_native import Responses
from gateway.wire.responses_openai import ResponsesOpenAI
from gateway.wire.translated import ChatCaller, ChatUpstream, Translated, TranslatedStream
from gateway.wire.translation import CallerTranslation, UpstreamTranslation
from tests.values import make_ask

WALL = 1_800_000_000

Json = dict[str, Any]

CALLERS: dict[Endpoint, CallerTranslation] = {
    Endpoint.CHAT: ChatCaller(),
    Endpoint.MESSAGES: AnthropicOpenAI(),
    Endpoint.RESPONSES: ResponsesOpenAI(),
}
SCHEMAS: dict[str, tuple[UpstreamTranslation, Pair]] = {
    "chat": (ChatUpstream(), OpenAI("/chat/completions")),
    "messages": (OpenAIAnthropic(), Anthropic("/messages")),
    "gemini": (OpenAIGemini(), Gemini()),
    "responses": (OpenAIResponses(), Responses("/responses")),
}
ASKED: dict[Endpoint, Json] = {
    Endpoint.CHAT: {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    Endpoint.MESSAGES: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
    Endpoint.RESPONSES: {"model": "m", "input": "Hi"},
}
# A caller's last event, which says that the answer is whole.
LAST_WORDS = {
    Endpoint.CHAT: b"data: [DONE]\n\n",
    Endpoint.MESSAGES: b"event: message_stop\n",
    Endpoint.RESPONSES: b"event: response.completed\n",
}


class Pairing(NamedTuple):
    caller: Endpoint
    upstream: str

    @property
    def pair(self) -> Translated:
        return Translated(CALLERS[self.caller], *SCHEMAS[self.upstream], wall=lambda: WALL + 0.5)

    def ask(self, **more: Any) -> Ask:
        return asking({**ASKED[self.caller], **more})

    def outgoing(self, **more: Any) -> Outgoing:
        """What a scanner or an answer is read with."""
        return Outgoing(b"", asked={**ASKED[self.caller], **more})

    def request(self, target: Target, **more: Any) -> tuple[Json, Outgoing]:
        sent = self.pair.request(self.ask(**more), target)
        return msgspec.json.decode(sent.body), sent

    def read(self, *reads: bytes, **asked: Any) -> tuple[bytes, TranslatedStream]:
        """What the caller gets, and the facts."""
        scanner = self.pair.scanner(self.ask(stream=True), self.outgoing(stream=True, **asked))
        return b"".join([*map(scanner.feed, reads), scanner.end()]), scanner


def asking(body: Json) -> Ask:
    return make_ask("m", fields={name: msgspec.Raw(json.dumps(value).encode()) for name, value in body.items()})


PAIRINGS = [Pairing(caller, upstream) for caller in CALLERS for upstream in SCHEMAS]
every_pairing = pytest.mark.parametrize("pairing", [pytest.param(one, id=f"{one[0]}-{one[1]}") for one in PAIRINGS])


class Stream(NamedTuple):
    """`whole` is how many of its events make it a whole answer, `started` how many begin one."""

    events: tuple[bytes, ...]
    whole: int
    started: int
    error: bytes

    @property
    def body(self) -> bytes:
        return b"".join(self.events)


def event(data: Json, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"


def _named(*events: Json) -> Iterator[bytes]:
    return (event(one, one["type"]) for one in events)


def chat_stream(usage: Any = None) -> Stream:
    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return event({"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [choice]})

    events = [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo ä"})]
    events.append(chunk({}, "stop"))
    whole = len(events)
    if usage is not None:
        events.append(event({"id": "c1", "created": 7, "model": "m", "choices": [], "usage": usage}))
    events.append(b"data: [DONE]\n\n")
    return Stream(tuple(events), whole, 1, event({"error": {"message": "No.", "type": "server_error"}}))


def messages_stream(usage: Any = None) -> Stream:
    start, end = ({}, {}) if usage is None else ({"usage": {**usage, "output_tokens": 1}}, {"usage": usage})
    delta = {"type": "content_block_delta", "index": 0}
    events = tuple(
        _named(
            {"type": "message_start", "message": {"id": "c1", "model": "m", "content": [], **start}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {**delta, "delta": {"type": "text_delta", "text": "Hel"}},
            {"type": "ping"},
            {**delta, "delta": {"type": "text_delta", "text": "lo ä"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, **end},
            {"type": "message_stop"},
        )
    )
    error = {"type": "error", "error": {"type": "api_error", "message": "No."}}
    return Stream(events, len(events), 1, event(error, "error"))


def gemini_stream(usage: Any = None) -> Stream:
    def piece(text: str, **more: Any) -> Json:
        return {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, **more}]}

    head = {"modelVersion": "m", "responseId": "c1"}
    end = {} if usage is None else {"usageMetadata": usage}
    events = (event(piece("Hel") | head), event(piece("lo ä", finishReason="STOP") | head | end))
    return Stream(events, 2, 1, event({"error": {"code": 500, "message": "No.", "status": "INTERNAL"}}))


def responses_stream(usage: Any = None) -> Stream:
    response = {"id": "c1", "object": "response", "created_at": 7, "model": "m", "status": "in_progress", "output": []}
    part = {"item_id": "i", "output_index": 0, "content_index": 0}
    text = {"type": "output_text", "text": "Hello ä", "annotations": []}
    item = {"type": "message", "id": "i", "role": "assistant", "status": "completed", "content": [text]}
    done = {**response, "status": "completed", "output": [item], "usage": usage}
    begun = {**item, "status": "in_progress", "content": []}
    events = tuple(
        _named(
            {"type": "response.created", "response": response},
            {"type": "response.output_item.added", "output_index": 0, "item": begun},
            {"type": "response.content_part.added", **part, "part": {**text, "text": ""}},
            {"type": "response.output_text.delta", **part, "delta": "Hel"},
            {"type": "response.output_text.delta", **part, "delta": "lo ä"},
            {"type": "response.output_text.done", **part, "text": "Hello ä"},
            {"type": "response.content_part.done", **part, "part": text},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": done},
        )
    )
    error = {"type": "error", "code": "server_error", "message": "No.", "param": None}
    return Stream(events, len(events), 2, event(error, "error"))


STREAMS = {
    "chat": chat_stream,
    "messages": messages_stream,
    "gemini": gemini_stream,
    "responses": responses_stream,
}
# Seven tokens read, five made.
USAGES: dict[str, Json] = {
    "chat": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    "messages": {"input_tokens": 7, "output_tokens": 5},
    "gemini": {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12},
    "responses": {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12},
}


def cut(body: bytes, at: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(min(place, len(body)) for place in at), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(places)]


def data_of(told: bytes) -> list[Any]:
    """The data of what a caller gets, `[DONE]` left out. Every byte belongs to an event."""
    framing = Framing()
    events = framing.feed(told)
    assert framing.end() == []
    return [json.loads(one.data) for one in events if one.data and one.data != b"[DONE]"]


def _text(content: Any) -> str:
    """Mistral's is a list of parts where the model thinks."""
    return content or "" if not isinstance(content, list) else "".join(part.get("text", "") for part in content)


def text_of(caller: Endpoint, told: bytes) -> str:
    """What the model said."""
    found = ""
    for data in data_of(told):
        match caller:
            case Endpoint.CHAT:
                found += "".join(_text(one["delta"].get("content")) for one in data.get("choices", ()))
            case Endpoint.MESSAGES:
                found += data.get("delta", {}).get("text", "")
            case Endpoint.RESPONSES if data["type"] == "response.output_text.delta":
                found += data["delta"]
    return found


def facts(scanner: TranslatedStream) -> tuple[object, ...]:
    return (
        scanner.started,
        scanner.error,
        scanner.done,
        scanner.failed,
        scanner.over,
        scanner.events,
        scanner.usage,
        scanner.usage_invalid,
        scanner.appended_done,
    )
