"""What a client's body asks for, with as little of it read as possible.

Looked at: `model`, `stream`, `stream_options`, `complexity`, `provider` and the numbers a reservation needs.
Everything else stays in the bytes it came in.
"""

import re
from collections.abc import Container
from typing import TypeVar

import msgspec

from gateway.core.call import Ask, Call, Endpoint
from gateway.core.errors import InvalidJson, InvalidValue, JsonTooDeep, MissingParameter
from gateway.wire.usage import estimate_tokens

MAX_DEPTH = 64
# Members, or lists and objects: a body must not hold up the others. A member of the body itself costs about 0.8 µs.
MAX_PARTS = 200_000
MAX_MODEL_NAME = 256
MAX_CHOICES = 128

Fields = dict[str, msgspec.Raw]
T = TypeVar("T")

_decoder = msgspec.json.Decoder(Fields)
_TEXT = msgspec.json.Decoder(str | None)
_FLAG = msgspec.json.Decoder(bool | None)
_NUMBER = msgspec.json.Decoder(int | None)
_NOT_MARKS = bytes(set(range(256)) - set(b'[]{}:"'))
_ALIKE = bytes.maketrans(b"{}", b"[]")
_STRING_MARKS = re.compile(rb'"[^"]*"')
_FILLED_LIST = re.compile(rb"\[\s*[^\]\s]")


class Schema(msgspec.Struct, frozen=True):
    """What is looked at in the bodies of an endpoint. `text`: its prompt may be a text, `messages`: a list. What is not
    `by_tokens` is accounted for by the request; what is, is by its prompt, and `also` by these.

    `limits` are the names of the field that bounds the answer, where one counts by tokens.
    """

    prompt: str
    text: bool = True
    messages: bool = True
    streamed: bool = True
    required: bool = True
    by_tokens: bool = True
    limits: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


SCHEMAS = {
    Endpoint.CHAT: Schema("messages", text=False, limits=("max_completion_tokens", "max_tokens")),
    Endpoint.COMPLETIONS: Schema("prompt", limits=("max_tokens",)),
    Endpoint.RESPONSES: Schema("input", required=False, limits=("max_output_tokens",), also=("instructions", "tools")),
    Endpoint.MESSAGES: Schema("messages", text=False, limits=("max_tokens",), also=("system", "tools")),
    Endpoint.COUNT_TOKENS: Schema("messages", text=False, streamed=False),
    Endpoint.EMBEDDINGS: Schema("input", streamed=False),
    Endpoint.SPEECH: Schema("input", messages=False, by_tokens=False),
    Endpoint.IMAGES: Schema("prompt", messages=False, by_tokens=False),
    Endpoint.MODERATIONS: Schema("input", streamed=False, by_tokens=False),
}


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


_OPTIONS = msgspec.json.Decoder(_StreamOptions | None)


def read_ask(body: bytes, call: Call, providers: Container[str]) -> Ask:
    """Raises InvalidJson, JsonTooDeep, InvalidValue or MissingParameter.

    The headers' `complexity` and `provider` go before the body's.
    `complexity` is taken out of the fields, and so is a `provider` that names one of `providers`;
    any other `provider` belongs to the upstream.
    """
    fields = _read_object(body)
    model = _read(fields, "model", _TEXT)
    if model is None:
        raise MissingParameter("`model` is missing.", param="model")
    if not model.strip() or len(model) > MAX_MODEL_NAME:
        raise InvalidValue("`model` is empty or too long.", param="model")
    stream = "stream" in fields and bool(_read(fields, "stream", _FLAG))
    schema = SCHEMAS[call.endpoint]
    if stream and not schema.streamed:
        raise InvalidValue("The endpoint does not stream.", param="stream")
    options = _read(fields, "stream_options", _OPTIONS) if "stream_options" in fields else None
    prompt = _read_prompt(fields, schema)
    for name in schema.also:
        prompt += bytes(fields.get(name, b""))
    complexity = provider = None
    if "complexity" in fields:
        complexity = _read(fields, "complexity", _TEXT)
        del fields["complexity"]
    if "provider" in fields:
        provider = _read_provider(fields, providers)
    return Ask(
        model=model,
        fields=fields,
        stream=stream,
        include_usage=bool(options and options.include_usage),
        complexity=complexity if call.complexity is None else call.complexity,
        provider=provider if call.provider is None else call.provider,
        prompt_tokens=estimate_tokens(prompt) if schema.by_tokens else 0,
        max_tokens=_read_max_tokens(fields, schema.limits),
        n=_read_choices(fields),
    )


def _read_object(body: bytes) -> Fields:
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise InvalidJson("The request body is not UTF-8.") from None
    if len(body) > 2 * MAX_PARTS:  # each takes two bytes at least
        _check_parts(body)
    try:
        fields = _decoder.decode(body)
    except msgspec.ValidationError:
        raise InvalidValue("The request body must be a JSON object.") from None
    except RecursionError:
        raise JsonTooDeep from None
    except (msgspec.DecodeError, ValueError):
        raise InvalidJson from None
    if _is_deeper_than(body, MAX_DEPTH):
        raise JsonTooDeep
    return fields


def _check_parts(body: bytes) -> None:
    """Before anything is made of them. Raises InvalidValue. `replace` leaps from mark to mark; `count` counts bytes."""
    if sum(len(body) - len(body.replace(mark, b"", MAX_PARTS)) for mark in (b":", b"[", b"{")) >= MAX_PARTS:
        outline = _outline(body)
        if max(outline.count(b":"), outline.count(b"[")) > MAX_PARTS:
            raise InvalidValue("The request body has too many members, lists or objects.")


def has_more_parts(body: bytes, most: int) -> bool:
    """Members, or lists and objects."""
    if body.count(b":") + body.count(b"[") + body.count(b"{") <= most:
        return False
    outline = _outline(body)
    return max(outline.count(b":"), outline.count(b"[")) > most


def _outline(body: bytes) -> bytes:
    """The brackets and colons outside strings, braces as brackets."""
    marks = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_ALIKE, _NOT_MARKS)
    # Of most strings two quotes are left. Without them every other quote still opens a string.
    return _STRING_MARKS.sub(b"", marks.replace(b'""', b""))


def _is_deeper_than(body: bytes, limit: int) -> bool:
    """Of valid JSON. The innermost layer of brackets is taken out in each round."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    brackets = _outline(body).replace(b":", b"")
    for _ in range(limit):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _read(fields: Fields, name: str, decoder: "msgspec.json.Decoder[T | None]") -> T | None:
    """The field; None where it is missing or null."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError):
        raise InvalidValue(f"`{name}` has an invalid value.", param=name) from None


def _read_prompt(fields: Fields, schema: Schema) -> bytes:
    """The bytes of `messages` or its like; what is in them is the upstream's to judge."""
    name = schema.prompt
    if name not in fields:
        if not schema.required:
            return b""
        raise MissingParameter(f"`{name}` is missing.", param=name)
    prompt = bytes(fields[name])
    is_list = schema.messages and _FILLED_LIST.match(prompt) is not None
    is_text = schema.text and prompt.startswith(b'"')
    if not (is_list or is_text):
        raise InvalidValue(f"`{name}` has an invalid value.", param=name)
    return prompt


def _read_provider(fields: Fields, providers: Container[str]) -> str | None:
    raw = fields.get("provider")
    if raw is None or not bytes(raw).startswith(b'"'):
        return None
    name = _read(fields, "provider", _TEXT)
    if name not in providers:
        return None
    del fields["provider"]
    return name


def _read_max_tokens(fields: Fields, names: tuple[str, ...]) -> int | None:
    """The first that is there."""
    given: list[int] = []
    for name in names:
        value: int | None = _read(fields, name, _NUMBER)
        if value is not None:
            if not 0 <= value < 2**53:
                raise InvalidValue(f"`{name}` must be a non-negative integer.", param=name)
            given.append(value)
    return given[0] if given else None


def _read_choices(fields: Fields) -> int:
    n: int | None = _read(fields, "n", _NUMBER)
    if n is None:
        return 1
    if not 1 <= n <= MAX_CHOICES:
        raise InvalidValue(f"`n` must be between 1 and {MAX_CHOICES}.", param="n")
    return n
