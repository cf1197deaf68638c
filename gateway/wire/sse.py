"""Every rule about event streams, in one pure class: bytes in, bytes and facts out.

The stream is passed on event by event, each in the bytes it came in. An event that is not complete yet is held
back, up to 64 KB, so that an error event can always be said on a boundary; beyond that it is passed on raw.
"""

import re

from gateway.core.outcome import Usage
from gateway.wire.chunk import Chunk, read_chunk
from gateway.wire.likeness import Likeness
from gateway.wire.usage import is_nothing, read_usage

HOLD = 64 * 1024
DONE_EVENT = b"data: [DONE]\n\n"
PING = b": ping\n"

_BOM = b"\xef\xbb\xbf"
# A line end is CRLF, LF or CR, and never half a CRLF: a CR that ends what has arrived may still get its LF.
_BOUNDARY = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r(?!\Z))")
_LINE_END = re.compile(rb"\r\n|\n|\r")
# The last is an event of another choice than the first. A tool call has an index too, but none of these behind it.
_SPECIAL = re.compile(
    rb'"(?:finish_reason"\s*:\s*"|usage"\s*:\s*[^n\s]|error"'
    rb'|index"\s*:\s*[1-9][0-9]*\s*,\s*"(?:delta|finish_reason|logprobs)")'
)


class EventStream:
    """One upstream's stream of chat completion chunks.

    Facts: `started`, a good event was seen, and only then does `feed` give anything; `error`, the data of a first
    event that is an error instead; `events`, chunks passed on; `finished`, every choice that began has had its
    finish_reason; `done`, the stream is complete; `failed`, it ended in an error event of its own; `over`, one of the
    two; `usage`.
    `repeats` knows a read that is one more plain event; whoever passes it on unread counts it in `events`.
    `drop_usage` takes out the `choices: []` usage chunk that the client did not ask for.
    """

    hold = HOLD

    __slots__ = (
        "_begun",
        "_drop_usage",
        "_ended",
        "_first",
        "_flowing",
        "_held",
        "_likeness",
        "_raw",
        "_raw_end",
        "_tail",
        "appended_done",
        "done",
        "error",
        "events",
        "failed",
        "finished",
        "over",
        "repeats",
        "started",
        "usage",
        "usage_invalid",
    )

    def __init__(self, *, drop_usage: bool) -> None:
        self._drop_usage = drop_usage
        self._tail = bytearray()
        self._held = bytearray()
        self._first = True
        self._flowing = False
        self._likeness = Likeness()
        self.repeats = self._likeness.fits
        self._raw = False
        self._raw_end = b""
        self._begun = self._ended = 0  # choices, a bit each
        self.started = False
        self.error: bytes | None = None
        self.events = 0
        self.finished = False
        self.failed = False
        self.done = False
        self.over = False
        self.appended_done = False
        self.usage: Usage | None = None
        self.usage_invalid = False

    @property
    def at_boundary(self) -> bool:
        """Whether all that was passed on are whole events, so that something may be said in between."""
        return not self._raw

    def feed(self, chunk: bytes) -> bytes:
        """What may be passed on now: `chunk` itself, the same object, where nothing had to be held or taken out."""
        if (
            self._flowing
            and chunk.startswith(b"data: {")
            and chunk.endswith(b"}\n\n")
            and b"\r" not in chunk
            and (count := _count_plain(chunk))
        ):
            self.events += count
            if count == 1:
                self._likeness.learn(chunk)
            return chunk
        out = self._release(self._feed_events(chunk))
        self._flowing = self.started and not (self._tail or self._raw or self.over)
        self._likeness.forget()
        return chunk if out == chunk else out

    def end(self) -> bytes:
        """The body is over: what is still to be passed on. `done` then says whether the stream was complete."""
        out = b""
        if self._tail and not self.over and not self._raw:
            last = bytes(self._tail).rstrip(b"\r\n") + b"\n\n"
            self._tail.clear()
            if _is_whole(_data_of(last)):
                out = self._event(last)
        if self.finished and not self.over and not self._raw:
            out += DONE_EVENT
            self.done = self.over = self.appended_done = True
        return self._release(out)

    def _release(self, out: bytes) -> bytes:
        """Nothing is passed on before the first good event; comments that came before it are kept, up to a bound."""
        if self.started:
            if self._held:
                out = bytes(self._held) + out
                self._held.clear()
            return out
        if len(self._held) + len(out) <= HOLD:
            self._held += out
        return b""

    def _feed_events(self, chunk: bytes) -> bytes:
        if self.over:
            return b""
        out: list[bytes] = []
        if self._raw:
            chunk = self._feed_raw(chunk, out)
        tail = self._tail
        search = max(0, len(tail) - 3)
        tail += chunk
        if self._first and not self._strip_bom():
            return b""
        at = 0
        for end in _ends(tail, search):
            out.append(self._event(bytes(tail[at:end])))
            at = end
            if self.over or self.error is not None:
                tail.clear()
                return b"".join(out)
        del tail[:at]
        if len(tail) > HOLD:
            out.append(self._go_raw())
        elif b"[DONE]" in tail[-len(DONE_EVENT) :] and (blank_line := _rest_of_event(tail)):
            out.append(self._event(bytes(tail) + blank_line))
            tail.clear()
        return b"".join(out)

    def _strip_bom(self) -> bool:
        """openai-python loses the first event to a byte order mark. False while it may still be one."""
        if len(self._tail) < 3 and _BOM.startswith(self._tail):
            return False
        if self._tail.startswith(_BOM):
            del self._tail[:3]
        self._first = False
        return True

    def _go_raw(self) -> bytes:
        """An event of this size is no error report: it counts as good, and is passed on as it comes."""
        out = bytes(self._tail)
        self._tail.clear()
        self._raw, self._raw_end = True, out[-3:]
        self.started = True
        self.events += 1
        return out

    def _feed_raw(self, chunk: bytes, out: list[bytes]) -> bytes:
        """Pass on the rest of the event; gives back what comes after it."""
        joined = self._raw_end + chunk
        boundary = _BOUNDARY.search(joined) if b"\n" in joined or b"\r" in joined else None
        if boundary is None:
            self._raw_end = joined[-3:]
            out.append(chunk)
            return b""
        at = boundary.end() - len(self._raw_end)
        self._raw = False
        out.append(chunk[:at])
        return chunk[at:]

    def _event(self, event: bytes) -> bytes:
        """Read one whole event; gives back what of it is passed on: all or nothing."""
        data = _data_of(event)
        if data is None:
            return event
        if data == b"[DONE]":
            self.done = self.over = True
            return event
        if self.started and not _is_special(data):
            self.events += 1
            return event
        return event if self._read(data) else b""

    def _read(self, data: bytes) -> bool:
        """Take the facts out of an event's data. False if the event is not to be passed on."""
        chunk = read_chunk(data) or Chunk()
        if not is_nothing(chunk.error):
            if not self.started:
                self.error = data
                return False
            self.failed = self.over = True
        self.started = True
        for choice in chunk.choices or ():
            self._begun |= choice.bit
            if choice.finish_reason is not None:
                self._ended |= choice.bit
        self.finished = bool(self._ended) and self._begun == self._ended
        if not is_nothing(chunk.usage):
            usage = read_usage(chunk.usage)
            self.usage = usage or self.usage
            self.usage_invalid = usage is None
            if chunk.choices == []:
                return not self._drop_usage
        self.events += 1
        return True


def _ends(stream: bytearray, start: int) -> list[int]:
    """Where the events end of which the last bytes come after `start`. Without CR, as most are, a search is enough."""
    if stream.find(b"\r", start) >= 0:
        return [boundary.end() for boundary in _BOUNDARY.finditer(stream, start)]
    ends = []
    while (start := stream.find(b"\n\n", start) + 2) > 1:
        ends.append(start)
    return ends


def _count_plain(events: bytes) -> int:
    """How many events there are, if each is one line of data and none is special; else 0."""
    count = 1
    if events.find(b"\n") != len(events) - 2:
        count += events.count(b"}\n\ndata: {")
        if events.count(b"\n") != 2 * count:
            return 0
    return 0 if _is_special(events) else count


def _is_special(event: bytes) -> bool:
    """Whether there is more to an event than content: a finish reason, usage, or an error. What most events pay."""
    return _SPECIAL.search(event) is not None


def _rest_of_event(tail: bytearray) -> bytes:
    """The line end that an event which says `[DONE]` is still without; nothing if it is another event.

    Some upstreams never send it, and hold the connection open.
    """
    if not tail.endswith((b"\n", b"\r")) or _data_of(bytes(tail)) != b"[DONE]":
        return b""
    if tail.endswith(b"\r\n"):
        return b"\r\n"
    return b"\n" if tail.endswith((b"\n", b"\n\r", b"\r\r")) else b"\n\r\n"


def _data_of(event: bytes) -> bytes | None:
    """The event's data (WHATWG HTML, section 9.2.6), or None if it has none: comments, lone `id:` or `retry:`."""
    lines = [
        line[6:] if line.startswith(b"data: ") else line[5:]
        for line in _LINE_END.split(event)
        if line.startswith(b"data:")
    ]
    return b"\n".join(lines) if any(lines) else None


def _is_whole(data: bytes | None) -> bool:
    """Whether data without its closing blank line is all there, and not the half of something."""
    if data is None or data == b"[DONE]":
        return data is not None
    return read_chunk(data) is not None
