"""The head of an upstream's answer, parsed by llhttp and then held to what llhttp lets through."""

from dataclasses import dataclass

import httptools

from gateway.core.fault import ProtocolFault
from gateway.wire.framing import Body, ChunkedBody, CloseBody, LengthBody

MAX_BYTES = 64 * 1024
MAX_COUNT = 128

_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Head:
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

    def __init__(self) -> None:
        self.rest = b""
        self._buffer = bytearray()
        self._fed = 0
        self._start()

    def _start(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def feed(self, data: bytes) -> Head | None:
        """None while the head is not complete; afterwards `rest` is what came behind it."""
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n", max(0, self._fed - 3)) + 4
            complete = end > 3
            if (end if complete else len(self._buffer)) > MAX_BYTES:
                raise ProtocolFault
            self._parse(bytes(self._buffer[self._fed : end if complete else len(self._buffer)]))
            if not complete:
                self._fed = len(self._buffer)
                return None
            self.rest = bytes(self._buffer[end:])
            status = self._parser.get_status_code()
            if not 100 <= status < 200:
                return self._finish(self._parser, status)
            self._buffer = bytearray(self.rest)
            self._fed = 0
            self._start()

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise ProtocolFault from None
        if len(self._headers) > MAX_COUNT:
            raise ProtocolFault

    def _finish(self, parser: httptools.HttpResponseParser, status: int) -> Head:
        """Lets go of the parser, which holds on to us: a cycle for every answer is much work for the collector."""
        del self._parser
        version = parser.get_http_version()
        if status > 599 or status < 200 or version not in ("1.0", "1.1"):
            raise ProtocolFault
        headers: dict[bytes, bytes] = {}
        for name, value in self._headers:
            headers.setdefault(name, value)
        return Head(status, headers, parser.should_keep_alive(), _body(status, version, self._headers))


def _body(status: int, version: str, headers: list[tuple[bytes, bytes]]) -> Body:
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    lengths = [value for name, value in headers if name == b"content-length"]
    if codings:
        if version == "1.0" or lengths or len(codings) > 1 or codings[0].strip().lower() != b"chunked":
            raise ProtocolFault
        return ChunkedBody()
    if status in _NO_BODY:
        return LengthBody(0)
    if lengths:
        if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18:
            raise ProtocolFault
        return LengthBody(int(lengths[0]))
    return CloseBody()
