"""When calls came to an upstream and when they left it: what limits are proven by."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.simulator import Request, Simulator, Step
from gateway.simulator.server import Script

TURN = 0.005


@dataclass
class UpstreamLog:
    """Wraps a simulator's script. Times are monotonic seconds; a call leaves with its last byte, or its connection."""

    upstream: Simulator
    script: Script
    arrivals: list[float] = field(default_factory=list)
    departures: list[float] = field(default_factory=list)
    _watching: set[asyncio.Task[None]] = field(default_factory=set)

    def __call__(self, request: Request) -> Iterable[Step]:
        self.arrivals.append(time.monotonic())
        done = asyncio.Event()
        watching = asyncio.get_running_loop().create_task(self._watch(request, done), name="watch")
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)
        return self._steps(request, done)

    def _steps(self, request: Request, done: asyncio.Event) -> Iterator[Step]:
        yield from self.script(request)
        if not done.is_set():
            done.set()
            self.departures.append(time.monotonic())

    async def _watch(self, request: Request, done: asyncio.Event) -> None:
        departure = await self.upstream.until_left(request)
        if not done.is_set():
            done.set()
            self.departures.append(departure.when)

    def most_at_once(self) -> int:
        """A departure is seen up to a turn of this process's own busy loop after it happened."""
        left = [(when - TURN, -1) for when in self.departures]
        changes = sorted([(when, 1) for when in self.arrivals] + left)
        running = most = 0
        for _, change in changes:
            running += change
            most = max(most, running)
        return most

    def excess(self, burst: int, per_second: float) -> float:
        """By how much the worst interval has more arrivals than burst + rate x its length."""
        worst = 0.0
        for first, began in enumerate(self.arrivals):
            for last in range(first, len(self.arrivals)):
                allowed = burst + per_second * (self.arrivals[last] - began)
                worst = max(worst, last - first + 1 - allowed)
        return worst
