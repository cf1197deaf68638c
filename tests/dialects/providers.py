"""The dialects as their providers speak them: the same two answers, a text and a call of a tool, and their errors."""

import json
from dataclasses import dataclass, field
from typing import Any

from gateway.simulator import event

Json = dict[str, Any]

TEXT = "Hello there"
TOOL, ARGUMENTS = "get_weather", {"city": "Paris"}
# Of every answer: what was read, made, and read from a cache.
PROMPT, COMPLETION, CACHED = 11, 2, 4
CREDENTIAL = "sk-of-the-upstream"
REASON = "The provider has its reasons."
DONE = b"data: [DONE]\n\n"

_ENCODED = json.dumps(ARGUMENTS)
_HALVES = _ENCODED[:9], _ENCODED[9:]


@dataclass(frozen=True)
class Spoken:
    """One answer: plain, and as a stream of events that each stand for themselves."""

    plain: Json
    events: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True)
class Provider:
    """`begun` is how many events of `text` there are up to a first piece of it; `trouble` is an error between events.

    `path` is of plain calls; streams of other paths have them in `streamed`.
    """

    dialect: str
    model: str
    path: str
    credential: tuple[bytes, bytes]
    text: Spoken
    tool: Spoken
    begun: int
    trouble: bytes
    failure: Json
    streamed: str = ""

    def said(self, *, tool: bool) -> Spoken:
        return self.tool if tool else self.text

    def asked_at(self, *, stream: bool) -> str:
        return self.streamed if stream and self.streamed else self.path


def named(data: Json) -> bytes:
    """An event with its type as its name."""
    return b"event: %b\n" % str(data["type"]).encode() + event(data)


def _openai() -> Provider:
    usage = {
        "prompt_tokens": PROMPT,
        "completion_tokens": COMPLETION,
        "total_tokens": PROMPT + COMPLETION,
        "prompt_tokens_details": {"cached_tokens": CACHED},
    }
    frame = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "gpt-4.1-mini"}

    def plain(message: Json, finish: str) -> Json:
        choice = {"index": 0, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": finish}
        return {**frame, "object": "chat.completion", "choices": [choice], "usage": usage}

    def events(finish: str, *deltas: Json) -> tuple[bytes, ...]:
        chunk = {**frame, "object": "chat.completion.chunk"}
        choices: list[Json] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": finish})
        said = [event({**chunk, "choices": [choice]}) for choice in choices]
        return (*said, event({**chunk, "choices": [], "usage": usage}), DONE)

    call = {"id": "call_1", "type": "function", "function": {"name": TOOL, "arguments": _ENCODED}}
    opened = {"index": 0, **call, "function": {"name": TOOL, "arguments": ""}}
    pieces = [{"tool_calls": [{"index": 0, "function": {"arguments": half}}]} for half in _HALVES]
    return Provider(
        dialect="openai",
        model="gpt-4.1-mini",
        path="/v1/chat/completions",
        credential=(b"authorization", f"Bearer {CREDENTIAL}".encode()),
        text=Spoken(
            plain({"content": TEXT, "refusal": None}, "stop"),
            events("stop", {"role": "assistant", "content": ""}, {"content": "Hello"}, {"content": " there"}),
        ),
        tool=Spoken(
            plain({"content": None, "tool_calls": [call]}, "tool_calls"),
            events("tool_calls", {"role": "assistant", "content": None, "tool_calls": [opened]}, *pieces),
        ),
        begun=2,
        trouble=event({"error": {"message": REASON, "type": "server_error", "param": None, "code": None}}),
        failure={"error": {"message": REASON, "type": "invalid_request_error", "param": None, "code": None}},
    )


_READ = {"input_tokens": PROMPT - CACHED, "cache_read_input_tokens": CACHED, "cache_creation_input_tokens": 0}
_MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "stop_sequence": None,
}


def _message(block: Json, reason: str) -> Json:
    usage = {**_READ, "output_tokens": COMPLETION}
    return {**_MESSAGE, "content": [block], "stop_reason": reason, "usage": usage}


def _message_events(reason: str, block: Json, *deltas: Json) -> tuple[bytes, ...]:
    begun: Json = {**_MESSAGE, "content": [], "stop_reason": None, "usage": {**_READ, "output_tokens": 1}}
    ended = {"stop_reason": reason, "stop_sequence": None}
    return (
        named({"type": "message_start", "message": begun}),
        named({"type": "content_block_start", "index": 0, "content_block": block}),
        named({"type": "ping"}),
        *[named({"type": "content_block_delta", "index": 0, "delta": delta}) for delta in deltas],
        named({"type": "content_block_stop", "index": 0}),
        named({"type": "message_delta", "delta": ended, "usage": {"output_tokens": COMPLETION}}),
        named({"type": "message_stop"}),
    )


def _anthropic() -> Provider:
    text, call = {"type": "text", "text": TEXT}, {"type": "tool_use", "id": "toolu_1", "name": TOOL}
    texts = [{"type": "text_delta", "text": piece} for piece in ("Hello", " there")]
    halves = [{"type": "input_json_delta", "partial_json": half} for half in ("", *_HALVES)]
    error = {"type": "invalid_request_error", "message": REASON}
    return Provider(
        dialect="anthropic",
        model="claude-haiku-4-5",
        path="/v1/messages",
        credential=(b"x-api-key", CREDENTIAL.encode()),
        text=Spoken(_message(text, "end_turn"), _message_events("end_turn", {**text, "text": ""}, *texts)),
        tool=Spoken(
            _message({**call, "input": ARGUMENTS}, "tool_use"),
            _message_events("tool_use", {**call, "input": {}}, *halves),
        ),
        begun=4,
        trouble=named({"type": "error", "error": {"type": "overloaded_error", "message": REASON}}),
        failure={"type": "error", "error": error, "request_id": "req_1"},
    )


def _gemini() -> Provider:
    usage = {
        "promptTokenCount": PROMPT,
        "candidatesTokenCount": COMPLETION,
        "totalTokenCount": PROMPT + COMPLETION,
        "cachedContentTokenCount": CACHED,
    }

    def answer(part: Json, **finish: str) -> Json:
        candidate = {"content": {"role": "model", "parts": [part]}, "index": 0, **finish}
        frame = {"modelVersion": "gemini-2.5-flash", "responseId": "r1"}
        return {"candidates": [candidate], "usageMetadata": usage, **frame}

    call = {"functionCall": {"name": TOOL, "args": ARGUMENTS}}
    failure = {"error": {"code": 400, "message": REASON, "status": "INVALID_ARGUMENT"}}
    path = "/v1/models/gemini-2.5-flash"
    return Provider(
        dialect="gemini",
        model="gemini-2.5-flash",
        path=f"{path}:generateContent",
        streamed=f"{path}:streamGenerateContent?alt=sse",
        credential=(b"x-goog-api-key", CREDENTIAL.encode()),
        text=Spoken(
            answer({"text": TEXT}, finishReason="STOP"),
            (event(answer({"text": "Hello"})), event(answer({"text": " there"}, finishReason="STOP"))),
        ),
        tool=Spoken(answer(call, finishReason="STOP"), (event(answer(call, finishReason="STOP")),)),
        begun=1,
        trouble=event({"error": {"code": 503, "message": REASON, "status": "UNAVAILABLE"}}),
        failure=failure,
    )


_RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "gpt-5-mini",
    "error": None,
    "incomplete_details": None,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
_PART: Json = {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}


def _response(item: Json) -> Json:
    usage = {
        "input_tokens": PROMPT,
        "input_tokens_details": {"cached_tokens": CACHED},
        "output_tokens": COMPLETION,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": PROMPT + COMPLETION,
    }
    return {**_RESPONSE, "status": "completed", "output": [item], "usage": usage}


def _response_events(opened: Json, item: Json, *between: Json) -> tuple[bytes, ...]:
    begun = {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}
    told: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": opened},
        *[{**one, "item_id": item["id"], "output_index": 0} for one in between],
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": _response(item)},
    ]
    return tuple(named({**one, "sequence_number": number}) for number, one in enumerate(told))


def _texts() -> list[Json]:
    delta: Json = {"type": "response.output_text.delta", "logprobs": []}
    told: list[Json] = [
        {"type": "response.content_part.added", "part": {**_PART, "text": ""}},
        *[{**delta, "delta": piece} for piece in ("Hello", " there")],
        {"type": "response.output_text.done", "text": TEXT, "logprobs": []},
        {"type": "response.content_part.done", "part": _PART},
    ]
    return [{**one, "content_index": 0} for one in told]


def _responses() -> Provider:
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [_PART]}
    opened = {**message, "status": "in_progress", "content": []}
    call = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": TOOL}
    called = {**call, "arguments": _ENCODED}
    halves: list[Json] = [{"type": "response.function_call_arguments.delta", "delta": half} for half in _HALVES]
    halves.append({"type": "response.function_call_arguments.done", "arguments": _ENCODED, "name": TOOL})
    trouble = {"type": "error", "code": "server_error", "message": REASON, "param": None, "sequence_number": 9}
    return Provider(
        dialect="responses",
        model="gpt-5-mini",
        path="/v1/responses",
        credential=(b"authorization", f"Bearer {CREDENTIAL}".encode()),
        text=Spoken(_response(message), _response_events(opened, message, *_texts())),
        tool=Spoken(
            _response(called),
            _response_events({**call, "status": "in_progress", "arguments": ""}, called, *halves),
        ),
        begun=5,
        trouble=named(trouble),
        failure={"error": {"message": REASON, "type": "invalid_request_error", "param": None, "code": None}},
    )


OPENAI, ANTHROPIC, GEMINI, RESPONSES = _openai(), _anthropic(), _gemini(), _responses()
PROVIDERS = (OPENAI, ANTHROPIC, GEMINI, RESPONSES)
