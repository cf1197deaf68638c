"""aiohttp's server, told what it would not do by itself: cancel, time out, hold back, and never answer twice."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

from aiohttp import EMPTY_PAYLOAD, StreamReader, http, web
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import _ErrInfo

from gateway.core.clock import Timer, Timers
from gateway.core.settings import Config, ServerSettings
from gateway.edge.downstream import HIGH_WATER, HttpDownstream, header_lines
from gateway.edge.parsing import MAX_FIELD, MAX_HEADERS, MAX_LINE, parse_refusal, whole_messages
from gateway.edge.refusal import refuse
from gateway.edge.request import ChunkedRequest, Request

BACKLOG = 1024
LINGERING = 1.0


class Sent:
    """What a handler returns when it has written its answer itself; aiohttp has nothing left to do."""

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> None:
        pass

    async def write_eof(self) -> None:
        pass


SENT = cast(web.StreamResponse, Sent(keep_alive=True))
SENT_LAST = cast(web.StreamResponse, Sent(keep_alive=False))

Handler = Callable[[Request], Awaitable[web.StreamResponse]]


class ClientConnection(web.RequestHandler):
    """One client's connection. `downstream` is the last answer, `answered` counts them; `peer` is its address.

    `since` (the timers' seconds) is when it became idle, if it is.
    """

    def __init__(self, server: "GatewayServer", settings: ServerSettings, timers: Timers, **options: Any) -> None:
        super().__init__(server, **options)
        self.downstream: HttpDownstream | None = None
        self.answered = 0
        self.peer = ""
        self.since = timers.now
        self._server = server
        self._settings = settings
        self._timers = timers
        self._head_timer: Timer | None = None
        self._payload: StreamReader = EMPTY_PAYLOAD
        self._failed = False
        self._received = 0
        self._received_before = 0
        self._end = b""

    def open_downstream(self, message: RawRequestMessage, payload: StreamReader) -> HttpDownstream:
        """The client's end for one request, whose body is `payload`."""
        http10 = message.version < http.HttpVersion11
        downstream = HttpDownstream(self.transport, self._timers, self._settings.write_timeout, http10=http10)
        if message.should_close or (self._failed and not self._messages):
            downstream.keep_alive = False
        if message.method == "HEAD":
            downstream.body_wanted = False
        self.downstream, self._payload = downstream, payload
        return downstream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=HIGH_WATER)
        if address := transport.get_extra_info("peername"):
            self.peer = address[0]
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """uvloop raises on a write to a closed transport: let go of it before anything else hears."""
        if self.downstream is not None:
            self.downstream.detach()
        self._payload = EMPTY_PAYLOAD  # it knows its connection: a cycle
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._failed:
            return
        self._received += len(data)
        self._end = data[-7:] if len(data) >= 7 else (self._end + data)[-7:]
        super().data_received(data)
        if not self.is_idle():
            self._head_arrived()
            if self._messages and type(self._messages[-1][0]) is _ErrInfo:
                self._fail()
        elif data and self._head_timer is None:
            self._await_head()

    def _fail(self) -> None:
        """What came last is no HTTP: the requests before it are answered, then it is, and the connection is closed.

        aiohttp queues an error for it, but loses what else it parsed of the same segment, and leaves a body that was
        being read waiting.
        """
        self._failed = True
        error = self._messages.pop()
        self._request_count -= 1
        lost = whole_messages(self._parser)
        payload = self._messages[-1][1] if self._messages else self._payload
        if lost is not None or payload.is_eof():
            self._messages += [*(lost or ()), error]
            self._request_count += len(lost or ()) + 1
        elif not self.is_idle():  # else it was answered without its body, and is closed in a moment
            payload.set_exception(parse_refusal(cast(_ErrInfo, error[0]).exc))
            payload.feed_eof()
            if self.downstream is not None and not self._messages and not self.downstream.begun:
                self.downstream.keep_alive = False

    def resume_reading(self, resume_parser: bool = True) -> None:
        """aiohttp wants it after every read of a body; what was not paused has nothing to resume."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.downstream is not None:
            self.downstream.pause_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.downstream is not None:
            self.downstream.resume_writing()

    def is_idle(self) -> bool:
        """Whether every request so far was answered: after some data, the head of the next is on its way."""
        return self.answered == self._request_count

    def wire_bytes(self) -> int:
        """Of the request under way, as far as it came behind the last answer; 0 if another came behind it."""
        return self._received - self._received_before if self._request_count == self.answered + 1 else 0

    def may_have_trailers(self) -> bool:
        """Of the request under way, when it is whole and chunked. A line that is only a 0 can't be a trailer."""
        return self._end != b"\r\n0\r\n\r\n" or self._request_count != self.answered + 1

    def _await_head(self) -> None:
        self.since = self._timers.now
        self._head_timer = self._timers.at(self.since + self._settings.header_timeout, self._head_late)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        self._head_timer = None
        if self.is_idle():
            self.force_close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Nothing to finish, unless the request was for an upgrade: then what came behind it is looked at now."""
        self.answered += 1
        self.since = self._timers.now
        self._received_before = self._received
        if self._upgraded:
            return await super().finish_response(request, resp, start_time)
        return resp, False

    def handle_error(
        self,
        request: web.BaseRequest | Request,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp could not parse. Its own answer would echo the offending line, API key included."""
        assert isinstance(request, Request)
        downstream = request.downstream
        downstream.keep_alive = False
        downstream.extra = header_lines(
            (("x-request-id", request.request_id), ("x-gateway-config-version", self._server.version))
        )
        refuse(downstream, parse_refusal(exc))
        return SENT_LAST

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Its arguments may hold what the client sent."""
        self.logger.error("a connection failed")


def _ids() -> Iterator[str]:
    """128 random bits each, in hex; one system call for many of them."""
    while True:
        digits = os.urandom(16 * 256).hex()
        yield from [digits[at : at + 32] for at in range(0, len(digits), 32)]


class GatewayServer(web.Server):
    """Makes our connections. aiohttp would drop every option for one that it does not know; this raises instead."""

    def __init__(self, handler: Handler, config: Config, timers: Timers, logger: logging.Logger) -> None:
        super().__init__(
            self._handle,
            request_factory=self._open_request,
            handler_cancellation=True,
            keepalive_timeout=config.server.keepalive_timeout,
            lingering_time=LINGERING,
            auto_decompress=False,
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=MAX_HEADERS,
            access_log=None,
            logger=logger,
        )
        self.handler = handler
        self.version = config.version
        self._settings = config.server
        self._timers = timers
        self._ids = _ids()

    def take(self, handler: Handler, config: Config) -> None:
        """`handler` for requests from now on, settings for connections from now on; those under way keep theirs."""
        self._kwargs["keepalive_timeout"] = config.server.keepalive_timeout
        self._settings, self.version = config.server, config.version
        self.handler = handler

    def _handle(self, request: Any) -> Awaitable[web.StreamResponse]:
        return self.handler(request)

    def _open_request(
        self, message: RawRequestMessage, payload: StreamReader, connection: Any, writer: object, task: object
    ) -> Any:
        downstream = connection.open_downstream(message, payload)
        if message.chunked:
            request = ChunkedRequest(message, payload, downstream, next(self._ids), connection.peer, self._settings)
            request.connection = connection
            if message.method != "POST":
                downstream.keep_alive = False  # nobody reads it, so nobody sees its trailers
            return request
        return Request(message, payload, downstream, next(self._ids), connection.peer, self._settings)

    def __call__(self) -> ClientConnection:
        return ClientConnection(self, self._settings, self._timers, loop=self._loop, **self._kwargs)

    def close_after_answers(self) -> None:
        """Calls under way whose head is not out yet say `Connection: close`, as all new ones do while draining."""
        for connection in self._clients():
            if connection.downstream is not None and not connection.downstream.begun:
                connection.downstream.keep_alive = False

    def close_idle(self, since: float) -> None:
        """Close those that no request has come on since then (in the timers' seconds)."""
        for connection in self._clients():
            if connection.is_idle() and connection.since <= since:
                connection.force_close()

    def _clients(self) -> list[ClientConnection]:
        return cast(list[ClientConnection], self.connections)

    def verify(self) -> None:
        """Raises RuntimeError if aiohttp does not run as it was told to."""
        connection = self()
        effective = (
            self.handler_cancellation,
            connection.keepalive_timeout == self._settings.keepalive_timeout,
            connection.max_field_size == MAX_FIELD,
            connection._lingering_time == LINGERING,
            http.HttpRequestParser.__module__ == "aiohttp._http_parser",
        )
        if not all(effective):
            raise RuntimeError("aiohttp does not run with the options it was given, or without its C parser")
