"""OpenAI's chat completions, completions and embeddings, passed through: the caller's schema is the upstream's."""

from collections.abc import Mapping

import msgspec

from gateway.core.call import Ask
from gateway.core.errors import Refusal, UpstreamRejected
from gateway.core.fault import (
    CallerFault,
    ContextFault,
    EmptyFault,
    Fault,
    ModelMissingFault,
    ProtocolFault,
)
from gateway.core.route import Target, Upstream
from gateway.wire.pair import FORWARDED, Answered, Outgoing
from gateway.wire.sse import EventStream
from gateway.wire.status import read_status
from gateway.wire.usage import NOTHING, is_nothing, read_usage

MAX_MESSAGE = 2048

_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_TRUE = msgspec.Raw(b"true")

# Every name under which a prompt longer than the context window is reported: OpenAI, llama.cpp, vLLM and LM Studio.
_CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
_CONTEXT_TEXTS = (
    "maximum context length",
    "context window",
    "context size",
    "prompt is too long",
    "exceeds the maximum number of tokens",
)
_MODEL_CODES = frozenset({"model_not_found", "model_not_available", "DeploymentNotFound", "invalid_model"})
_SAFE_CODE_LENGTH = 64


class _Error(msgspec.Struct):
    """`{"error": {...}}`; providers put numbers, strings or nothing where OpenAI has strings."""

    message: object = None
    type: object = None
    param: object = None
    code: object = None


class _Failure(_Error):
    """vLLM before 0.10 says the same without the wrapper."""

    error: _Error | str | None = None


class _Answer(msgspec.Struct):
    error: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING


_failures = msgspec.json.Decoder(_Failure)
_answers = msgspec.json.Decoder(_Answer)
_options = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)


def credential(upstream: Upstream) -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"Bearer {upstream.api_key}"),) if upstream.api_key else ()


def pinned(_: Upstream) -> tuple[tuple[bytes, bytes], ...]:
    return ()


def models(_: Upstream) -> str:
    return "/models"


class OpenAI:
    """One of its endpoints."""

    forwards = FORWARDED
    opaque = False
    translates = False

    def __init__(self, path: str) -> None:
        self._path = path

    def path(self, ask: Ask, target: Target) -> str:
        return self._path

    def request(self, ask: Ask, target: Target) -> Outgoing:
        fields = dict(ask.fields)
        fields["model"] = target.remote
        if not ask.stream or not target.upstream.stream_usage:
            fields.pop("stream_options", None)
        elif not ask.include_usage:
            fields["stream_options"] = _with_usage(fields.get("stream_options"))
        add_defaults(fields, target.model.defaults)
        return Outgoing(msgspec.json.encode(fields))

    def scanner(self, ask: Ask, outgoing: Outgoing) -> EventStream:
        return EventStream(drop_usage=not ask.include_usage)

    def read_answer(self, body: bytes, outgoing: Outgoing) -> Answered:
        if not body or body.isspace():
            raise EmptyFault
        try:
            answer = _answers.decode(body)
        except (msgspec.MsgspecError, ValueError):
            raise ProtocolFault from None
        if not is_nothing(answer.error):
            raise read_failure(200, body)
        return Answered(None if is_nothing(answer.usage) else read_usage(answer.usage), body)

    def read_status(self, status: int) -> Fault | None:
        return read_status(status)

    def read_failure(self, status: int, body: bytes) -> Fault:
        return read_failure(status, body)


def read_failure(status: int, body: bytes) -> Fault:
    """What an error status (or, with 200, an error in place of an answer) means for the attempt."""
    error = _read_error(body)
    if status == 200:
        status = _status_of(error)
    if (fault := read_status(status)) is not None:
        return fault
    rejection = _rejection(status, error)
    if _is_context_length(error):
        return ContextFault(rejection)
    if status == 404 and _is_model_missing(error):
        return ModelMissingFault()
    return CallerFault(rejection)


def _with_usage(options: object) -> dict[str, msgspec.Raw]:
    """The caller's `stream_options` with usage asked for."""
    given = _options.decode(options) if isinstance(options, msgspec.Raw) else None
    return {**(given or {}), "include_usage": _TRUE}


def add_defaults(fields: dict[str, object], defaults: Mapping[str, object], limit: str | None = None) -> None:
    """What the admin sets where the caller did not; the names of the output limit are one, in other schemas `limit`."""
    for name, value in defaults.items():
        if name not in _LIMITS:
            fields.setdefault(name, value)
        elif fields.keys().isdisjoint(_LIMITS):
            fields[limit or name] = value


def _read_error(body: bytes) -> _Error:
    try:
        failure = _failures.decode(body)
    except (msgspec.MsgspecError, ValueError):
        return _Error()
    if isinstance(failure.error, str):
        return _Error(message=failure.error)
    return failure.error or failure


def _status_of(error: _Error) -> int:
    """The status that an error inside a 200 should have had; what does not say is the upstream's own failure."""
    if isinstance(error.code, int) and 400 <= error.code <= 599:
        return error.code
    if _is_context_length(error):
        return 400
    match error.type:
        case "invalid_request_error":
            return 400
        case "authentication_error" | "permission_error":
            return 401
        case "rate_limit_error" | "requests" | "tokens" | "insufficient_quota":
            return 429
        case _:
            return 502


def _is_one_of(value: object, words: frozenset[str]) -> bool:
    return isinstance(value, str) and value in words


def _is_context_length(error: _Error) -> bool:
    if _is_one_of(error.code, _CONTEXT_CODES) or _is_one_of(error.type, _CONTEXT_CODES):
        return True
    return isinstance(error.message, str) and any(text in error.message.lower() for text in _CONTEXT_TEXTS)


def _is_model_missing(error: _Error) -> bool:
    """Also by its text, which is all that Ollama gives, and a 404 that is no error of an API: a wrong base URL."""
    if _is_one_of(error.code, _MODEL_CODES) or not isinstance(error.message, str):
        return True
    text = error.message.lower()
    return "model" in text and ("not found" in text or "does not exist" in text)


def _rejection(status: int, error: _Error) -> UpstreamRejected:
    if _is_context_length(error):
        code: str | None = "context_length_exceeded"
    else:
        code = _word(error.code)
    message = error.message.encode()[:MAX_MESSAGE].decode(errors="ignore") if isinstance(error.message, str) else None
    return UpstreamRejected(status, message, _word(error.type) or Refusal.type, _word(error.param), code)


def _word(value: object) -> str | None:
    """A provider's `type`, `param` or `code`, which is also a log field: short and printable, or nothing."""
    if isinstance(value, str) and 0 < len(value) <= _SAFE_CODE_LENGTH and value.isprintable():
        return value
    return None
