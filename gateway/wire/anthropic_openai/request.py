"""A Messages request as a chat request."""

import hashlib
import re

from gateway.core.errors import Inexpressible, InvalidValue
from gateway.wire.anthropic_openai.fields import FIELDS
from gateway.wire.anthropic_openai.reasoning import read_effort
from gateway.wire.anthropic_openai.tools import read_choice, read_tools
from gateway.wire.anthropic_openai.turns import Turns
from gateway.wire.anthropic_openai.values import Lookup, read_flag, read_share, required
from gateway.wire.events import Json
from gateway.wire.expect import a_list, a_name, a_text, an_object
from gateway.wire.translation import MAX_LISTED, Sent, sort_fields

# OpenAI's limit; Claude Code's are longer, and JSON.
_USER = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_SCHEMA_NAME = "answer"


def read_request(body: Json) -> Sent:
    """Raises InvalidValue, MissingParameter, Inexpressible."""
    given = {name: value for name, value in body.items() if value is not None and value not in ([], {})}
    dropped = sort_fields(given, FIELDS)
    lookup = Lookup()
    chat: Json = {"model": a_name(required(body, "model"), "model")}
    chat["messages"] = _read_messages(body, lookup)
    chat["max_completion_tokens"] = _read_limit(required(body, "max_tokens"))
    chat |= _read_sampling(given)
    chat |= _read_tools(given, lookup)
    chat |= _read_output(given, lookup)
    if user := _read_user(given, lookup):
        chat["user"] = user
    if "stream" in given:
        chat["stream"] = read_flag(given["stream"], "stream")
        if chat["stream"]:
            chat["stream_options"] = {"include_usage": True}
    nested = sort_fields({}, FIELDS, list(lookup.dropped))
    return Sent(chat, (*dropped, *nested)[:MAX_LISTED])


def _read_messages(body: Json, lookup: Lookup) -> list[Json]:
    turns = Turns(lookup)
    if (system := body.get("system")) is not None:
        turns.system(system)
    given = a_list(required(body, "messages"), "messages")
    for n, message in enumerate(given):
        turns.add(an_object(message, f"messages[{n}]"), f"messages[{n}]")
    messages = turns.close()
    if not given or not messages:
        raise InvalidValue(param="messages")
    if (mark := body.get("cache_control")) is not None:
        messages[-1].setdefault("cache_control", an_object(mark, "cache_control"))
    return messages


def _read_limit(limit: object) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit < 2**53:
        raise InvalidValue(param="max_tokens")
    if limit == 0:
        raise Inexpressible(param="max_tokens")
    return limit


def _read_sampling(body: Json) -> Json:
    read: Json = {name: read_share(body[name], name) for name in ("temperature", "top_p") if name in body}
    if "stop_sequences" in body:
        stops = a_list(body["stop_sequences"], "stop_sequences")
        read["stop"] = [a_name(stop, f"stop_sequences[{n}]") for n, stop in enumerate(stops)]
    return read


def _read_tools(body: Json, lookup: Lookup) -> Json:
    tools = read_tools(body["tools"], lookup) if "tools" in body else []
    read: Json = {"tools": tools} if tools else {}
    if "tool_choice" in body:
        lookup.members("tool_choice", an_object(body["tool_choice"], "tool_choice"))
        read |= read_choice(body["tool_choice"], tools)
    return read


def _read_output(body: Json, lookup: Lookup) -> Json:
    """The effort and the schema of the answer."""
    config = an_object(body.get("output_config", {}), "output_config")
    lookup.members("output_config", config)
    if isinstance(thinking := body.get("thinking"), dict):
        lookup.members("thinking", thinking)
    read: Json = {}
    if effort := read_effort(thinking, config.get("effort")):
        read["reasoning_effort"] = effort
    if (form := config.get("format")) is not None:
        read["response_format"] = _read_format(form, "output_config.format")
    elif "output_format" in body:
        read["response_format"] = _read_format(body["output_format"], "output_format")
    return read


def _read_format(form: object, at: str) -> Json:
    given = an_object(form, at)
    if given.get("type") != "json_schema":
        raise InvalidValue(param=f"{at}.type")
    schema = an_object(given.get("schema"), f"{at}.schema")
    named: Json = {"name": _SCHEMA_NAME, "schema": schema}
    if _is_strict(schema):
        named["strict"] = True
    return {"type": "json_schema", "json_schema": named}


def _is_strict(schema: Json) -> bool:
    """Whether OpenAI holds an answer to it: every object is closed, and each of its properties required."""
    if schema.get("type") != "object":
        return False
    left: list[object] = [schema]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            if value.get("type") == "object" and not _is_closed(value):
                return False
    return True


def _is_closed(schema: Json) -> bool:
    properties, names = schema.get("properties", {}), schema.get("required", [])
    if schema.get("additionalProperties") is not False or not isinstance(properties, dict):
        return False
    return isinstance(names, list) and all(name in names for name in properties)


def _read_user(body: Json, lookup: Lookup) -> str:
    """Always the same one for the same user."""
    metadata = an_object(body.get("metadata", {}), "metadata")
    lookup.members("metadata", metadata)
    user = a_text(metadata.get("user_id") or "", "metadata.user_id")
    if not user or _USER.fullmatch(user):
        return user
    return hashlib.sha256(user.encode(errors="replace")).hexdigest()
