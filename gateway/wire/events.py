"""Server-sent events, one by one (WHATWG HTML, section 9.2.6): what a translation reads and writes."""

import re
from typing import Any, NamedTuple

import msgspec

Json = dict[str, Any]

# Of one event: a translation has to read it whole.
MAX_EVENT = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
# A line end is CRLF, LF or CR, and never half a CRLF: a CR that ends what has arrived may still get its LF.
_BOUNDARY = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r(?!\Z))")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class Event(NamedTuple):
    """`name` is empty where the schema names no events."""

    name: str
    data: Json

    def encode(self) -> bytes:
        data = b"data: %b\n\n" % msgspec.json.encode(self.data)
        return b"event: %b\n%b" % (self.name.encode(), data) if self.name else data


class RawEvent(NamedTuple):
    """As it came: `raw` with its blank line, `data` without the field's name; empty for a comment."""

    name: bytes
    data: bytes
    raw: bytes


class Framing:
    """Cuts a stream into events wherever its reads end."""

    __slots__ = ("_first", "_tail")

    def __init__(self) -> None:
        self._tail = bytearray()
        self._first = True

    def feed(self, chunk: bytes) -> list[RawEvent]:
        """The events that are complete now. Raises ValueError for one that is larger than `MAX_EVENT`."""
        tail = self._tail
        search = max(0, len(tail) - 3)
        tail += chunk
        if self._first and not self._strip_bom():
            return []
        events, at = [], 0
        for boundary in _BOUNDARY.finditer(tail, search):
            events.append(_read(bytes(tail[at : boundary.end()])))
            at = boundary.end()
        del tail[:at]
        if len(tail) > MAX_EVENT:
            raise ValueError("an event is too large")
        return events

    def end(self) -> list[RawEvent]:
        """What came last, if only its blank line is missing."""
        rest = bytes(self._tail).strip(b"\r\n")
        self._tail.clear()
        return [_read(rest + b"\n\n")] if rest else []

    def _strip_bom(self) -> bool:
        """False while it may still be a byte order mark."""
        if len(self._tail) < 3 and _BOM.startswith(self._tail):
            return False
        if self._tail.startswith(_BOM):
            del self._tail[:3]
        self._first = False
        return True


def _read(raw: bytes) -> RawEvent:
    name, data = b"", []
    for line in _LINE_END.split(raw):
        if line.startswith(b"data:"):
            data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line.startswith(b"event:"):
            name = line[6:].strip()
    return RawEvent(name, b"\n".join(data), raw)
