"""Plays the steps of one answer on a connection: callbacks and timers only, no task."""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, assert_never

from gateway.simulator.step import Close, Pause, Reset, Send, Silence, Step, Wait

_LINGER_0 = struct.pack("ii", 1, 0)


class Clock(Protocol):
    """What the event loop is to an answer."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None], /) -> asyncio.TimerHandle: ...


class Player:
    """One answer at a time; `finished` is called when the last step of an answer was played."""

    def __init__(self, transport: asyncio.Transport, finished: Callable[[], None], clock: Clock) -> None:
        # per connection
        self._clock = clock
        self._transport = transport
        self._finished = finished
        self._written = 0
        self._full = False
        # per answer
        self._steps: Iterator[Step] = iter(())
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        # With 0 every write is a system call of its own, on uvloop too, and at most one Send waits in memory.
        transport.set_write_buffer_limits(high=0)

    @property
    def sent(self) -> int:
        """Bytes that the kernel has taken."""
        return self._written - self._transport.get_write_buffer_size()

    def play(self, steps: Iterable[Step]) -> None:
        """In place of what was being played."""
        self._cancel()
        self._steps = iter(steps)
        self._go_on()

    def stop(self) -> None:
        """Play nothing any more."""
        self._cancel()
        self._steps = iter(())
        self._finished = _nothing

    def pause(self) -> None:
        """The socket is full."""
        self._full = True

    def resume(self) -> None:
        """The socket took everything."""
        self._full = False
        self._go_on()

    def _cancel(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _go_on(self) -> None:
        self._due = self._clock.time()
        self._play()

    def _play(self) -> None:
        """Take steps until one has to wait."""
        self._timer = None
        try:
            for step in self._steps:
                if not self._take(step):
                    return
        except BaseException:
            self._transport.abort()  # a faulty script must not leave the peer waiting
            raise
        self._finished()

    def _take(self, step: Step) -> bool:
        """Whether to go on with the next step at once."""
        match step:
            case Send(payload):
                self._written += len(payload)
                self._transport.write(payload)
                return not self._full
            case Pause(seconds):
                self._due += seconds
                self._timer = self._clock.call_at(self._due, self._play)
            case Wait(gate):
                return gate.enter(self._go_on)
            case Reset():
                self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
                self._transport.abort()
            case Close():
                self._transport.close()
            case Silence():
                pass
            case _:
                assert_never(step)
        return False


def _nothing() -> None:
    pass
