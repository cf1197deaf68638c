"""Records off the path: a call only appends its own to a list; a tick hands them to the readers."""

from collections.abc import Callable, Sequence

from gateway.core.outcome import Record

MAX_PENDING = 50_000


class Recorder:
    """Fits `ports.Recorder`. `readers` get every Record, a batch at a tick; a full list is read at once, never cut."""

    def __init__(self, readers: Sequence[Callable[[Record], None]]) -> None:
        self._readers = readers
        self._pending: list[Record] = []

    def put(self, record: Record) -> None:
        self._pending.append(record)
        if len(self._pending) >= MAX_PENDING:
            self.flush()

    def flush(self) -> None:
        pending, self._pending = self._pending, []
        for record in pending:
            for read in self._readers:
                read(record)
