"""OpenAI's Responses API on both sides: passed on as it is, with its events read for usage and their end."""

import msgspec

from gateway.core.call import Ask
from gateway.core.errors import ResponseNotFound, StreamFailed
from gateway.core.fault import ElsewhereFault, EmptyFault, Fault, ProtocolFault, RejectedFault
from gateway.core.route import Target
from gateway.wire.door import ResponsesDoor
from gateway.wire.events import RawEvent
from gateway.wire.foreign import own_items
from gateway.wire.opaque import NO_TOKENS
from gateway.wire.openai import OpenAI, add_defaults
from gateway.wire.pair import Answered, Outgoing
from gateway.wire.reading import Reading
from gateway.wire.responses import read_failure, read_responses_usage
from gateway.wire.usage import NOTHING, is_nothing

_LAST = frozenset(("response.completed", "response.incomplete"))


class _Response(msgspec.Struct):
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    status: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    response: _Response | None = None


_events = msgspec.json.Decoder(_Event)
_answers = msgspec.json.Decoder(_Response)


class Responses(OpenAI):
    def request(self, ask: Ask, target: Target) -> Outgoing:
        fields = {**ask.fields, "model": target.remote}
        if "input" in fields:
            fields["input"] = own_items(fields["input"])
        add_defaults(fields, target.model.defaults, "max_output_tokens")
        return Outgoing(msgspec.json.encode(fields))

    def scanner(self, ask: Ask, outgoing: Outgoing) -> "ResponseStream":  # type: ignore[override]  # both fit Scanner
        return ResponseStream()

    def read_answer(self, body: bytes, outgoing: Outgoing) -> Answered:
        if not body or body.isspace():
            raise EmptyFault
        try:
            answer = _answers.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise ProtocolFault from None
        if answer.status == "failed" or (answer.status is None and not is_nothing(answer.error)):
            raise read_failure(200, body)
        return Answered(None if is_nothing(answer.usage) else read_responses_usage(answer.usage), body)

    def read_failure(self, status: int, body: bytes) -> Fault:
        return read_failure(status, body)


class Stored(Responses):
    """A response that an upstream has kept: read, or cancelled. Where it is not (404), the next upstream is asked."""

    def path(self, ask: Ask, target: Target) -> str:
        return f"{super().path(ask, target)}/{ask.stored}"

    def request(self, ask: Ask, target: Target) -> Outgoing:
        return Outgoing(b"", method="POST" if "/" in ask.stored else "GET")

    def read_answer(self, body: bytes, outgoing: Outgoing) -> Answered:
        return Answered(NO_TOKENS, body)

    def read_failure(self, status: int, body: bytes) -> Fault:
        fault = super().read_failure(status, body)
        if status == 404:
            return ElsewhereFault(fault.rejection if isinstance(fault, RejectedFault) else ResponseNotFound())
        return fault


class ResponseStream(Reading):
    """A stream is whole with `response.completed` or `response.incomplete`; a `[DONE]` after it is not passed on."""

    __slots__ = ()

    def event(self, event: RawEvent) -> bytes:
        if event.name.endswith(b".delta") and self.started:
            self.events += 1
            return event.raw
        if not event.data or event.data == b"[DONE]":
            return b"" if event.data else event.raw
        read = _events.decode(event.data)
        if read.type == "error" or read.type == "response.failed":
            return self.break_off(event.data, event.raw)
        self.started = True
        self.events += read.type.endswith(".delta")
        if read.type in _LAST:
            usage = NOTHING if read.response is None else read.response.usage
            self.usage = None if is_nothing(usage) else read_responses_usage(usage)
            self.usage_invalid = self.usage is None and not is_nothing(usage)
            self.complete()
        return event.raw

    def unreadable(self) -> bytes:
        return self.break_off(b"{}", ResponsesDoor().error_event(StreamFailed()))
