"""Anthropic's Messages."""

import json
from collections.abc import Iterator

from tests.sdk.upstreams.said import (
    CACHED,
    COMPLETION,
    PROMPT,
    REASONING,
    SIGNATURE,
    Call,
    Heard,
    Json,
    Said,
    pieces,
    text_of,
)

_READ = {"input_tokens": PROMPT - CACHED, "cache_creation_input_tokens": 0, "cache_read_input_tokens": CACHED}
_MADE = {"output_tokens": COMPLETION, "output_tokens_details": {"thinking_tokens": REASONING}}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def hear(body: Json) -> Heard:
    turns = [turn for turn in body["messages"] if turn["role"] == "user"]
    blocks = [block for turn in body["messages"] if isinstance(turn["content"], list) for block in turn["content"]]
    results = {block["tool_use_id"]: block["content"] for block in blocks if block["type"] == "tool_result"}
    signatures = [block["signature"] for block in blocks if block["type"] == "thinking"]
    return Heard(
        system=text_of(body.get("system"), "text"),
        text=text_of(turns[-1]["content"], "text"),
        tools=tuple(tool["name"] for tool in body.get("tools", ())),
        results=tuple(text_of(result, "text") for result in results.values()),
        signature="".join(signatures),
        thinks=body.get("thinking", {}).get("type", "disabled") != "disabled",
        is_structured="format" in body.get("output_config", {}),
    )


def answer(said: Said) -> Json:
    message = {**_begun(said), "content": list(_blocks(said)), "stop_reason": _stop(said)}
    return message | {"usage": _READ | _MADE}


def stream(said: Said) -> Iterator[tuple[str, Json | bytes]]:
    yield _event("message_start", message=_begun(said))
    yield _event("ping")
    for index, block in enumerate(_blocks(said)):
        empty, deltas = _begin(block)
        yield _event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    end = {"stop_reason": _stop(said), "stop_sequence": None}
    yield _event("message_delta", delta=end, usage=_READ | _MADE)
    yield _event("message_stop")


def fail(status: int, message: str) -> Json:
    error = {"type": _ERRORS.get(status, "api_error"), "message": message}
    return {"type": "error", "error": error, "request_id": "req_theirs"}


def _begun(said: Said) -> Json:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": said.model, "content": []}
    return {**head, "stop_reason": None, "stop_sequence": None, "usage": _READ | {"output_tokens": 1}}


def _blocks(said: Said) -> Iterator[Json]:
    if said.thought:
        yield {"type": "thinking", "thinking": said.thought, "signature": SIGNATURE}
    if said.text:
        yield {"type": "text", "text": said.text}
    for call in said.calls:
        yield {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": _input(call)}


def _begin(block: Json) -> tuple[Json, list[Json]]:
    """How the block starts, and what is added to it."""
    match block["type"]:
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return block | {"thinking": "", "signature": ""}, deltas
        case "text":
            return block | {"text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        case _:
            added = ["", *pieces(json.dumps(block["input"]))]
            return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in added]


def _input(call: Call) -> Json:
    read: Json = json.loads(call.arguments)
    return read


def _stop(said: Said) -> str:
    return "tool_use" if said.calls else "end_turn"


def _event(kind: str, **members: object) -> tuple[str, Json]:
    return kind, {"type": kind, **members}
