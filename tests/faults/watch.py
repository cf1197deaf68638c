"""What a test must not leave behind, and what it must not do to the event loop."""

import asyncio
import gc
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

LONGEST_WORK = 0.25
LONGEST_WAIT = 1.0
STEP = 0.02
SETTLED_WITHIN = 5.0

_STEAL = 8  # of the fields of /proc/stat's first line
_TICKS = os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def nothing_left_behind() -> AsyncIterator[None]:
    """I-6 and I-14: descriptors and tasks are those of before, and no exception ends at the loop's handler."""
    loop = asyncio.get_running_loop()
    told: list[str] = []
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(_shown(context)))
    descriptors, tasks = open_descriptors(), asyncio.all_tasks()
    try:
        yield
        await asyncio.sleep(0)
        end = time.monotonic() + SETTLED_WITHIN
        while (new_descriptors(descriptors) or new_tasks(tasks)) and time.monotonic() < end:
            await asyncio.sleep(0.005)
        assert not (left := new_tasks(tasks)), f"tasks are left: {left}"
        assert not (left := new_descriptors(descriptors)), f"descriptors are left: {left}"
        gc.collect(1)
        assert not told, f"the loop was told of exceptions: {told}"
    finally:
        loop.set_exception_handler(handler)


def _shown(context: dict[str, Any]) -> str:
    return f"{context['message']}: {context.get('exception')!r}"


def open_descriptors() -> Counter[str]:
    """How many there are on each file, and of sockets and pipes: of its own, uvloop has new ones in every run."""
    found: Counter[str] = Counter()
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that the folder is read by
            found[str(path.readlink()).partition(":[")[0]] += 1
    found.pop("/dev/null", None)  # libuv's spare one, from the first listener on
    return found


def new_descriptors(before: Counter[str]) -> list[str]:
    return [*(open_descriptors() - before).elements()]


def new_tasks(before: set[asyncio.Task[Any]]) -> list[str]:
    new = asyncio.all_tasks() - before - {asyncio.current_task()}
    return [task.get_name() for task in new if not task.done()]


class Witness(threading.Thread):
    """Sleeps beside the loop: when both wake late, the machine stood still, or this process did."""

    def __init__(self) -> None:
        super().__init__(name="witness", daemon=True)
        self._late, self._woken = 0.0, time.monotonic()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(STEP):
            now = time.monotonic()
            self._late, self._woken = self._late + max(0.0, now - self._woken - STEP), now

    def late(self) -> float:
        """Seconds so far."""
        return self._late + max(0.0, time.monotonic() - self._woken - STEP)

    def stop(self) -> None:
        self._over.set()
        self.join()


class LoopWatch:
    """I-8: how long the loop did not turn, at the worst: by the work of its own thread, and for whatever it waited.

    A busy machine does not count: waiting is less what the thread waited for a core, or the machine for a processor, or
    what a witness beside it was late, and the bound is wide. Nor does the collector's look at all that thousands of
    tests have left in this process.
    """

    def __init__(self) -> None:
        gc.freeze()
        self.work = self.wait = 0.0
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_native_id()
        self._witness = Witness()
        self._witness.start()
        self._begin()

    def _begin(self) -> None:
        self._woken, self._waited, self._worked = time.monotonic(), self._waiting(), time.thread_time()
        self._late = self._witness.late()
        self._timer = self._loop.call_later(STEP, self._wake)

    def _wake(self) -> None:
        self._look()
        self._begin()

    def _look(self) -> None:
        self.work = max(self.work, time.thread_time() - self._worked)
        excuse = max(self._waiting() - self._waited, self._witness.late() - self._late)
        self.wait = max(self.wait, time.monotonic() - self._woken - STEP - excuse)

    def _waiting(self) -> float:
        """Seconds so far (Documentation/scheduler/sched-stats.rst and proc.rst of the Linux kernel)."""
        runnable = int(Path(f"/proc/self/task/{self._thread}/schedstat").read_text().split()[1]) / 1e9
        with Path("/proc/stat").open() as lines:
            return runnable + int(lines.readline().split()[_STEAL]) / _TICKS

    @contextmanager
    def excused(self) -> Iterator[None]:
        """What happens in this block is not counted."""
        self._timer.cancel()
        self._look()
        try:
            yield
        finally:
            self._timer.cancel()
            self._begin()

    def stop(self) -> None:
        self._timer.cancel()
        self._look()
        self._witness.stop()
        gc.unfreeze()

    def check(self) -> None:
        assert self.work <= LONGEST_WORK, f"the loop did not turn for {self.work:.3f} s of work"
        assert self.wait <= LONGEST_WAIT, f"the loop did not turn for {self.wait:.3f} s"
