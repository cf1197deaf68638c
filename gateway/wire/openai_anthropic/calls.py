"""Tool calls as `tool_use` blocks, and their ids."""

import re
from typing import Any

import msgspec

from gateway.core.errors import Inexpressible
from gateway.wire.events import Json
from gateway.wire.expect import a_list, a_name, a_text, an_object, invalid
from gateway.wire.openai_anthropic.content import Dropped

# As Anthropic's documentation wraps what a model said that is no input.
INVALID_JSON = "INVALID_JSON"

_MAX_DEPTH = 64
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


def read_calls(message: Json, at: str, dropped: Dropped) -> list[Json]:
    """Of an assistant's message. Raises InvalidValue, Inexpressible."""
    given = message.get("tool_calls")
    if given is None:
        return []
    at = f"{at}.tool_calls"
    return [
        _read_call(an_object(call, f"{at}[{i}]"), f"{at}[{i}]", dropped) for i, call in enumerate(a_list(given, at))
    ]


def call_id(value: object, at: str) -> str:
    """Other providers' ids contain dots and colons."""
    return _NOT_IN_IDS.sub("_", a_name(value, at))


def _read_call(call: Json, at: str, dropped: Dropped) -> Json:
    if (kind := call.get("type", "function")) == "custom":
        raise Inexpressible(param=f"{at}.custom")
    if kind != "function":
        invalid(f"{at}.type", "`function`")
    if call.get("extra_content") is not None:
        dropped["messages.tool_calls.extra_content"] = None
    function = an_object(call.get("function"), f"{at}.function")
    return {
        "type": "tool_use",
        "id": call_id(call.get("id"), f"{at}.id"),
        "name": a_name(function.get("name"), f"{at}.function.name"),
        "input": _read_arguments(a_text(function.get("arguments") or "", f"{at}.function.arguments")),
    }


def _read_arguments(text: str) -> Json:
    if not text or text.isspace():
        return {}
    try:
        given = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {INVALID_JSON: text}
    return given if isinstance(given, dict) and not _is_deeper_than(given, _MAX_DEPTH) else {INVALID_JSON: text}


def _is_deeper_than(value: Any, limit: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return limit == 0 or any(_is_deeper_than(part, limit - 1) for part in parts)
