"""Streams put together again, as a client does it."""

from itertools import pairwise
from typing import Any

import msgspec

from gateway.wire.events import Framing
from gateway.wire.openai_anthropic import OpenAIAnthropic


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), msgspec.json.encode(e)) for e in events)


def read(body: bytes, cuts: list[int] | None = None) -> tuple[list[dict[str, Any]], bool]:
    """The chunks, and whether the stream was whole."""
    framing, reader = Framing(), OpenAIAnthropic().reader()
    edges = [0, *sorted(cuts or []), len(body)]
    raw = [event for start, end in pairwise(edges) for event in framing.feed(body[start:end])]
    chunks = []
    for event in [*raw, *framing.end()]:
        if event.data:
            chunks += reader.read(event.name.decode(), msgspec.json.decode(event.data))
    return chunks + reader.end(), reader.done


def gather(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The message, finish reason, usage and error that the chunks amount to."""
    whole: dict[str, Any] = {"content": "", "reasoning": "", "details": [], "calls": [], "refusal": None}
    whole.update(finish=None, usage=None, error=None)
    for chunk in chunks:
        if "error" in chunk:
            whole["error"] = chunk["error"]
            continue
        whole["usage"] = chunk.get("usage", whole["usage"])
        for choice in chunk["choices"]:
            _gather(whole, choice["delta"])
            whole["finish"] = choice["finish_reason"] or whole["finish"]
    return whole


def _gather(whole: dict[str, Any], delta: dict[str, Any]) -> None:
    whole["content"] += delta.get("content") or ""
    whole["reasoning"] += delta.get("reasoning_content") or ""
    whole["details"] += delta.get("reasoning_details") or []
    whole["refusal"] = delta.get("refusal", whole["refusal"])
    for call in delta.get("tool_calls", []):
        if call["index"] == len(whole["calls"]):
            whole["calls"].append([call["id"], call["function"]["name"], ""])
        whole["calls"][call["index"]][2] += call["function"].get("arguments", "")
