"""Requests and answers that several tests look at."""

import copy
from typing import Any

from hypothesis import strategies as st

from gateway.core.route import Model, Target, Upstream

Json = dict[str, Any]

TARGET = Target("gpt", "gpt-5", Model("gpt", Upstream("openai", "localhost", 443, True, "/v1"), "gpt-5"))

PIXEL = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": True,
    },
}
SQL = {
    "type": "custom",
    "custom": {
        "name": "sql",
        "description": "A query.",
        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.+/"}},
    },
}
USER = {"role": "user", "content": "Hello"}


def chat(*messages: Json, **fields: Any) -> Json:
    return {"model": "gpt-5", "messages": list(messages) or [USER], **fields}


def response(*output: Json, **members: Any) -> Json:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "model": "gpt-5",
        "output": list(output),
        **members,
    }


def said(*content: Json, name: str = "msg_1") -> Json:
    return {"type": "message", "id": name, "role": "assistant", "status": "completed", "content": list(content)}


def text(words: str, **members: Any) -> Json:
    return {"type": "output_text", "text": words, "annotations": [], **members}


def call(name: str, arguments: str, call_id: str = "call_1") -> Json:
    return {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": name, "arguments": arguments}


USAGE = {
    "input_tokens": 90,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 20},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 25},
    "total_tokens": 120,
}
CHAT_USAGE = {
    "prompt_tokens": 90,
    "completion_tokens": 30,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 25},
}

# What may stand where something else belongs.
ANYTHING = st.sampled_from(
    [None, True, 0, -1, 10**30, 1.5, "", "x", "text", "\ud800", [], [None], ["x"], [[]], {}, {"x": 1}, {"type": "text"}]
).map(copy.deepcopy)
