"""One accepted connection: bytes in, requests out, one answer after another."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

import httptools

from gateway.simulator.answer import error_answer
from gateway.simulator.player import Player
from gateway.simulator.request import Request
from gateway.simulator.step import Close, Step


@dataclass(frozen=True, slots=True)
class Departure:
    """How a connection ended: `by_peer` unless the script ended it, `when` in the loop's seconds.

    `sent` is how many bytes the kernel had taken by then; after an RST the last Send counts as a whole.
    """

    by_peer: bool
    when: float
    sent: int


class Connection(asyncio.Protocol):
    """With `at_head` a request is answered when its head is in: its body is left unread and its connection ends."""

    def __init__(
        self,
        number: int,
        respond: Callable[[Request], Iterable[Step]],
        forget: Callable[["Connection"], None],
        *,
        at_head: bool,
    ) -> None:
        # per connection
        self.number = number
        self.departure: Departure | None = None
        self._made = asyncio.Event()
        self._left = asyncio.Event()
        self._lost = asyncio.Event()
        self._respond = respond
        self._forget = forget
        self._at_head = at_head
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._current: Request | None = None
        # per request
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    async def until_left(self) -> Departure:
        """Wait for the end of the connection. With `at_head`, only a write tells that the peer is gone."""
        await self._left.wait()
        assert self.departure
        return self.departure

    async def abort(self) -> None:
        """Cut it, and wait until that is done."""
        await self._made.wait()
        self._transport.abort()
        await self._lost.wait()

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._player = Player(self._transport, self._finished, asyncio.get_running_loop())
        self._made.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._player.play([*error_answer(400, "The request is not valid HTTP."), Close()])
            return
        self._answer_next()

    def eof_received(self) -> None:
        self._leave(by_peer=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave(by_peer=exc is not None)
        self._lost.set()
        self._forget(self)

    def pause_writing(self) -> None:
        self._player.pause()

    def resume_writing(self) -> None:
        self._player.resume()

    # httptools

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._at_head:
            self._transport.pause_reading()
            self._arrived(keep_alive=False)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._at_head:
            self._arrived(keep_alive=self._parser.should_keep_alive())

    def _arrived(self, *, keep_alive: bool) -> None:
        method, path = self._parser.get_method().decode("latin-1"), self._url.decode("latin-1")
        request = Request(method, path, tuple(self._headers), b"".join(self._body), self.number, keep_alive)
        self._waiting.append(request)
        self._url, self._headers, self._body = b"", [], []

    def _answer_next(self) -> None:
        if self._waiting and not self._current:
            self._current = self._waiting.popleft()
            self._player.play(self._respond(self._current))

    def _finished(self) -> None:
        keep_alive = self._current is not None and self._current.keep_alive
        self._current = None
        if keep_alive:
            self._answer_next()
        else:
            self._transport.close()

    def _leave(self, *, by_peer: bool) -> None:
        if self.departure is None:
            self.departure = Departure(by_peer, asyncio.get_running_loop().time(), self._player.sent)
            self._player.stop()
            self._left.set()
