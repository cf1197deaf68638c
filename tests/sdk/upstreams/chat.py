"""OpenAI's chat completions; thoughts stand in `reasoning_content`, as DeepSeek and vLLM have it."""

from collections.abc import Iterator
from dataclasses import replace

from tests.sdk.upstreams.said import CACHED, COMPLETION, PROMPT, REASONING, Call, Heard, Json, Said, pieces, text_of

_USAGE = {
    "prompt_tokens": PROMPT,
    "completion_tokens": COMPLETION,
    "total_tokens": PROMPT + COMPLETION,
    "prompt_tokens_details": {"cached_tokens": CACHED},
    "completion_tokens_details": {"reasoning_tokens": REASONING},
}


def hear(body: Json) -> Heard:
    told: dict[str, list[str]] = {"system": [], "developer": [], "user": [], "assistant": [], "tool": []}
    for message in body["messages"]:
        told[message["role"]].append(text_of(message.get("content"), "text"))
    return Heard(
        system="".join(told["system"] + told["developer"]),
        text=told["user"][-1],
        tools=tuple(tool["function"]["name"] for tool in body.get("tools", ())),
        results=tuple(told["tool"]),
        signature="",
        thinks="reasoning_effort" in body,
        is_structured=body.get("response_format", {}).get("type") == "json_schema",
    )


def answer(said: Said) -> Json:
    message: Json = {"role": "assistant", "content": said.text or None}
    if said.thought:
        message["reasoning_content"] = said.thought
    if said.calls:
        message["tool_calls"] = [_call(call) for call in said.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(said)}
    return {**_frame(said, "chat.completion"), "choices": [choice], "usage": _USAGE}


def stream(said: Said) -> Iterator[tuple[str, Json | bytes]]:
    for delta in _deltas(said):
        yield "", _chunk(said, delta, None)
    yield "", _chunk(said, {}, _finish(said))
    yield "", {**_frame(said, "chat.completion.chunk"), "choices": [], "usage": _USAGE}
    yield "", b"[DONE]"


def fail(status: int, message: str) -> Json:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _deltas(said: Said) -> Iterator[Json]:
    yield {"role": "assistant", "content": ""}
    for piece in pieces(said.thought):
        yield {"reasoning_content": piece}
    for piece in pieces(said.text):
        yield {"content": piece}
    for index, call in enumerate(said.calls):
        begun = _call(replace(call, arguments=""))
        yield {"tool_calls": [{"index": index, **begun}]}
        for piece in pieces(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _call(call: Call) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _finish(said: Said) -> str:
    return "tool_calls" if said.calls else "stop"


def _frame(said: Said, kind: str) -> Json:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": said.model}


def _chunk(said: Said, delta: Json, finish: str | None) -> Json:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**_frame(said, "chat.completion.chunk"), "choices": [choice]}
