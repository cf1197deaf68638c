"""Google's error bodies: `{"error": {"code", "message", "status", "details"}}`, alone or first in a list.

`status` is a google.rpc.Code and says more than the HTTP status; an error inside a stream has no other.
"""

from collections.abc import Iterator
from typing import TypeGuard

import msgspec

from gateway.core.errors import Refusal, UpstreamRejected
from gateway.core.fault import (
    AuthFault,
    CallerFault,
    ContextFault,
    Fault,
    ModelMissingFault,
    RateLimitFault,
    RejectedFault,
    StatusFault,
)
from gateway.wire.events import Json
from gateway.wire.status import read_status

MAX_MESSAGE = 2048
MIN_COOLDOWN, MAX_COOLDOWN = 1.0, 60.0

_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
}
_CONTEXT_TEXTS = ("exceeds the maximum", "only supports up to")
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"


class _Error(msgspec.Struct):
    code: object = None
    message: object = None
    status: object = None
    details: object = None


class _Failure(msgspec.Struct):
    error: _Error | None = None


_failures = msgspec.json.Decoder(_Failure | list[_Failure])


def read_failure(status: int, body: bytes) -> Fault:
    """What an error status (or, with 200, an error in place of an answer) means for the attempt."""
    return _fault(status, _read_error(body))


def read_fault(error: object) -> Fault:
    """What the `error` of an answer or of an event means; it has no status but its own."""
    return _fault(200, _convert(error))


def read_error(error: object) -> Json:
    """An error inside a stream, as `{"error": {"message", "type", "param", "code"}}`."""
    fault = read_fault(error)
    if isinstance(fault, RejectedFault):
        said = fault.rejection
        return _event(said.message, said.type, said.code)
    if isinstance(fault, ModelMissingFault):
        return _event(fault.refusal.message, Refusal.type, "model_not_found")
    kinds = {RateLimitFault: "rate_limit_error", AuthFault: "authentication_error"}
    return _event(fault.refusal.message, kinds.get(type(fault), fault.refusal.type), fault.refusal.code)


def _event(message: str, kind: str, code: str | None) -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _read_error(body: bytes) -> _Error:
    try:
        failure = _failures.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _Error()
    if isinstance(failure, list):
        failure = next(iter(failure), _Failure())
    return failure.error or _Error()


def _convert(error: object) -> _Error:
    if not isinstance(error, dict):
        return _Error()
    return _Error(*(error.get(name) for name in ("code", "message", "status", "details")))


def _fault(status: int, error: _Error) -> Fault:
    if status == 200:
        status = error.code if _is_error_status(error.code) else _STATUSES.get(str(error.status), 502)
    if status == 400 and error.status == "RESOURCE_EXHAUSTED":
        status = 429
    if (fault := read_status(status)) is not None:
        if isinstance(fault, RateLimitFault):
            fault.cooldown = _cooldown(error)
        return fault
    if _is_credential(error):
        return AuthFault()
    if error.status == "FAILED_PRECONDITION":
        # The project, its billing or its region: nothing that the caller could mend.
        return StatusFault()
    if _is_context_length(error):
        return ContextFault(_rejection(status, error, "context_length_exceeded"))
    if status == 404 and _is_model_missing(error):
        return ModelMissingFault()
    return CallerFault(_rejection(status, error, error.status if isinstance(error.status, str) else None))


def _is_error_status(code: object) -> TypeGuard[int]:
    return isinstance(code, int) and 400 <= code <= 599


def _text(error: _Error) -> str:
    return error.message.lower() if isinstance(error.message, str) else ""


def _details(error: _Error) -> Iterator[Json]:
    if isinstance(error.details, list):
        yield from (detail for detail in error.details if isinstance(detail, dict))


def _is_credential(error: _Error) -> bool:
    """An API key that is wrong or expired is an INVALID_ARGUMENT."""
    if error.status in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return True
    return "api key" in _text(error) or any(
        str(detail.get("reason")).startswith("API_KEY_") for detail in _details(error)
    )


def _is_context_length(error: _Error) -> bool:
    text = _text(error)
    return "token count" in text and any(words in text for words in _CONTEXT_TEXTS)


def _is_model_missing(error: _Error) -> bool:
    """A 404 without words is no error of this API: a wrong base URL."""
    text = _text(error)
    return not text or ("model" in text and "not found" in text)


def _cooldown(error: _Error) -> float | None:
    """In seconds: `retryDelay`, a google.protobuf.Duration such as "34.4s"."""
    for detail in _details(error):
        delay = detail.get("retryDelay")
        if detail.get("@type") == _RETRY_INFO and isinstance(delay, str) and delay.endswith("s"):
            try:
                seconds = float(delay[:-1])
            except ValueError:
                return None
            return min(max(seconds, MIN_COOLDOWN), MAX_COOLDOWN) if seconds == seconds else None
    return None


def _rejection(status: int, error: _Error, code: str | None) -> UpstreamRejected:
    message = error.message.encode()[:MAX_MESSAGE].decode(errors="ignore") if isinstance(error.message, str) else None
    word = code if code and len(code) <= 64 and code.isprintable() else None
    return UpstreamRejected(status, message, Refusal.type, None, word)
