"""One timer for all paced streams, in slots of a millisecond: a timer for each would cost more than its event."""

import asyncio
import time
from collections.abc import Callable

from gateway.simulator import Gate

SLOTS = 2048  # the longest interval, in ms
_SPREAD = 0.6180339887  # the golden section: however many streams there are, their phases lie evenly


class Wheel:
    """Late ticks are made up for one a loop iteration, so that reading goes on between them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: list[list[Callable[[], None]]] = [[] for _ in range(SLOTS)]
        self._waiting = 0
        self._begun = 0
        self.tick = 0

    def beat(self, per_second: float) -> "Beat":
        self._begun += 1
        return Beat(self, 1000 / per_second, self._begun * _SPREAD % 1)

    def add(self, tick: int, go_on: Callable[[], None]) -> None:
        """Call `go_on` at that tick, but not before the next one."""
        if not self._waiting:
            self.tick = _now()
            self._loop.call_later(0.001, self._turn)
        self._waiting += 1
        self._slots[max(tick, self.tick + 1) % SLOTS].append(go_on)

    def _turn(self) -> None:
        if self.tick < (now := _now()):
            self.tick += 1
            slot = self.tick % SLOTS
            due, self._slots[slot] = self._slots[slot], []
            self._waiting -= len(due)
            for go_on in due:
                go_on()
        if not self._waiting:
            return
        if self.tick < now:
            self._loop.call_soon(self._turn)
        else:
            self._loop.call_later(0.001, self._turn)


class Beat(Gate):
    """A door that opens for one stream again and again, at its pace and without drift. `interval` is in ms."""

    def __init__(self, wheel: Wheel, interval: float, phase: float) -> None:
        super().__init__()
        self._wheel = wheel
        self._interval = interval
        self._due = _now() + interval * phase

    def enter(self, go_on: Callable[[], None]) -> bool:
        self._due += self._interval
        self._wheel.add(int(self._due), go_on)
        return False


def _now() -> int:
    return time.monotonic_ns() // 1_000_000
