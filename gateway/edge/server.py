"""aiohttp's server, told what it would not do by itself: cancel, time out, hold back, and never answer twice."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

from aiohttp import StreamReader, http, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong

from gateway.core.clock import Timer, Timers
from gateway.core.errors import BadRequest, HeadersTooLarge, Refusal, UriTooLong
from gateway.core.settings import Config, ServerSettings
from gateway.edge.downstream import HIGH_WATER, HttpDownstream, header_lines
from gateway.edge.refusal import refuse
from gateway.edge.request import Request

BACKLOG = 1024
# Different, so that a LineTooLong, which only tells the limit, says what was too long.
MAX_LINE = 8190
MAX_FIELD = 8192
MAX_HEADERS = 128
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

    def open_downstream(self, message: RawRequestMessage) -> HttpDownstream:
        """The client's end for one request."""
        http10 = message.version < http.HttpVersion11
        downstream = HttpDownstream(self.transport, self._timers, self._settings.write_timeout, http10=http10)
        if message.should_close:
            downstream.keep_alive = False
        if message.method == "HEAD":
            downstream.body_wanted = False
        self.downstream = downstream
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
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.is_idle():
            self._head_arrived()
        elif data and self._head_timer is None:
            self._await_head()

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
        refuse(downstream, _parse_refusal(exc))
        return SENT_LAST

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Its arguments may hold what the client sent."""
        self.logger.error("a connection failed")


def _ids() -> Iterator[str]:
    """128 random bits each, in hex; one system call for many of them."""
    while True:
        digits = os.urandom(16 * 256).hex()
        yield from [digits[at : at + 32] for at in range(0, len(digits), 32)]


def _parse_refusal(exc: BaseException | None) -> Refusal:
    if isinstance(exc, LineTooLong):
        return UriTooLong() if exc.args[1] == MAX_LINE else HeadersTooLarge()
    if exc is not None and "Too many headers" in str(exc):
        return HeadersTooLarge()
    return BadRequest()


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
        downstream = connection.open_downstream(message)
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
