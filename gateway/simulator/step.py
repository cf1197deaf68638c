"""What an answer is made of: an answer is a list of steps, played in order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


class Gate:
    """A door in an answer, shut until `open()`; once open it stays open, for every connection that waits at it."""

    def __init__(self) -> None:
        self._open = False
        self._reached = asyncio.Event()
        self._waiting: list[Callable[[], None]] = []

    def open(self) -> None:
        """Let the answers that wait here go on, at once."""
        self._open = True
        waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            go_on()

    async def until_reached(self) -> None:
        """Wait until an answer has come to the door: all its bytes before it were handed to the socket."""
        await self._reached.wait()

    def enter(self, go_on: Callable[[], None]) -> bool:
        """True if the door is open; otherwise `go_on` is called when it opens."""
        self._reached.set()
        if not self._open:
            self._waiting.append(go_on)
        return self._open


@dataclass(frozen=True, slots=True)
class Send:
    """Raw bytes, in a write of their own. The next step waits until the socket took them all."""

    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds, counted from when the pause before it was due, so that a pace does not drift. 0 = one loop iteration."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until the test opens the gate."""

    gate: Gate


@dataclass(frozen=True, slots=True)
class Reset:
    """RST."""


@dataclass(frozen=True, slots=True)
class Close:
    """FIN, after what was sent."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing more, until the peer leaves."""


Step = Send | Pause | Wait | Reset | Close | Silence
