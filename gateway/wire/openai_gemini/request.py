"""A chat completion request as a GenerateContentRequest."""

from collections.abc import Callable

from gateway.core.errors import Inexpressible, InvalidValue
from gateway.core.route import Target
from gateway.wire.events import Json
from gateway.wire.expect import (
    a_flag,
    a_list,
    a_name,
    a_number,
    a_text,
    an_integer,
    an_object,
)
from gateway.wire.openai_gemini.fields import FIELDS, Dropped
from gateway.wire.openai_gemini.messages import read_messages
from gateway.wire.openai_gemini.thinking import Family, family_of, thinking_config
from gateway.wire.openai_gemini.tools import read_tools
from gateway.wire.translation import MAX_LISTED, Sent, sort_fields

MAX_STOPS = 5
MAX_CANDIDATES = 8
MAX_TOP_LOGPROBS = 20

# Gemini takes penalties below 2.
_MAX_PENALTY = 1.99


def translate(chat: Json, target: Target) -> Sent:
    """Raises InvalidValue, MissingParameter and Inexpressible."""
    dropped = Dropped()
    top = sort_fields(chat, FIELDS)
    family = family_of(target.remote)
    body = read_messages(chat.get("messages"), family, dropped)
    body |= read_tools(chat, dropped)
    if config := _read_config(chat, target, family, dropped):
        body["generationConfig"] = config
    return Sent(body, (*top, *dropped)[:MAX_LISTED])


def _read_config(chat: Json, target: Target, family: Family, dropped: Dropped) -> Json:
    config = {word: read(chat[name], name) for name, (word, read) in _SAMPLING.items() if chat.get(name) is not None}
    if (limit := _read_limit(chat, target.model.max_output_tokens)) is not None:
        config["maxOutputTokens"] = limit
    if not config.get("stopSequences", True):
        del config["stopSequences"]
    _check_modalities(chat.get("modalities"))
    config |= _read_format(chat.get("response_format"), dropped)
    if (effort := chat.get("reasoning_effort")) is not None:
        if thinking := thinking_config(family, effort):
            config["thinkingConfig"] = thinking
        else:
            dropped.add("reasoning_effort")
    return config


def _within(low: float, high: float) -> Callable[[object, str], float]:
    return lambda value, name: a_number(value, name, low, high)


def _read_penalty(value: object, name: str) -> float:
    return min(a_number(value, name, -2, 2), _MAX_PENALTY)


def _read_count(value: object, name: str) -> int:
    count = an_integer(value, name)
    if count < 1:
        raise InvalidValue(param=name)
    return count


def _read_candidates(value: object, name: str) -> int:
    count = _read_count(value, name)
    if count > MAX_CANDIDATES:
        raise Inexpressible(param=name)
    return count


def _read_alternatives(value: object, name: str) -> int:
    count = an_integer(value, name)
    if not 0 <= count <= MAX_TOP_LOGPROBS:
        raise InvalidValue(param=name)
    return count


def _read_seed(value: object, name: str) -> int:
    return an_integer(value, name) & 0x7FFFFFFF


def _read_stops(value: object, name: str) -> list[str]:
    if isinstance(value, str):
        value = [value]
    stops = [a_text(stop, f"{name}[{at}]") for at, stop in enumerate(a_list(value, name))]
    if len(stops) > MAX_STOPS:
        raise Inexpressible(param=name)
    return [stop for stop in stops if stop]


_SAMPLING: dict[str, tuple[str, Callable[[object, str], object]]] = {
    "temperature": ("temperature", _within(0, 2)),
    "top_p": ("topP", _within(0, 1)),
    "top_k": ("topK", _read_count),
    "n": ("candidateCount", _read_candidates),
    "stop": ("stopSequences", _read_stops),
    "seed": ("seed", _read_seed),
    "presence_penalty": ("presencePenalty", _read_penalty),
    "frequency_penalty": ("frequencyPenalty", _read_penalty),
    "logprobs": ("responseLogprobs", a_flag),
    "top_logprobs": ("logprobs", _read_alternatives),
}


def _read_limit(chat: Json, most: int | None) -> int | None:
    """A model that stops by itself at `most` is not asked for more, which Gemini refuses."""
    for name in ("max_completion_tokens", "max_tokens"):
        if (value := chat.get(name)) is not None:
            limit = _read_count(value, name)
            return min(limit, most) if most else limit
    return None


def _check_modalities(modalities: object) -> None:
    for at, modality in enumerate([] if modalities is None else a_list(modalities, "modalities")):
        if a_text(modality, f"modalities[{at}]") != "text":
            raise Inexpressible(param=f"modalities[{at}]")


def _read_format(given: object, dropped: Dropped) -> Json:
    if given is None:
        return {}
    asked = an_object(given, "response_format")
    match a_name(asked.get("type"), "response_format.type"):
        case "text":
            return {}
        case "json_object":
            return {"responseMimeType": "application/json"}
        case "json_schema":
            param = "response_format.json_schema"
            outer = an_object(asked.get("json_schema"), param)
            dropped.look(outer, param, param)
            schema = outer.get("schema")
            inner = {} if schema is None else {"responseJsonSchema": an_object(schema, f"{param}.schema")}
            return {"responseMimeType": "application/json"} | inner
        case _:
            raise Inexpressible(param="response_format.type")
