"""The Response object: what was asked for, and what came of it."""

import re

from gateway.wire.events import Json

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]")
_PREFIXES = ("chatcmpl-", "chatcmpl_", "resp_", "msg_", "gen-")
# An id has at most 64 characters, the item's prefix and number included.
_ID_LENGTH = 48

_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
# Of OpenAI's, and those that Codex knows.
_CODES = frozenset(
    {
        "server_error",
        "rate_limit_exceeded",
        "invalid_prompt",
        "context_length_exceeded",
        "insufficient_quota",
        "server_is_overloaded",
    }
)
_ECHOED = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "temperature",
    "top_logprobs",
    "top_p",
    "user",
)


def derived_id(chat_id: object) -> str:
    """What the response's and its items' ids have in common."""
    name = chat_id if isinstance(chat_id, str) else ""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return _NOT_IN_IDS.sub("", name)[:_ID_LENGTH] or "0"


def count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _details(usage: Json, name: str) -> Json:
    details = usage.get(name)
    return details if isinstance(details, dict) else {}


def read_usage(usage: object) -> Json | None:
    if not isinstance(usage, dict):
        return None
    read, written = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    prompt, completion = _details(usage, "prompt_tokens_details"), _details(usage, "completion_tokens_details")
    return {
        "input_tokens": read,
        "input_tokens_details": {
            "cached_tokens": count(prompt.get("cached_tokens")),
            "cache_write_tokens": count(prompt.get("cache_write_tokens")),
        },
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": count(completion.get("reasoning_tokens"))},
        "total_tokens": count(usage.get("total_tokens")) or read + written,
    }


def read_error(error: Json) -> tuple[Json, Json]:
    """The `error` event's fields, and the error of a failed response, whose codes are a closed set."""
    message = error.get("message")
    told = {name: value if isinstance(value := error.get(name), str) else None for name in ("type", "code", "param")}
    told["message"] = message if isinstance(message, str) and message else "The model failed to answer."
    told["type"] = told["type"] or "server_error"
    told["code"] = told["code"] or "server_error"
    code = told["code"] if told["code"] in _CODES else "server_error"
    if "rate_limit" in str(told["code"]):
        code = "rate_limit_exceeded"
    return dict(told), {"code": code, "message": told["message"]}


class Frame:
    """The fields of a Response that stay the same from its first event to its last."""

    def __init__(self, asked: Json) -> None:
        self._asked = asked
        self._fields: Json = {}

    def start(self, chunk: Json) -> str:
        """By the first chunk; returns what the ids are derived from."""
        asked, base = self._asked, derived_id(chunk.get("id"))
        text, reasoning = asked.get("text") or {}, asked.get("reasoning") or {}
        model = chunk.get("model")
        self._fields = {
            "id": f"resp_{base}",
            "object": "response",
            "created_at": count(chunk.get("created")),
            "model": model if isinstance(model, str) and model else asked.get("model"),
            "background": False,
            "metadata": asked.get("metadata") or {},
            "parallel_tool_calls": asked.get("parallel_tool_calls", True) is not False,
            "previous_response_id": None,
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "store": False,
            "text": {**text, "format": text.get("format") or {"type": "text"}},
            "tool_choice": asked.get("tool_choice") or "auto",
            "tools": [_tool(tool) for tool in asked.get("tools") or ()],
            "truncation": "disabled",
            **{name: asked.get(name) for name in _ECHOED},
        }
        return base

    def response(self, status: str, output: list[Json], chunk: Json, **more: object) -> Json:
        tiers = (chunk.get("service_tier"), self._asked.get("service_tier"))
        return {
            **self._fields,
            "service_tier": next((tier for tier in tiers if isinstance(tier, str) and tier in _TIERS), None),
            "status": status,
            "output": output,
            "error": None,
            "incomplete_details": None,
            "usage": None,
            **more,
        }


def _tool(tool: Json) -> Json:
    return {"parameters": None, "strict": None, **tool} if tool.get("type") == "function" else tool
