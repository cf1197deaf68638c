"""Errors as OpenAI's clients read them."""

import msgspec

from gateway.core.errors import Break, Refusal


def error_body(refusal: Refusal) -> bytes:
    return _encode(refusal.message, refusal.type, refusal.param, refusal.code)


def error_event(reason: Break) -> bytes:
    """The last event of a stream that broke; no `[DONE]` follows it."""
    return b"data: " + _encode(reason.message, "server_error", None, reason.code) + b"\n\n"


def _encode(message: str, kind: str, param: str | None, code: str | None) -> bytes:
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})
