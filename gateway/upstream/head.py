"""The head of an upstream's answer, parsed by llhttp and then held to what llhttp lets through."""

import httptools
import msgspec

from gateway.core.fault import ProtocolFault
from gateway.wire.framing import Body, ChunkedBody, CloseBody, LengthBody

MAX_BYTES = 64 * 1024
MAX_COUNT = 128

_END = b"\r\n\r\n"
_VERSIONS = ("1.0", "1.1")
_NO_BODY = frozenset({204, 304})
_FRAMING = (b"transfer-encoding", b"content-length")


class Head(msgspec.Struct, frozen=True):
    """Names in lower case; of a repeated header the first value counts."""

    status: int
    headers: dict[bytes, bytes]
    keep_alive: bool
    body: Body

    def get(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class HeadParser:
    """Feed it what the socket read until it gives the head. Raises ProtocolFault."""

    __slots__ = ("_count", "_fed", "_framed_twice", "_headers", "_parser", "_passed", "_read", "rest")

    def __init__(self) -> None:
        self._read = b""
        self._start()

    def _start(self) -> None:
        self._fed = self._passed = 0
        self._count = 0
        self._framed_twice = False
        self._headers: dict[bytes, bytes] = {}
        self._parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._count += 1
        if name not in self._headers:
            self._headers[name] = value.rstrip(b" \t")  # llhttp only takes the blanks before it
        elif name in _FRAMING:
            self._framed_twice = True

    def feed(self, data: bytes) -> Head | None:
        """None while the head is not complete; afterwards `rest` is what came behind it."""
        read = self._read + data
        begin = 0
        while True:
            at = read.find(_END, begin)
            end = at + len(_END) if at >= 0 else len(read)
            if self._passed + end - begin > MAX_BYTES:
                raise ProtocolFault
            try:
                self._parser.feed_data(read[begin + self._fed : end])
            except (httptools.HttpParserError, httptools.HttpParserUpgrade):
                raise ProtocolFault from None
            if self._count > MAX_COUNT:
                raise ProtocolFault
            if at < 0:
                self._read = read[max(begin, end + 1 - len(_END)) :]
                self._fed = len(self._read)
                self._passed += end - begin - self._fed
                return None
            status = self._parser.get_status_code()
            if not 100 <= status < 200:
                self.rest = read[end:]
                return self._finish(status)
            begin = end
            self._start()

    def _finish(self, status: int) -> Head:
        """Lets go of the parser, which holds on to us: a cycle for every answer is much work for the collector."""
        parser = self._parser
        del self._parser
        version = parser.get_http_version()
        if not 200 <= status <= 599 or version not in _VERSIONS or self._framed_twice:
            raise ProtocolFault
        return Head(status, self._headers, parser.should_keep_alive(), _body(status, version, self._headers))


def _body(status: int, version: str, headers: dict[bytes, bytes]) -> Body:
    coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
    if coding is not None:
        if version == "1.0" or length is not None or coding.strip().lower() != b"chunked":
            raise ProtocolFault
        return ChunkedBody()
    if status in _NO_BODY:
        return LengthBody(0)
    if length is not None:
        if not length.isdigit() or len(length) > 18:
            raise ProtocolFault
        return LengthBody(int(length))
    return CloseBody()
