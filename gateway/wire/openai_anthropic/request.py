"""A chat request as a request to the Messages API."""

import re

from gateway.core.errors import Inexpressible
from gateway.core.route import Target
from gateway.wire.events import Json
from gateway.wire.expect import a_count, a_flag, a_name, a_number, a_text, an_object, invalid
from gateway.wire.openai_anthropic.content import Dropped
from gateway.wire.openai_anthropic.fields import FIELDS
from gateway.wire.openai_anthropic.messages import Conversation
from gateway.wire.openai_anthropic.models import Abilities, read_abilities
from gateway.wire.openai_anthropic.schema import adapt
from gateway.wire.openai_anthropic.thinking import read_thinking
from gateway.wire.openai_anthropic.tools import read_choice, read_tools, stand_ins
from gateway.wire.translation import MAX_LISTED, Sent, sort_fields

# Values that ask for nothing, of fields that would be dropped or refused.
_NEUTRAL: Json = {
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {},
    "modalities": ["text"],
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "store": False,
    "metadata": {},
    "service_tier": "auto",
}
_JSON_ONLY = "Answer with one JSON object, with nothing before and nothing after it."
_MAX_USER_ID = 256
# Refused there, as what tells who somebody is.
_PERSONAL = re.compile(r".*@.*|\+?[\d\s().-]{7,}", re.DOTALL)


def translate(chat: Json, target: Target) -> Sent:
    """Raises InvalidValue, MissingParameter, Inexpressible."""
    asked = {name: value for name, value in chat.items() if not (name in _NEUTRAL and value == _NEUTRAL[name])}
    dropped: Dropped = dict.fromkeys(sort_fields(asked, FIELDS))
    abilities = read_abilities(target.remote)
    conversation = Conversation(dropped)
    conversation.read(chat.get("messages"))
    body: Json = {"model": a_name(chat.get("model"), "model"), "max_tokens": _read_max_tokens(chat, target)}
    _add_tools(body, chat, conversation, abilities, dropped)
    thinks = read_thinking(body, chat, conversation.can_think, abilities, dropped)
    _add_sampling(body, chat, abilities, thinks, dropped)
    _add_format(body, chat, conversation)
    _add_stop(body, chat)
    _add_user(body, chat, dropped)
    if conversation.system:
        body["system"] = conversation.system
    body["messages"] = conversation.turns
    if chat.get("stream") is not None and a_flag(chat["stream"], "stream"):
        body["stream"] = True
    return Sent(body, tuple(dropped)[:MAX_LISTED])


def _read_max_tokens(chat: Json, target: Target) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        if chat.get(name) is not None:
            asked = a_count(chat[name], name)
            return min(asked, target.model.max_output_tokens or asked)
    return target.model.longest_answer


def _add_tools(body: Json, chat: Json, conversation: Conversation, abilities: Abilities, dropped: Dropped) -> None:
    tools, choice = read_choice(chat, read_tools(chat, abilities, dropped))
    if not tools and conversation.called:
        tools, choice = stand_ins(conversation.called), {"type": "none"}
    if tools:
        body["tools"] = tools
    if choice is not None:
        body["tool_choice"] = choice


def _add_sampling(body: Json, chat: Json, abilities: Abilities, thinks: bool, dropped: Dropped) -> None:
    given = {}
    if chat.get("temperature") is not None:
        given["temperature"] = min(a_number(chat["temperature"], "temperature", 0, 2), 1)
    if chat.get("top_p") is not None:
        given["top_p"] = a_number(chat["top_p"], "top_p", 0, 1)
    for name, value in given.items():
        if thinks or not abilities.sampling or (name == "top_p" and "temperature" in given and not abilities.both):
            dropped[name] = None
        else:
            body[name] = value


def _add_format(body: Json, chat: Json, conversation: Conversation) -> None:
    if chat.get("response_format") is None:
        return
    asked = an_object(chat["response_format"], "response_format")
    match asked.get("type"):
        case "text":
            pass
        case "json_object":
            conversation.system.append({"type": "text", "text": _JSON_ONLY})
        case "json_schema":
            named = an_object(asked.get("json_schema"), "response_format.json_schema")
            config = body.setdefault("output_config", {})
            config["format"] = {"type": "json_schema", "schema": _read_schema(named)}
        case str():
            raise Inexpressible(param="response_format.type")
        case _:
            invalid("response_format.type", "a string")


def _read_schema(named: Json) -> Json:
    at = "response_format.json_schema"
    schema = adapt(an_object(named.get("schema"), f"{at}.schema"))
    for name, member in (("name", "title"), ("description", "description")):
        if named.get(name) is not None and member not in schema:
            schema[member] = a_text(named[name], f"{at}.{name}")
    return schema


def _add_stop(body: Json, chat: Json) -> None:
    given = chat.get("stop")
    stops = [given] if isinstance(given, str) else given
    if not stops:
        return
    if not isinstance(stops, list):
        invalid("stop", "a string or a list of strings")
    for stop in stops:
        if a_name(stop, "stop").isspace():
            raise Inexpressible(param="stop")
    body["stop_sequences"] = list(stops)


def _add_user(body: Json, chat: Json, dropped: Dropped) -> None:
    names = [name for name in ("safety_identifier", "user") if chat.get(name) is not None]
    for name in names:
        user = a_text(chat[name], name)
        if "metadata" in body or not user or len(user) > _MAX_USER_ID or _PERSONAL.fullmatch(user):
            dropped[name] = None
        else:
            body["metadata"] = {"user_id": user}
