"""A listener, who accepts on it, and how its workers have fared."""

import math
import random
import socket

from gateway.supervisor.process import Worker

# One that lived shorter died young: the next waits for up to a second, then twice as long each time.
YOUNG = 30.0
MAX_DELAY = 30.0
# Who would wait longer for a worker had better be refused, and go to another one.
MAX_QUEUED = 1.0


class Slot:
    """`successor` is to take the place of `worker`. Without either one is started when it is `due`."""

    def __init__(self, number: int, listener: socket.socket) -> None:
        self.number = number
        self.listener: socket.socket | None = listener
        self.worker: Worker | None = None
        self.successor: Worker | None = None
        self.due = math.inf
        self._failures = 0

    def is_due(self, now: float) -> bool:
        return self.worker is None and self.successor is None and now >= self.due

    def failed(self, now: float, lived: float) -> float:
        """A worker that lived for `lived` seconds died; the seconds until the next is due."""
        self._failures = self._failures + 1 if lived < YOUNG else 0
        delay = 0.0
        if self._failures:
            delay = min(MAX_DELAY, 2.0 ** (self._failures - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
        if delay > MAX_QUEUED:
            self.close()
        self.due = now + delay
        return delay

    def close(self) -> None:
        if self.listener is not None:
            self.listener.close()
            self.listener = None
