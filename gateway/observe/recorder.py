"""Records off the path: a call only appends its own to a list; a tick hands them to the readers."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from gateway.core.outcome import Record

MAX_PENDING = 50_000


class Reader(Protocol):
    """Reads Records one by one; what it has to do once for all of them, it does in `flush`."""

    def read(self, record: Record) -> None: ...

    def flush(self) -> None: ...


class Recorder:
    """Fits `ports.Recorder`. `readers` get every Record at a tick; a full list is read at once, never cut."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = readers
        self._pending: deque[Record] = deque()

    def put(self, record: Record) -> None:
        self._pending.append(record)
        if len(self._pending) >= MAX_PENDING:
            self.flush()

    def flush(self) -> None:
        """A reader that raises loses the one Record; the next flush goes on behind it."""
        for _ in range(len(self._pending)):
            record = self._pending.popleft()
            for reader in self._readers:
                reader.read(record)
        for reader in self._readers:
            reader.flush()
