"""Answers of Gemini's, and chunks folded into the message that a client makes of them."""

from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.wire.openai_gemini import OpenAIGemini

Json = dict[str, Any]

translation = OpenAIGemini()

HEAD: Json = {"responseId": "r1", "modelVersion": "gemini-3-pro", "createTime": "2026-01-02T03:04:05.678901Z"}
COUNTS: Json = {
    "promptTokenCount": 10,
    "cachedContentTokenCount": 4,
    "toolUsePromptTokenCount": 2,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 7,
    "totalTokenCount": 24,
}
USAGE: Json = {
    "prompt_tokens": 12,
    "completion_tokens": 12,
    "total_tokens": 24,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 7},
}


def candidate(*parts: Json, finish: Any = None, **fields: Any) -> Json:
    found: Json = {"content": {"role": "model", "parts": list(parts)}, **fields}
    return found | ({"finishReason": finish} if finish is not None else {})


def response(*candidates: Json, **fields: Any) -> Json:
    return {**HEAD, "candidates": list(candidates), **fields}


def answer(body: Json) -> Json:
    """Once the SDK has taken it."""
    chat = translation.answer(body)
    ChatCompletion.model_validate(chat, strict=True)
    return chat


def stream(*events: Json) -> tuple[list[Json], bool]:
    """The chunks, each taken by the SDK, and whether the stream was whole."""
    reader = translation.reader()
    chunks = [chunk for event in events for chunk in reader.read("", event)]
    chunks += reader.end()
    for chunk in chunks:
        if "error" not in chunk:
            ChatCompletionChunk.model_validate(chunk, strict=True)
    return chunks, reader.done


def fold(chunks: list[Json]) -> Json:
    """`{"choices": {index: {"content", …, "finish_reason"}}, "usage"}`."""
    choices: dict[int, Json] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            known = choices.setdefault(choice["index"], {"tool_calls": []})
            for name, value in choice["delta"].items():
                if name == "tool_calls":
                    for delta in value:
                        _add_call(known["tool_calls"], delta)
                elif name in known:
                    known[name] += value
                else:
                    known[name] = value
            if choice["finish_reason"]:
                assert "finish_reason" not in known
                known["finish_reason"] = choice["finish_reason"]
    return {"choices": choices, "usage": next((c["usage"] for c in chunks if "usage" in c), None)}


def _add_call(calls: list[Json], delta: Json) -> None:
    if "id" in delta:
        assert delta["index"] == len(calls)
        function = dict(delta["function"])
        calls.append({name: value for name, value in delta.items() if name != "index"} | {"function": function})
    else:
        calls[delta["index"]]["function"]["arguments"] += delta["function"]["arguments"]
