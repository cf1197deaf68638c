"""A Responses request as a chat request."""

from gateway.core.errors import InvalidValue, MissingParameter
from gateway.wire.events import Json
from gateway.wire.responses_openai import member
from gateway.wire.responses_openai.conversation import Conversation
from gateway.wire.responses_openai.fields import DEFAULTS, FIELDS
from gateway.wire.responses_openai.tools import Toolbox, read_choice
from gateway.wire.translation import How, Sent, sort_fields

MAX_TOKENS = 2**31 - 1

_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_TEXTS = ("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier")
_LOGPROBS = "message.output_text.logprobs"


def read_request(body: Json) -> Sent:
    dropped = list(sort_fields({k: v for k, v in body.items() if k not in DEFAULTS or DEFAULTS[k] != v}, FIELDS))
    chat: Json = {"model": member.text(body, "model")}
    chat["messages"] = _messages(body, dropped)
    chat.update(_tools(body, dropped))
    chat.update(_sampling(body))
    chat.update(_text(body))
    chat.update(_reasoning(body, dropped))
    chat.update(_logprobs(body, dropped))
    for name in _TEXTS:
        if (value := member.maybe_text(body, name)) is not None:
            chat[name] = value
    chat.update(_stream(body, dropped))
    return Sent(chat, sort_fields(body, FIELDS, tuple(dict.fromkeys(dropped))))


def _messages(body: Json, dropped: list[str]) -> list[Json]:
    conversation = Conversation()
    if instructions := member.maybe_text(body, "instructions"):
        conversation.add({"role": "system", "content": instructions})
    given = body.get("input")
    if given is None:
        raise MissingParameter(param="input")
    if isinstance(given, str):
        conversation.add({"role": "user", "content": given})
    else:
        for index, item in enumerate(member.list_at(given, "input")):
            path = f"input[{index}]"
            conversation.read(member.object_at(item, path), path)
    messages = conversation.messages()
    if not messages:
        raise InvalidValue(param="input")
    dropped += conversation.dropped
    return messages


def _tools(body: Json, dropped: list[str]) -> Json:
    toolbox = Toolbox(body.get("tools"))
    dropped += toolbox.dropped
    sent = read_choice(body.get("tool_choice"), toolbox)
    parallel = member.maybe_flag(body, "parallel_tool_calls")
    if sent and parallel is not None:
        sent["parallel_tool_calls"] = parallel
    return sent


def _sampling(body: Json) -> Json:
    sent: Json = {
        "max_completion_tokens": member.maybe_count(body, "max_output_tokens", 1, MAX_TOKENS),
        "temperature": member.maybe_number(body, "temperature", 0, 2),
        "top_p": member.maybe_number(body, "top_p", 0, 1),
    }
    return {name: value for name, value in sent.items() if value is not None}


def _text(body: Json) -> Json:
    text, sent = member.maybe_object(body, "text") or {}, {}
    if (verbosity := member.maybe_text(text, "verbosity", "text")) is not None:
        sent["verbosity"] = verbosity
    form = member.maybe_object(text, "format", "text")
    if form is None:
        return sent
    match member.text(form, "type", "text.format"):
        case "text":
            return sent
        case "json_object":
            return {**sent, "response_format": {"type": "json_object"}}
        case "json_schema":
            return {**sent, "response_format": {"type": "json_schema", "json_schema": _schema(form)}}
        case _:
            raise InvalidValue(param="text.format.type")


def _schema(form: Json) -> Json:
    at = "text.format"
    if (schema := member.maybe_object(form, "schema", at)) is None:
        raise MissingParameter(param=f"{at}.schema")
    sent: Json = {"name": member.text(form, "name", at), "schema": schema}
    if (description := member.maybe_text(form, "description", at)) is not None:
        sent["description"] = description
    if (strict := member.maybe_flag(form, "strict", at)) is not None:
        sent["strict"] = strict
    return sent


def _reasoning(body: Json, dropped: list[str]) -> Json:
    reasoning = member.maybe_object(body, "reasoning") or {}
    dropped += [f"reasoning.{name}" for name in ("context", "mode") if reasoning.get(name) is not None]
    effort = member.maybe_text(reasoning, "effort", "reasoning")
    if effort is None:
        return {}
    if effort not in _EFFORTS:
        raise InvalidValue(param="reasoning.effort")
    return {"reasoning_effort": effort}


def _logprobs(body: Json, dropped: list[str]) -> Json:
    include = member.maybe_list(body, "include")
    if not all(isinstance(name, str) for name in include):
        raise InvalidValue(param="include")
    wanted = [f"include.{name}" for name in include]
    dropped += [name for name in wanted if name in FIELDS and FIELDS[name].how is How.DROPPED]
    count = member.maybe_count(body, "top_logprobs", 0, 20)
    if not count and _LOGPROBS not in include:
        return {}
    return {"logprobs": True, "top_logprobs": count} if count else {"logprobs": True}


def _stream(body: Json, dropped: list[str]) -> Json:
    options = member.maybe_object(body, "stream_options") or {}
    if not member.maybe_flag(body, "stream"):
        return {}
    if options.get("include_obfuscation"):
        dropped.append("stream_options.include_obfuscation")
    return {"stream": True, "stream_options": {"include_usage": True}}
