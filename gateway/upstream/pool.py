"""The connections to one upstream: kept alive, newest first, and never more than it allows."""

import asyncio
import math
import ssl
from collections import deque

from gateway.core.clock import Timer, Timers
from gateway.core.fault import BusyFault
from gateway.core.route import Upstream
from gateway.upstream.connection import Connection
from gateway.upstream.faults import CONNECT_FAULTS, connect_fault

IDLE_TIMEOUT = 30.0
MAX_IDLE = 1024


class Pool:
    """Belongs to one event loop. `tls` is shared by all pools of a process."""

    def __init__(self, upstream: Upstream, timers: Timers, tls: ssl.SSLContext | None) -> None:
        self.upstream = upstream
        self._timers = timers
        self._tls = tls if upstream.tls else None
        self._idle: dict[Connection, float] = {}  # until when, the newest last
        self._open: set[Connection] = set()
        self._connecting = 0
        self._closed = False
        self._expiry: Timer | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Pool {self.upstream.name} open={len(self._open)} idle={len(self._idle)}>"

    async def take(self, deadline: float = math.inf, *, fresh: bool = False) -> Connection:
        """An idle connection, or a new one if there is none or a `fresh` one is asked for.

        Raises a Fault, at the latest at `deadline`, monotonic seconds.
        """
        connection = None if fresh else self.take_idle()
        if connection is None and not self._has_room():
            try:
                async with asyncio.timeout(self._patience(deadline)):
                    while connection is None and not self._has_room():
                        await self._freed(fresh)
                        connection = None if fresh else self.take_idle()
            except TimeoutError:
                raise BusyFault from None
        return await self.connect(deadline) if connection is None else connection

    def _patience(self, deadline: float) -> float:
        return min(self.upstream.connect_timeout, max(0.0, deadline - self._timers.now))

    def take_idle(self) -> Connection | None:
        """The newest idle connection, without waiting for one."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.usable:
                return connection
        return None

    def _close_oldest(self) -> None:
        oldest = next(iter(self._idle))
        del self._idle[oldest]
        oldest.close()

    def _has_room(self) -> bool:
        limit = self.upstream.max_connections
        return limit is None or len(self._open) + self._connecting < limit

    async def _freed(self, fresh: bool) -> None:
        """Wait for one's turn to look again. A turn that comes as its waiter leaves goes to the next."""
        if fresh and self._idle:
            self._close_oldest()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():
                self._wake()
            raise

    async def connect(self, deadline: float = math.inf) -> Connection:
        """A new connection, whatever `max_connections` says. Raises a Fault."""
        upstream = self.upstream
        self._connecting += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience(deadline)):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, self._timers, self._keep, self._lost),
                    upstream.host,
                    upstream.port,
                    ssl=self._tls,
                    server_hostname=upstream.host if self._tls else None,
                )
        except tuple(kind for kind, _ in CONNECT_FAULTS) as error:
            raise connect_fault(error) from None
        else:
            self._open.add(connection)
            return connection
        finally:
            self._connecting -= 1
            self._wake()

    def _keep(self, connection: Connection) -> None:
        if self._closed:
            connection.close()
            return
        due = self._idle[connection] = self._timers.now + IDLE_TIMEOUT
        if len(self._idle) > MAX_IDLE:
            self._close_oldest()
        if self._expiry is None:
            self._expiry = self._timers.at(due, self._expire)
        if self._waiting:
            self._wake()

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            freed = self._waiting.popleft()
            if not freed.done():
                freed.set_result(None)
                return

    def _expire(self) -> None:
        """One timer a pool: it looks again when the then oldest is due."""
        while (due := next(iter(self._idle.values()), math.inf)) <= self._timers.now:
            self._close_oldest()
        self._expiry = self._timers.at(due, self._expire) if self._idle else None

    def close(self) -> None:
        """Close what is idle now, and what is busy as soon as it is done with; what is taken later is not kept."""
        self._closed = True
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        while self._idle:
            self._close_oldest()
