"""Anthropic's Messages API on both sides: passed on as it is, with its events read for usage and their end."""

import msgspec

from gateway.core.call import Ask
from gateway.core.errors import StreamFailed
from gateway.core.fault import EmptyFault, Fault, ProtocolFault
from gateway.core.route import Target, Upstream
from gateway.wire.anthropic import read_anthropic_usage, read_failure, read_status
from gateway.wire.door import ANTHROPIC
from gateway.wire.events import RawEvent
from gateway.wire.foreign import own_messages
from gateway.wire.opaque import NO_TOKENS
from gateway.wire.openai import add_defaults
from gateway.wire.pair import Answered, Outgoing
from gateway.wire.reading import Reading
from gateway.wire.usage import NOTHING, estimate_tokens, is_nothing

VERSION = "2023-06-01"

_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class _Message(msgspec.Struct):
    usage: msgspec.Raw = NOTHING
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    """Of a stream; `delta` is what a message_delta changes."""

    type: str = ""
    message: _Message | None = None
    delta: _Message | None = None
    usage: msgspec.Raw = NOTHING


class _Answer(msgspec.Struct):
    type: str = ""
    usage: msgspec.Raw = NOTHING


_events = msgspec.json.Decoder(_Event)
_answers = msgspec.json.Decoder(_Answer)


def credential(upstream: Upstream) -> tuple[tuple[str, str], ...]:
    return (("x-api-key", upstream.api_key),) if upstream.api_key else ()


def pinned(upstream: Upstream) -> tuple[tuple[bytes, bytes], ...]:
    """For a caller that does not say which version it speaks."""
    return ((b"anthropic-version", (upstream.api_version or VERSION).encode()),)


class Anthropic:
    """One of its endpoints."""

    forwards = frozenset((b"accept", b"user-agent", b"anthropic-version", b"anthropic-beta"))
    opaque = False
    translates = False

    def __init__(self, path: str) -> None:
        self._path = path

    def path(self, ask: Ask, target: Target) -> str:
        return self._path

    def request(self, ask: Ask, target: Target) -> Outgoing:
        fields = {**ask.fields, "model": target.remote, "messages": own_messages(ask.fields["messages"])}
        add_defaults(fields, target.model.defaults, "max_tokens")
        return Outgoing(msgspec.json.encode(fields))

    def scanner(self, ask: Ask, outgoing: Outgoing) -> "MessageStream":
        return MessageStream()

    def read_answer(self, body: bytes, outgoing: Outgoing) -> Answered:
        if not body or body.isspace():
            raise EmptyFault
        try:
            answer = _answers.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise ProtocolFault from None
        if answer.type == "error":
            raise read_failure(200, body)
        return Answered(read_anthropic_usage(answer.usage, NOTHING), body)

    def read_status(self, status: int) -> Fault | None:
        return read_status(status)

    def read_failure(self, status: int, body: bytes) -> Fault:
        return read_failure(status, body)


class CountTokens(Anthropic):
    """`{"input_tokens"}`: nothing was used."""

    def request(self, ask: Ask, target: Target) -> Outgoing:
        messages = own_messages(ask.fields["messages"])
        return Outgoing(msgspec.json.encode({**ask.fields, "model": target.remote, "messages": messages}))

    def read_answer(self, body: bytes, outgoing: Outgoing) -> Answered:
        return Answered(NO_TOKENS, super().read_answer(body, outgoing).body)


class Estimated(CountTokens):
    """For upstreams that count nothing before they answer: what a reservation would take."""

    translates = True

    def request(self, ask: Ask, target: Target) -> Outgoing:
        told = b"".join([bytes(ask.fields[name]) for name in ("system", "messages", "tools") if name in ask.fields])
        return Outgoing(b"", answer=msgspec.json.encode({"input_tokens": estimate_tokens(told)}))


class MessageStream(Reading):
    """The events as they came, each with the `event:` line that SDKs go by."""

    __slots__ = ("_begun_with", "_stopped")

    def __init__(self) -> None:
        super().__init__()
        self._begun_with = NOTHING
        self._stopped = False

    def event(self, event: RawEvent) -> bytes:
        if event.name == b"content_block_delta" and self.started:
            self.events += 1
            return event.raw
        if not event.data:
            return event.raw
        read = _events.decode(event.data)
        match read.type:
            case "error":
                return self.break_off(event.data, event.raw)
            case "message_start":
                self._begun_with = read.message.usage if read.message else NOTHING
            case "message_delta":
                self._stopped = read.delta is not None and read.delta.stop_reason is not None
                self._count(read.usage)
            case "message_stop":
                self.complete()
            case "content_block_delta":
                self.events += 1
        self.started = self.started or read.type == "message_start"
        return event.raw if event.name else b"event: %b\n%b" % (_name(read.type), event.raw)

    def unreadable(self) -> bytes:
        return self.break_off(b"{}", ANTHROPIC.error_event(StreamFailed()))

    def close(self) -> bytes:
        if not self._stopped:
            return b""
        self.appended_done = True
        self.complete()
        return _MESSAGE_STOP

    def _count(self, usage: msgspec.Raw) -> None:
        self.usage = read_anthropic_usage(self._begun_with, usage)
        self.usage_invalid = self.usage is None and not is_nothing(usage)


def _name(kind: str) -> bytes:
    return kind.encode() if kind.replace("_", "").isalpha() and kind.isascii() else b"message"
