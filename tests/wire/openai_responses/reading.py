"""Streams of a response, read as a gateway reads them."""

import json
from collections.abc import Iterable
from typing import Any

from openai.types.chat import ChatCompletionChunk

from gateway.wire.events import Framing
from gateway.wire.openai_responses import OpenAIResponses
from tests.wire.openai_responses.cases import Json


def read(pieces: Iterable[bytes]) -> tuple[list[Json], bool]:
    """The chunks of a stream that arrives in these pieces, and whether it was whole."""
    framing, reader, chunks = Framing(), OpenAIResponses().reader(), []
    events = [event for piece in pieces for event in framing.feed(piece)]
    for event in [*events, *framing.end()]:
        if event.data and event.data != b"[DONE]":
            chunks += reader.read(event.name.decode(), json.loads(event.data))
    chunks += reader.end()
    for chunk in chunks:
        _check(chunk)
    return chunks, reader.done


def _check(chunk: Json) -> None:
    """By the official SDK, which has no custom tools in streams, though the API has."""
    if "error" not in chunk and '"custom"' not in json.dumps(chunk):
        ChatCompletionChunk.model_validate(chunk, strict=True)


def fold(chunks: list[Json]) -> Json:
    """The message, with `finish_reason` and `usage`, as a client puts it together."""
    folded: dict[str, Any] = {}
    for chunk in chunks:
        folded["usage"] = chunk.get("usage") or folded.get("usage")
        for choice in chunk["choices"]:
            folded["finish_reason"] = choice["finish_reason"] or folded.get("finish_reason")
            _add(folded, choice["delta"])
    return folded


def _add(folded: Json, delta: Json) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            for call in value:
                _add_call(folded.setdefault(name, []), call)
        elif isinstance(value, str | list) and name != "role":
            folded[name] = folded[name] + value if name in folded else value


def _add_call(calls: list[Json], call: Json) -> None:
    if call["index"] == len(calls):
        kind = call["type"]
        calls.append({"id": call["id"], "type": kind, kind: dict(call[kind])})
        return
    kind = calls[call["index"]]["type"]
    member = "arguments" if kind == "function" else "input"
    calls[call["index"]][kind][member] += call[kind][member]
