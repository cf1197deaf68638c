"""The client's end of a call: heads, bodies and chunks as bytes on the transport, backpressure, and clean cuts."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from http import HTTPStatus

from gateway.core.clock import Timers
from gateway.core.errors import ClientStalled
from gateway.core.ports import Reader

HIGH_WATER = 64 * 1024
CUT_FLUSH = 5.0

_RESET = struct.pack("ii", 1, 0)
_NO_CONTENT = 204
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}

Headers = Sequence[tuple[str, str]]


def header_lines(headers: Headers) -> str:
    """As they are sent, each with its line end."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


class HttpDownstream:
    """One request's use of a client's connection. After `detach`, when the client is gone, everything is a no-op.

    `extra` header lines go on every answer of the request, `body_wanted` is False for HEAD;
    `http10` clients get no chunks but the end of the connection.
    """

    __slots__ = (
        "_drained",
        "_head_waiting",
        "_http10",
        "_reader",
        "_timers",
        "_transport",
        "_write_timeout",
        "_written",
        "begun",
        "body_wanted",
        "extra",
        "keep_alive",
    )

    def __init__(
        self, transport: asyncio.Transport | None, timers: Timers, write_timeout: float, *, http10: bool
    ) -> None:
        self.extra = ""
        self.keep_alive = not http10
        self.begun = False
        self.body_wanted = True
        self._transport = transport
        self._timers = timers
        self._write_timeout = write_timeout
        self._http10 = http10
        self._head_waiting = b""
        self._reader: Reader | None = None
        self._written = 0
        self._drained: asyncio.Future[None] | None = None

    def detach(self) -> None:
        self._transport = None
        self._reader = None
        self._wake()

    # Answers

    def encourage(self) -> None:
        """Tell a client that waits for it to send its body (RFC 9110, section 10.1.1)."""
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        length = "" if status == _NO_CONTENT else f"content-length: {len(body)}\r\n"
        head = self._head(status, headers, length)
        self._write(head + body if self.body_wanted else head)

    def end(self) -> None:
        """The client sees the end of the connection at once, though what it is sending is still taken."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()

    def start(self, status: int, headers: Headers) -> None:
        """One write less, and the client is woken once for its head and its first event."""
        self._head_waiting = self._head(status, headers, "" if self._http10 else "transfer-encoding: chunked\r\n")

    def write(self, payload: bytes, framed: bytes | None = None) -> None:
        self._write(framed if framed is not None and not self._http10 else self._frame(payload))

    def relay(self, data: bytes) -> bool:
        if self._http10 or self._head_waiting:
            return False
        if self._transport is not None:
            self._written += len(data)
            self._transport.write(data)
        return True

    def finish(self, payload: bytes = b"") -> None:
        last = self._frame(payload) if payload else b""
        self._write(last if self._http10 else last + b"0\r\n\r\n")

    def cut(self, last_words: bytes) -> None:
        if last_words:
            self.write(last_words)
        self.keep_alive = False
        transport = self._transport
        if transport is None:
            return
        if self._http10:
            _reset_on_close(transport)
        transport.close()
        self._timers.at(self._timers.now + CUT_FLUSH, transport.abort)

    def abort(self) -> None:
        self.keep_alive = False
        if self._transport is not None:
            self._transport.abort()

    def _head(self, status: int, headers: Headers, framing: str) -> bytes:
        self.begun = True
        status_line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} Error\r\n"
        end = "\r\n" if self.keep_alive else "connection: close\r\n\r\n"
        return f"{status_line}{header_lines(headers)}{framing}{self.extra}{end}".encode("latin-1")

    def _frame(self, payload: bytes) -> bytes:
        return payload if self._http10 else b"%x\r\n%b\r\n" % (len(payload), payload)

    def _write(self, data: bytes) -> None:
        if self._head_waiting:
            data, self._head_waiting = self._head_waiting + data, b""
        if self._transport is not None:
            self._written += len(data)
            self._transport.write(data)

    # Backpressure

    def add_headers(self, headers: Headers) -> None:
        self.extra += header_lines(headers)

    def attach(self, reader: Reader | None) -> None:
        self._reader = reader

    def pause_writing(self) -> None:
        if self._reader is not None:
            self._reader.pause()

    def resume_writing(self) -> None:
        if self._reader is not None:
            self._reader.resume()
        self._wake()

    @property
    def taken(self) -> int | None:
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return self._written - waiting if waiting else None

    async def drained(self) -> None:
        """A transport tells that it is empty only where its low-water mark is 0."""
        transport = self._transport
        if transport is None or not transport.get_write_buffer_size():
            return
        transport.set_write_buffer_limits(high=0)
        try:
            while self._transport is not None and transport.get_write_buffer_size():
                before = self.taken
                self._drained = asyncio.get_running_loop().create_future()
                timer = self._timers.at(self._timers.now + self._write_timeout, self._wake)
                try:
                    await self._drained
                finally:
                    timer.cancel()
                if before is not None and self.taken == before:
                    transport.abort()
                    raise ClientStalled
        finally:
            if self._transport is not None and not transport.is_closing():  # uvloop raises on a closed one
                transport.set_write_buffer_limits(high=HIGH_WATER)

    def _wake(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)


def _reset_on_close(transport: asyncio.Transport) -> None:
    """Without chunks only a reset tells a cut from an end."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
