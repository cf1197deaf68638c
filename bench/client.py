"""One keep-alive connection of a client: as little parsing as it takes to know that an answer is right and whole."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import cast

from bench.stream import Events, Malformed
from bench.tally import Tally

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Client(asyncio.Protocol):
    """`ended` is called with it when an answer has ended, as it should or not, and when the connection is lost."""

    def __init__(self, tally: Tally, ended: Callable[["Client"], None]) -> None:
        # per connection
        self.tally = tally
        self.lost = False
        self._ended = ended
        # per call
        self.busy = False
        self.begun = False
        self._asked = 0
        self._head = b""
        self._left = 0
        self._events: Events | None = None

    def ask(self, request: bytes) -> None:
        self.busy, self.begun, self._head, self._events = True, False, b"", None
        self._asked = time.monotonic_ns()
        self._transport.write(request)

    def close(self) -> None:
        self.lost = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.tally.faults["connection lost" if self.busy else "idle connection lost"] += 1
            self._end()

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if self._events is not None:
            self._body(data, now)
        elif not self.busy:
            self._fail("bytes after the answer")
        elif self._left:
            self._plain(data, now)
        else:
            self._begin(data, now)

    def _begin(self, data: bytes, now: int) -> None:
        self._head += data
        head, separator, body = self._head.partition(b"\r\n\r\n")
        if not separator:
            return
        if head[9:12] != b"200":
            self.tally.faults[f"status {head[9:12].decode('latin-1')}"] += 1
        if length := _LENGTH.search(head):
            self._left = int(length[1])
            self._plain(body, now)
        elif b"chunked" in head:
            self._events = Events(self.tally.lags)
            if body:
                self._body(body, now)
        else:
            self._fail("neither length nor chunked")

    def _plain(self, data: bytes, now: int) -> None:
        if not self.begun and data:
            self.begun = True
            self.tally.first_bytes.append(now - self._asked)
        self._left -= len(data)
        if self._left < 0:
            self._fail("more than its length")
        elif not self._left:
            self._done(now)

    def _body(self, data: bytes, now: int) -> None:
        events = self._events
        assert events is not None
        if not self.begun:
            self.begun = True
            self.tally.first_bytes.append(now - self._asked)
        try:
            before = events.seen
            ended = events.feed(data, now)
        except Malformed as fault:
            self._fail(str(fault))
            return
        self.tally.events += events.seen - before
        if ended:
            self.tally.faults.update(events.faults())
            self._done(now)

    def _done(self, now: int) -> None:
        self.tally.calls += 1
        self.tally.latencies.append(now - self._asked)
        self._end()

    def _fail(self, why: str) -> None:
        self.tally.faults[why] += 1
        self.close()
        self._end()

    def _end(self) -> None:
        self.busy, self._events, self._left = False, None, 0
        self._ended(self)
