"""One HTTP/1.1 connection to an upstream, as a protocol of the event loop: chunks are pushed on as they are read."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Protocol, cast

from gateway.core.clock import Timer, Timers
from gateway.core.fault import Fault, ProtocolFault, ResetFault
from gateway.core.ports import Receiver
from gateway.upstream.head import Head, HeadParser
from gateway.wire.framing import Body, FramingError

LINGER = 1.0
MAX_LINGER_BYTES = 64 * 1024


class Listener(Receiver, Protocol):
    """A receiver that also takes the head, and whatever ends the answer before its head is complete."""

    def head(self, head: Head) -> None: ...

    def failed(self, fault: Fault) -> None: ...


class Connection(asyncio.Protocol):
    """Carries one exchange at a time; `on_idle` and `on_lost` tell the pool. It is a `Source` once the head is read."""

    __slots__ = (
        "_body",
        "_keep_alive",
        "_linger",
        "_lingered",
        "_listener",
        "_on_idle",
        "_on_lost",
        "_over",
        "_parser",
        "_paused",
        "_receiver",
        "_transport",
        "answer_begun",
        "exchanges",
        "loop",
        "timers",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timers: Timers,
        on_idle: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        # per connection
        self.loop = loop
        self.timers = timers
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._keep_alive = True
        self.exchanges = 0
        # per exchange
        self._listener: Listener | None = None
        self._receiver: Receiver | None = None
        self._parser: HeadParser | None = None
        self._body: Body | None = None
        self._over = False
        self._paused = False
        self._linger: Timer | None = None
        self._lingered = 0
        self.answer_begun = False

    def __repr__(self) -> str:
        state = "closed" if self._transport is None else "idle" if self._listener is None else "busy"
        return f"<Connection {state} exchanges={self.exchanges}>"

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, listener: Listener) -> None:
        """Begin an exchange. Raises ResetFault if the connection was lost meanwhile."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ResetFault
        self.exchanges += 1
        self._listener = self._receiver = listener
        self._parser = HeadParser()
        self._body = None
        self._over = self.answer_begun = False
        transport.write(request)

    def data_received(self, data: bytes) -> None:
        body, receiver = self._body, self._receiver
        if body is None:
            self._head_received(data)
            return
        if body.between and receiver is not None and receiver.relay(data):
            return
        try:
            payload = body.feed(data)
        except FramingError as error:
            if error.payload and receiver is not None:
                receiver.chunk(error.payload, None)
            self._break()
            return
        if receiver is None:
            self._discard(len(data))
        elif payload:
            receiver.chunk(payload, data if body.whole else None)
        if body.complete:
            self._complete(body)

    def _head_received(self, data: bytes) -> None:
        parser, listener = self._parser, self._listener
        if parser is None or listener is None:
            self.close()
            return
        self.answer_begun = True
        try:
            head = parser.feed(data)
        except ProtocolFault as fault:
            self._fail(fault)
            return
        if head is None:
            return
        self._parser = None
        self._body = body = head.body
        self._keep_alive = head.keep_alive
        listener.head(head)
        if parser.rest:
            self.data_received(parser.rest)
        elif body.complete:
            self._complete(body)

    def _complete(self, body: Body) -> None:
        if body.rest:
            self._keep_alive = False
        if self._over:
            return
        self._over = True
        receiver = self._receiver
        if receiver is None:
            self._settle()
        else:
            receiver.ended()

    def eof_received(self) -> None:
        if self._body is not None and not self._over and self._body.at_eof():
            self._keep_alive = False
            self._complete(self._body)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._cancel_linger()
        if self._body is None:
            self._fail(ResetFault())
        elif not self._over:
            self._break()
        self._on_lost(self)

    def _fail(self, fault: Fault) -> None:
        listener, self._listener, self._receiver, self._parser = self._listener, None, None, None
        self.close()
        if listener is not None:
            listener.failed(fault)

    def _break(self) -> None:
        self._over = True
        receiver, self._receiver = self._receiver, None
        self.close()
        if receiver is not None:
            receiver.broke()

    # As a Source

    def attach(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def pause(self) -> None:
        if self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and self._paused:
            self._paused = False
            self._transport.resume_reading()

    def release(self) -> None:
        """An answer whose last bytes are only framing gets a moment for them to arrive."""
        self._receiver = None
        self.resume()
        if self._over:
            self._settle()
        elif self._body is not None and self.usable and self._linger is None:
            self._lingered = 0
            self._linger = self.timers.at(self.timers.now + LINGER, self.close)

    def abandon(self) -> None:
        """Done with it in the middle: the upstream is to stop working for nobody."""
        self._listener = self._receiver = None
        if self._over:
            self.release()
        else:
            self.abort()

    def _discard(self, size: int) -> None:
        self._lingered += size
        if self._lingered > MAX_LINGER_BYTES:
            self.close()

    def _settle(self) -> None:
        self._cancel_linger()
        self._listener = self._body = None
        if self._transport is not None and self._transport.get_write_buffer_size():
            self.abort()  # it answered before it had the whole request, and may never take the rest
        elif self._keep_alive and self.usable:
            self._on_idle(self)
        else:
            self.close()

    def _cancel_linger(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """The upstream hears of it before anything else leaves this process; uvloop closes a turn of its loop later.

        Else the call that gets this one's lease could reach the upstream while it still counts this one.
        """
        if self._transport is not None:
            _shut_down(self._transport)
            self._transport.abort()


def _shut_down(transport: asyncio.Transport) -> None:
    raw = transport.get_extra_info("socket")
    if raw is None or raw.fileno() < 0:
        return
    shared = socket.socket(raw.family, raw.type, raw.proto, raw.fileno())
    with contextlib.suppress(OSError):
        shared.shutdown(socket.SHUT_RDWR)
    shared.detach()
