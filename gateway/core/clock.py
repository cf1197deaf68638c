"""Time as the rooms see it: monotonic seconds, and timers that share one tick."""

from collections.abc import Callable
from typing import Protocol

Clock = Callable[[], float]


class Timer(Protocol):
    """A pending callback."""

    def cancel(self) -> None:
        """Forget the callback; harmless when it has already run."""


class Timers(Protocol):
    """One wheel for the whole process: a stream costs no timer of the event loop.

    `now` is the monotonic time of the last tick, in seconds: coarse (one tick, 50 ms), but free to read.
    """

    now: float

    def at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` once, on the first or second tick after `when` (monotonic seconds)."""
