"""The three ways an HTTP/1.1 answer says where its body ends (RFC 9112, section 6), read strictly.

A body is fed what the socket read and gives back the payload. `whole` says that the last feed was exactly one
well-formed chunk, so that its framing can be passed on as it came. Raises FramingError.
"""

from typing import Protocol

MAX_SIZE_LINE = 10
MAX_TRAILERS = 8 * 1024


def _size_line(length: int) -> bytes:
    for digits in range(1, MAX_SIZE_LINE - 1):
        line = b"%x\r\n" % max(0, length - digits - 4)
        if len(line) == digits + 2 and line != b"0\r\n":
            return line
    return b"\n" * (length + 1)


_LISTED = 4096
_SIZE_LINES = [_size_line(length) for length in range(_LISTED)]


def size_line(data: bytes) -> bytes:
    """What a read of that length has to begin with if it is one whole chunk; longer if it can't be one."""
    length = len(data)
    return _SIZE_LINES[length] if length < _LISTED else _size_line(length)


class FramingError(Exception):
    """The peer's framing is not valid; nothing after it can be trusted. `payload` came before it, in the same read."""

    payload = b""


class Body(Protocol):
    """`rest` are bytes after the end of the body; `between` says that a chunk begins with the next read."""

    complete: bool
    whole: bool
    between: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes: ...

    def at_eof(self) -> bool:
        """Whether the body is complete if the peer ends the connection cleanly now."""


class LengthBody:
    """Content-Length."""

    whole = between = False

    def __init__(self, length: int) -> None:
        self.left = length
        self.complete = length == 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        if len(data) > self.left:
            data, self.rest = data[: self.left], data[self.left :]
        self.left -= len(data)
        self.complete = not self.left
        return data

    def at_eof(self) -> bool:
        return self.complete


class CloseBody:
    """Neither a length nor chunks: a clean end of the connection is the end of the body."""

    whole = between = complete = False
    rest = b""

    def feed(self, data: bytes) -> bytes:
        return data

    def at_eof(self) -> bool:
        return True


class ChunkedBody:
    """Transfer-Encoding: chunked, without extensions; sizes have no leading zeros; trailers are dropped.

    The step is a plain function: a bound method would make a cycle of every body.
    """

    __slots__ = (
        "_left",
        "_line",
        "_pieces",
        "_step",
        "between",
        "complete",
        "rest",
        "whole",
    )

    def __init__(self) -> None:
        self.complete = False
        self.whole = False
        self.rest = b""
        self._line = bytearray()
        self._pieces: list[bytes] = []
        self._left = 0
        self.between = True
        self._step = ChunkedBody._size

    def feed(self, data: bytes) -> bytes:
        if self.between:
            line = size_line(data)
            if data.startswith(line) and data.endswith(b"\r\n"):
                self.whole = True
                return data[len(line) : -2]
        self.whole = False
        return self._feed_pieces(data)

    def _feed_pieces(self, data: bytes) -> bytes:
        try:
            at = self._whole_chunks(data) if self.between else 0
            while at < len(data) and not self.complete:
                at = self._step(self, data, at)
        except FramingError as error:
            error.payload = b"".join(self._pieces)
            raise
        if self.complete:
            self.rest = data[at:]
        self.between = self._step is ChunkedBody._size and not self._line
        payload = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        return payload

    def _whole_chunks(self, data: bytes) -> int:
        """Take the chunks that are all there, and say where they end; the last one is not among them."""
        at = 0
        while (end := data.find(b"\r\n", at + 1, at + MAX_SIZE_LINE)) > 0:
            size = _parse_size(data[at:end])
            after = end + size + 4
            if not size or data[after - 2 : after] != b"\r\n":
                break
            self._pieces.append(data[end + 2 : after - 2])
            at = after
        return at

    def _size(self, data: bytes, at: int) -> int:
        at = self._take_line(data, at, MAX_SIZE_LINE)
        if self._line.endswith(b"\r\n"):
            self._left = _parse_size(bytes(self._line[:-2]))
            self._line.clear()
            self._step = ChunkedBody._data if self._left else ChunkedBody._trailers
        return at

    def _data(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = ChunkedBody._data_end
        return at + len(piece)

    def _data_end(self, data: bytes, at: int) -> int:
        at = self._take_line(data, at, 2)
        if len(self._line) == 2:
            if self._line != b"\r\n":
                raise FramingError("a chunk is longer than its size")
            self._line.clear()
            self._step = ChunkedBody._size
        return at

    def _trailers(self, data: bytes, at: int) -> int:
        at = self._take_line(data, at, MAX_TRAILERS)
        if self._line.endswith(b"\r\n"):
            self.complete = self._line == b"\r\n" or self._line.endswith(b"\r\n\r\n")
        return at

    def _take_line(self, data: bytes, at: int, limit: int) -> int:
        """Move up to and including the next LF into the line buffer."""
        end = data.find(b"\n", at) + 1 or len(data)
        self._line += data[at:end]
        if len(self._line) > limit:
            raise FramingError("a line of the framing is too long")
        if self._line.endswith(b"\n") and not self._line.endswith(b"\r\n"):
            raise FramingError("a line of the framing ends in a bare LF")
        return end

    def at_eof(self) -> bool:
        return self.complete


def _parse_size(line: bytes) -> int:
    """`int(…, 16)` would also take `0x1f`, `+1`, `1_0` and blanks; the first is caught by its leading zero."""
    if not line.isalnum() or (line.startswith(b"0") and line != b"0"):
        raise FramingError("a chunk size is not a plain hexadecimal number")
    try:
        return int(line, 16)
    except ValueError:
        raise FramingError("a chunk size is not a plain hexadecimal number") from None
