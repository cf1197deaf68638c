"""A stream read event by event: what the schemas that name their events have in common, passed on or translated."""

import msgspec

from gateway.core.fault import Fault
from gateway.core.outcome import Usage
from gateway.wire.events import MAX_EVENT, Framing, RawEvent

# What reading somebody else's values may raise.
UNREADABLE = (Fault, LookupError, TypeError, ValueError, AttributeError, RecursionError)


def never(_: bytes) -> bool:
    """No read passes without having been looked at."""
    return False


class Reading:
    """Facts as in `ports.Scanner`. A kind of it says in `event` what an event means, and in `close` what the end."""

    hold = MAX_EVENT  # of which the first may have as many

    __slots__ = (
        "_framing",
        "appended_done",
        "at_boundary",
        "done",
        "error",
        "events",
        "failed",
        "over",
        "repeats",
        "started",
        "usage",
        "usage_invalid",
    )

    def __init__(self) -> None:
        self._framing = Framing()
        self.repeats = never
        self.at_boundary = True
        self.started = False
        self.error: bytes | None = None
        self.events = 0
        self.done = False
        self.failed = False
        self.over = False
        self.appended_done = False
        self.usage: Usage | None = None
        self.usage_invalid = False

    def is_ended(self) -> bool:
        return self.over or self.error is not None

    def event(self, event: RawEvent) -> bytes:
        """What is passed on for it."""
        raise NotImplementedError

    def close(self) -> bytes:
        """The body is over, and the stream was not: what there is to say yet."""
        return b""

    def unreadable(self) -> bytes:
        """What is said of an event that makes no sense, after which nothing else is read."""
        return self.break_off(b"{}")

    def feed(self, chunk: bytes) -> bytes:
        """Nothing before the first good event, nothing after the last."""
        if self.is_ended():
            return b""
        try:
            events = self._framing.feed(chunk)
        except ValueError:
            return self.unreadable()
        return self._events(events)

    def end(self) -> bytes:
        if self.is_ended():
            return b""
        out = self._events([event for event in self._framing.end() if is_whole(event)])
        if self.is_ended():
            return out
        try:
            return out + self.close()
        except UNREADABLE:
            return out + self.unreadable()

    def _events(self, events: list[RawEvent]) -> bytes:
        out = []
        for event in events:
            try:
                said = self.event(event)
            except UNREADABLE:
                said = self.unreadable()
            if self.started:
                out.append(said)
            if self.is_ended():
                break
        return b"".join(out)

    def complete(self) -> None:
        self.done = self.over = True

    def break_off(self, data: bytes, words: bytes = b"") -> bytes:
        """An error event, or what can't be read: another target's turn, or the end of the stream."""
        if self.started:
            self.failed = self.over = True
            return words
        self.error = data
        return b""


def is_whole(event: RawEvent) -> bool:
    """Whether the last event only lacks its blank line; else the body was cut within it."""
    try:
        return event.data == b"[DONE]" or bool(decode(event.data))
    except ValueError:
        return False


def decode(data: bytes) -> dict[str, object]:
    """Raises ValueError for what is no object, nor a list of one, which is how Google tells errors."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("not JSON") from None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
