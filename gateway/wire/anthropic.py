"""Anthropic's Messages API, as far as a pass-through and a translation read the same: usage and errors."""

from typing import Any, NamedTuple

import msgspec

from gateway.core.errors import Refusal, UpstreamRejected
from gateway.core.fault import (
    AuthFault,
    CallerFault,
    ContextFault,
    Fault,
    ModelMissingFault,
)
from gateway.core.outcome import Usage
from gateway.wire.status import read_status as status_fault
from gateway.wire.usage import MAX_TOKENS

MAX_MESSAGE = 2048
CONTEXT_CODE = "context_length_exceeded"

# The status that each type of error comes with; inside a stream there is the type alone. Others are the upstream's own.
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_UNKNOWN = 502
_NO_CREDIT = 402
# Of Anthropic, then of llama.cpp and vLLM, which speak the schema too.
_CONTEXT_TEXTS = (
    "prompt is too long",
    "exceed context limit",
    "input is too long",
    "exceeds the maximum number of tokens",
    "maximum context length",
    "context window",
    "context size",
)
# An account without credit is told so with a 400.
_CREDIT_TEXTS = ("credit balance is too low", "spend limit", "usage limits")
_MAX_TYPE = 64


class Error(msgspec.Struct):
    """The inner half of `{"type": "error", "error": {"type", "message"}}`."""

    type: object = None
    message: object = None

    @property
    def text(self) -> str | None:
        """At most `MAX_MESSAGE` bytes."""
        if not isinstance(self.message, str):
            return None
        return self.message.encode()[:MAX_MESSAGE].decode(errors="ignore")

    @property
    def kind(self) -> str | None:
        """Short and printable, or nothing: it is also a log field."""
        if isinstance(self.type, str) and 0 < len(self.type) <= _MAX_TYPE and self.type.isprintable():
            return self.type
        return None

    @property
    def is_context(self) -> bool:
        return self.kind not in ("rate_limit_error", "overloaded_error") and self._says(_CONTEXT_TEXTS)

    @property
    def is_credential(self) -> bool:
        return self._says(_CREDIT_TEXTS)

    @property
    def is_model_missing(self) -> bool:
        """Also a 404 that is no error of this API: a wrong base URL."""
        return not isinstance(self.message, str) or "model" in self.message.lower()

    def _says(self, texts: tuple[str, ...]) -> bool:
        if not isinstance(self.message, str):
            return False
        told = self.message.lower()
        return any(text in told for text in texts)


class _Failure(msgspec.Struct):
    error: Error | str | None = None


class _Thinking(msgspec.Struct):
    thinking_tokens: int | None = None


class _Reported(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _Thinking | None = None


class Tokens(NamedTuple):
    """`prompt` is everything that was read: `cached` and `written` to the cache are of it, `reasoning` of the rest."""

    prompt: int
    completion: int
    cached: int
    written: int
    reasoning: int


_failures = msgspec.json.Decoder(_Failure)


def read_anthropic_usage(start: bytes | None, delta: bytes | None) -> Usage | None:
    """Of the `usage` of message_start, or of a plain answer, and of message_delta; None for what is no usage."""
    try:
        reports = [msgspec.json.decode(raw) for raw in (start, delta) if raw]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    tokens = count_tokens(*reports)
    return None if tokens is None else Usage(tokens.prompt, tokens.completion, tokens.cached)


def count_tokens(*reports: Any) -> Tokens | None:
    """Each report stands for the whole answer so far: a later one's counts replace those before."""
    counts: dict[str, int] = {}
    for report in reports:
        try:
            given = msgspec.convert(report, _Reported | None)
        except (msgspec.ValidationError, RecursionError):
            return None
        if given is not None:
            counts.update(_counts(given))
    if "input_tokens" not in counts or not all(0 <= count <= MAX_TOKENS for count in counts.values()):
        return None
    cached, written = counts.get("cache_read_input_tokens", 0), counts.get("cache_creation_input_tokens", 0)
    prompt, completion = counts["input_tokens"] + cached + written, counts.get("output_tokens", 0)
    if prompt > MAX_TOKENS:
        return None
    return Tokens(prompt, completion, cached, written, min(counts.get("thinking_tokens", 0), completion))


def _counts(given: _Reported) -> dict[str, int]:
    counts = {
        "input_tokens": given.input_tokens,
        "output_tokens": given.output_tokens,
        "cache_read_input_tokens": given.cache_read_input_tokens,
        "cache_creation_input_tokens": given.cache_creation_input_tokens,
        "thinking_tokens": given.output_tokens_details and given.output_tokens_details.thinking_tokens,
    }
    return {name: count for name, count in counts.items() if isinstance(count, int)}


def read_status(status: int) -> Fault | None:
    """As in other schemas, and credit that is used up is told by a status of its own."""
    return AuthFault() if status == _NO_CREDIT else status_fault(status)


def read_failure(status: int, body: bytes) -> Fault:
    """What an error means for the attempt; with status 200 it came inside a stream, or in place of an answer."""
    error = _read_error(body)
    if status == 200:
        status = 400 if error.is_context else _STATUSES.get(error.kind or "", _UNKNOWN)
    if (fault := read_status(status)) is not None:
        return fault
    rejection = UpstreamRejected(status, error.text, error.kind or Refusal.type, None, _code(error))
    if error.is_context:
        return ContextFault(rejection)
    if error.is_credential:
        return AuthFault()
    if status == 404 and error.is_model_missing:
        return ModelMissingFault()
    return CallerFault(rejection)


def told(error: object) -> dict[str, Any]:
    """The `error` of an event as OpenAI's clients read it."""
    try:
        read = msgspec.convert(error, Error)
    except (msgspec.ValidationError, RecursionError):
        read = Error(message=error)
    return {
        "message": read.text or "The provider's stream failed.",
        "type": read.kind or "api_error",
        "param": None,
        "code": _code(read),
    }


def _read_error(body: bytes) -> Error:
    try:
        error = _failures.decode(body).error
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Error()
    return Error(message=error) if isinstance(error, str) else error or Error()


def _code(error: Error) -> str | None:
    return CONTEXT_CODE if error.is_context else None
