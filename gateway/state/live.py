"""The calls under way: what the drain and the gauge of streams look at."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from gateway.core.errors import StreamDrained
from gateway.core.ports import Breakable, Cancellable


class LiveCall:
    """One call, known while its block runs; `stream` is set once its first byte is out."""

    __slots__ = ("_known", "stream", "task")

    def __init__(self, task: Cancellable, known: set["LiveCall"]) -> None:
        self.task = task
        self.stream: Breakable | None = None
        self._known = known

    def __enter__(self) -> Self:
        self._known.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._known.discard(self)


class Live:
    """`draining`: no new calls are wanted; they are served, and are their connections' last.
    `cut_off`: those still under way are being ended.
    """

    def __init__(self) -> None:
        self.draining = False
        self.cut_off = False
        self.streams: Counter[str] = Counter()
        self._calls: set[LiveCall] = set()

    def __len__(self) -> int:
        return len(self._calls)

    def call(self, task: Cancellable) -> LiveCall:
        return LiveCall(task, self._calls)

    @contextmanager
    def stream(self, call: LiveCall, stream: Breakable, model: str) -> Iterator[None]:
        """`model` is a configured model's name."""
        call.stream = stream
        self.streams[model] += 1
        try:
            yield
        finally:
            self.streams[model] -= 1
            call.stream = None

    def cut(self) -> None:
        """End what is under way: streams with the error event, calls before their first byte with a 503."""
        self.cut_off = True
        for call in list(self._calls):
            if call.stream is not None:
                call.stream.break_off(StreamDrained())
            else:
                call.task.cancel()
