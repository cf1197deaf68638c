"""How the gateway itself speaks to the callers of an endpoint: its errors, and what keeps a silent stream alive."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import msgspec

from gateway.core.call import Endpoint
from gateway.core.errors import Break, Refusal
from gateway.wire.anthropic_openai.errors import error_type
from gateway.wire.errors import error_body, error_event
from gateway.wire.sse import PING


class Door(Protocol):
    """`ping` may stand between any two events of a stream. `id_header` is a second name of the request's id."""

    ping: bytes
    id_header: str | None

    def error_body(self, refusal: Refusal, request_id: str) -> bytes: ...

    def error_event(self, reason: Break) -> bytes:
        """The last event of a stream that broke."""


class OpenAIDoor:
    ping = PING
    id_header: str | None = None

    def error_body(self, refusal: Refusal, request_id: str) -> bytes:
        return error_body(refusal)

    def error_event(self, reason: Break) -> bytes:
        return error_event(reason)


class ResponsesDoor(OpenAIDoor):
    def error_event(self, reason: Break) -> bytes:
        error = {"type": "error", "code": reason.code, "message": reason.message, "param": None, "sequence_number": 0}
        return b"event: error\ndata: %b\n\n" % msgspec.json.encode(error)


class AnthropicDoor:
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'
    id_header: str | None = "request-id"

    def error_body(self, refusal: Refusal, request_id: str) -> bytes:
        named = refusal.param is not None and refusal.param not in refusal.message
        message = f"{refusal.param}: {refusal.message}" if named else refusal.message
        error = {"type": error_type(refusal.status, refusal.code), "message": message}
        return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})

    def error_event(self, reason: Break) -> bytes:
        error = {"type": "error", "error": {"type": error_type(500, reason.code), "message": reason.message}}
        return b"event: error\ndata: %b\n\n" % msgspec.json.encode(error)


OPENAI: Door = OpenAIDoor()
ANTHROPIC: Door = AnthropicDoor()

DOORS: Mapping[Endpoint, Door] = MappingProxyType(
    dict.fromkeys(Endpoint, OPENAI)
    | {Endpoint.RESPONSES: ResponsesDoor(), Endpoint.MESSAGES: ANTHROPIC, Endpoint.COUNT_TOKENS: ANTHROPIC}
)
