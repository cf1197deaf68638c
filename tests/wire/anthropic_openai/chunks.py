"""Chunks of chat completions, as a provider sends them."""

from typing import Any

from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.events import Event, Json

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 5},
}


def chunk(delta: Json | None = None, finish: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt",
        "choices": [choice],
    } | more


def usage_chunk(usage: Json | None = None) -> Json:
    return chunk(choices=[], usage=usage or USAGE)


def call(index: int | None, arguments: str | None = None, *, id: str | None = None, name: str | None = None) -> Json:  # noqa: A002
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    piece: Json = {"function": function}
    if index is not None:
        piece["index"] = index
    if id is not None:
        piece |= {"id": id, "type": "function"}
    return {"tool_calls": [piece]}


def written(*chunks: Json, asked: Json | None = None) -> list[Event]:
    """All events of a whole stream."""
    writer = AnthropicOpenAI().writer(asked or {})
    events = [event for given in chunks for event in writer.write(given)]
    return events + writer.end()
