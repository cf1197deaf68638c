"""OpenAI's Responses."""

import itertools
from collections.abc import Iterator

from tests.sdk.upstreams.said import (
    CACHED,
    COMPLETION,
    PROMPT,
    REASONING,
    SIGNATURE,
    Heard,
    Json,
    Said,
    pieces,
    text_of,
)

_USAGE = {
    "input_tokens": PROMPT,
    "input_tokens_details": {"cached_tokens": CACHED, "cache_write_tokens": 0},
    "output_tokens": COMPLETION,
    "output_tokens_details": {"reasoning_tokens": REASONING},
    "total_tokens": PROMPT + COMPLETION,
}


def hear(body: Json) -> Heard:
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    told: dict[str, list[str]] = {"system": [], "developer": [], "user": [], "assistant": []}
    for item in items:
        if "role" in item:
            told[item["role"]].append(text_of(item["content"], "input_text", "output_text"))
    outputs = [item["output"] for item in items if item.get("type") == "function_call_output"]
    sealed = [item.get("encrypted_content") or "" for item in items if item.get("type") == "reasoning"]
    return Heard(
        system="".join([body.get("instructions") or "", *told["system"], *told["developer"]]),
        text=told["user"][-1],
        tools=tuple(tool["name"] for tool in body.get("tools", ())),
        results=tuple(text_of(output, "input_text") for output in outputs),
        signature="".join(sealed),
        thinks="effort" in (body.get("reasoning") or {}),
        is_structured=body.get("text", {}).get("format", {}).get("type") == "json_schema",
    )


def answer(said: Said) -> Json:
    return _response(said, "completed", list(_items(said)))


def stream(said: Said) -> Iterator[tuple[str, Json | bytes]]:
    for number, event in enumerate(itertools.chain(_begun(said), _made(said), _ended(said))):
        yield event["type"], {**event, "sequence_number": number}


def fail(status: int, message: str) -> Json:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _begun(said: Said) -> Iterator[Json]:
    for word in ("created", "in_progress"):
        yield {"type": f"response.{word}", "response": _response(said, "in_progress", [])}


def _made(said: Said) -> Iterator[Json]:
    for index, item in enumerate(_items(said)):
        empty = {"reasoning": {"summary": []}, "message": {"content": []}, "function_call": {"arguments": ""}}
        begun = item | empty[item["type"]] | ({} if item["type"] == "reasoning" else {"status": "in_progress"})
        yield {"type": "response.output_item.added", "output_index": index, "item": begun}
        where = {"item_id": item["id"], "output_index": index}
        match item["type"]:
            case "reasoning":
                yield from _thought(item["summary"][0], where)
            case "message":
                yield from _text(item["content"][0], where)
            case _:
                yield from _arguments(item, where)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _thought(part: Json, where: Json) -> Iterator[Json]:
    where = where | {"summary_index": 0}
    yield {"type": "response.reasoning_summary_part.added", **where, "part": part | {"text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": "response.reasoning_summary_text.delta", **where, "delta": piece}
    yield {"type": "response.reasoning_summary_text.done", **where, "text": part["text"]}
    yield {"type": "response.reasoning_summary_part.done", **where, "part": part}


def _text(part: Json, where: Json) -> Iterator[Json]:
    where = where | {"content_index": 0}
    yield {"type": "response.content_part.added", **where, "part": part | {"text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **where, "part": part}


def _arguments(item: Json, where: Json) -> Iterator[Json]:
    for piece in pieces(item["arguments"]):
        yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
    yield {"type": "response.function_call_arguments.done", **where, "arguments": item["arguments"]}


def _ended(said: Said) -> Iterator[Json]:
    yield {"type": "response.completed", "response": answer(said)}


def _items(said: Said) -> Iterator[Json]:
    if said.thought:
        summary = [{"type": "summary_text", "text": said.thought}]
        yield {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": SIGNATURE}
    if said.text:
        part: Json = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        head = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        yield {**head, "content": [part]}
    for call in said.calls:
        head = {"type": "function_call", "id": f"fc_{call.id}", "call_id": call.id, "status": "completed"}
        yield {**head, "name": call.name, "arguments": call.arguments}


def _response(said: Said, status: str, output: list[Json]) -> Json:
    head = {"id": "resp_1", "object": "response", "created_at": 1_700_000_000, "model": said.model, "status": status}
    settings = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None}
    rest = {"incomplete_details": None, "instructions": None, "metadata": {}, "temperature": 1.0, "top_p": 1.0}
    return {**head, **settings, **rest, "output": output, "usage": _USAGE if status == "completed" else None}
