"""When calls came to an upstream and when they left it: what limits are proven by, whatever the gateway counts."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator

from gateway.simulator import Request, Simulator, Step
from gateway.simulator.server import Script

# Two processes and their scheduling lie between an admission and the upstream, and a departure is seen a turn late.
JITTER = 0.25
TURN = 0.005


class Arrivals:
    """Of requests with `marker` in their body, which are answered by `script`; all others go where they went.

    Monotonic seconds; a call leaves with its last byte, or its connection.
    """

    def __init__(self, upstream: Simulator, marker: bytes, script: Script) -> None:
        self.came: list[float] = []
        self.left: list[float] = []
        self._upstream = upstream
        self._marker = marker
        self._script = script
        self._others = upstream.script
        self._watching: set[asyncio.Task[None]] = set()
        upstream.script = self

    def __call__(self, request: Request) -> Iterable[Step]:
        if self._marker not in request.body:
            return self._others(request)
        self.came.append(time.monotonic())
        done = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._watch(request, done), name="watch")
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return self._steps(request, done)

    def _steps(self, request: Request, done: asyncio.Event) -> Iterator[Step]:
        yield from self._script(request)
        self._leaves(done, time.monotonic())

    async def _watch(self, request: Request, done: asyncio.Event) -> None:
        with contextlib.suppress(KeyError):  # gone, and forgotten
            departure = await self._upstream.until_left(request)
            self._leaves(done, departure.when)
        self._leaves(done, time.monotonic())

    def _leaves(self, done: asyncio.Event, when: float) -> None:
        if not done.is_set():
            done.set()
            self.left.append(when)

    def at_once(self, began: float, ended: float) -> int:
        """The most that ran at the same time in this stretch."""
        changes = sorted([(when, 1) for when in self.came] + [(when - TURN, -1) for when in self.left])
        running = most = 0
        for when, change in changes:
            running += change
            if began <= when <= ended:
                most = max(most, running)
        return most

    def over(self, burst: int, per_second: float, began: float, ended: float) -> int:
        """How many calls the worst interval of this stretch has above `burst` + rate x its length, and the jitter's."""
        came = [when for when in self.came if began <= when <= ended]
        # From i to j there are j - i + 1 calls: the worst i for each j is the one with the greatest rate * t - i.
        worst, best = 0.0, float("-inf")
        for index, when in enumerate(came):
            best = max(best, per_second * when - index)
            worst = max(worst, index + 1 + best - per_second * when)
        return max(0, int(worst - burst - per_second * JITTER))
