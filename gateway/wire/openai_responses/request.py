"""A chat completion request as one of the Responses API."""

from collections.abc import Mapping

from gateway.core.errors import InvalidValue
from gateway.wire.events import Json
from gateway.wire.openai_responses.fields import FIELDS
from gateway.wire.openai_responses.members import optional, required
from gateway.wire.openai_responses.messages import InputItems
from gateway.wire.openai_responses.tools import write_choice, write_search, write_tools
from gateway.wire.translation import MAX_LISTED, Sent, sort_fields

# Less is refused there. An answer of 16 tokens is no other than one of 5, only longer.
LEAST_TOKENS = 16

_SAME = (
    "model",
    "stream",
    "temperature",
    "top_p",
    "top_logprobs",
    "parallel_tool_calls",
    "metadata",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "service_tier",
)
# Of fields that are refused: the values that ask for nothing.
_NOTHING: Mapping[str, tuple[object, ...]] = {
    "n": (1,),
    "stop": ([],),
    "logit_bias": ({},),
    "modalities": (["text"], []),
    "functions": ([],),
}


def write_request(chat: Json) -> Sent:
    """Raises InvalidValue, MissingParameter, Inexpressible."""
    asked = {name: value for name, value in chat.items() if value is not None and value not in _NOTHING.get(name, ())}
    dropped = sort_fields(asked, FIELDS)
    messages = required(asked, "messages", list)
    if not messages:
        raise InvalidValue(param="messages")
    written = InputItems(messages)
    noted = written.noted
    body: Json = {name: asked[name] for name in _SAME if name in asked}
    body |= {"input": written.items, "store": False}
    body |= _tools(asked, noted) | _text(asked) | _length(asked) | _extras(asked)
    foreign = ("messages.reasoning_details",) if written.foreign else ()
    return Sent(body, (*dropped, *foreign, *sort_fields({}, FIELDS, noted))[:MAX_LISTED])


def _tools(asked: Json, noted: dict[str, None]) -> Json:
    written: Json = {}
    tools = write_tools(optional(asked, "tools", list) or [], noted)
    if (options := optional(asked, "web_search_options", dict)) is not None:
        tools.append(write_search(options))
    if tools:
        written["tools"] = tools
    if "tool_choice" in asked:
        written["tool_choice"] = write_choice(asked["tool_choice"])
    return written


def _text(asked: Json) -> Json:
    text: Json = {}
    if (given := optional(asked, "response_format", dict)) is not None:
        text["format"] = _format(given)
    if (verbosity := optional(asked, "verbosity", str)) is not None:
        text["verbosity"] = verbosity
    return {"text": text} if text else {}


def _format(given: Json) -> Json:
    match given.get("type"):
        case "text" | "json_object" as kind:
            return {"type": kind}
        case "json_schema":
            return _schema(required(given, "json_schema", dict, "response_format"))
        case _:
            raise InvalidValue(param="response_format.type")


def _schema(given: Json) -> Json:
    at = "response_format.json_schema"
    written: Json = {"type": "json_schema", "name": required(given, "name", str, at)}
    if (description := optional(given, "description", str, at)) is not None:
        written["description"] = description
    if (strict := optional(given, "strict", bool, at)) is not None:
        written["strict"] = strict
    return {**written, "schema": optional(given, "schema", dict, at) or {}}


def _length(asked: Json) -> Json:
    for name in ("max_completion_tokens", "max_tokens"):
        if (limit := optional(asked, name, int)) is not None:
            if limit < 0:
                raise InvalidValue(param=name)
            return {"max_output_tokens": max(limit, LEAST_TOKENS)}
    return {}


def _extras(asked: Json) -> Json:
    """Reasoning, and what is given only if it is asked for."""
    written: Json = {}
    include = []
    effort = optional(asked, "reasoning_effort", str)
    if effort == "none":
        written["reasoning"] = {"effort": effort}
    elif effort is not None:
        written["reasoning"] = {"effort": effort, "summary": "auto"}
        include.append("reasoning.encrypted_content")
    if optional(asked, "logprobs", bool):
        include.append("message.output_text.logprobs")
    if include:
        written["include"] = include
    options = optional(asked, "stream_options", dict) or {}
    if asked.get("stream") is True and (obfuscation := options.get("include_obfuscation")) is not None:
        written["stream_options"] = {"include_obfuscation": obfuscation}
    return written
