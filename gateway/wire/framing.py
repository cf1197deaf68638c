"""The three ways an HTTP/1.1 answer says where its body ends (RFC 9112, section 6), read strictly.

A body is fed what the socket read and gives back the payload. `whole` says that the last feed was exactly one
well-formed chunk, so that its framing can be passed on as it came. Raises FramingError.
"""

from typing import Protocol

MAX_SIZE_LINE = 10
MAX_TRAILERS = 8 * 1024


class FramingError(Exception):
    """The peer's framing is not valid; nothing after it can be trusted."""


class Body(Protocol):
    """`rest` are bytes after the end of the body."""

    complete: bool
    whole: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes: ...

    def at_eof(self) -> bool:
        """Whether the body is complete if the peer ends the connection cleanly now."""


class LengthBody:
    """Content-Length."""

    whole = False

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

    whole = False
    complete = False
    rest = b""

    def feed(self, data: bytes) -> bytes:
        return data

    def at_eof(self) -> bool:
        return True


class ChunkedBody:
    """Transfer-Encoding: chunked, without extensions; sizes have no leading zeros; trailers are dropped.

    The step is a plain function: a bound method would make a cycle of every body.
    """

    def __init__(self) -> None:
        self.complete = False
        self.whole = False
        self.rest = b""
        self._line = bytearray()
        self._pieces: list[bytes] = []
        self._left = 0
        self._between_chunks = True
        self._step = ChunkedBody._size

    def feed(self, data: bytes) -> bytes:
        if self._between_chunks:
            end = data.find(b"\r\n", 1, MAX_SIZE_LINE)
            if end > 0:
                size = _parse_size(data[:end])
                if size and len(data) == end + size + 4 and data.endswith(b"\r\n"):
                    self.whole = True
                    return data[end + 2 : -2]
        self.whole = False
        return self._feed_pieces(data)

    def _feed_pieces(self, data: bytes) -> bytes:
        at = 0
        while at < len(data) and not self.complete:
            at = self._step(self, data, at)
        if self.complete:
            self.rest = data[at:]
        self._between_chunks = self._step is ChunkedBody._size and not self._line
        payload = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        return payload

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
