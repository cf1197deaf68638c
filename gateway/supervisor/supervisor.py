"""Decides about workers. It has no event loop: it sleeps until a signal, a heartbeat or a quarter of a second is there,
and then looks at everything once.
"""

import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog

from gateway.core.settings import ServerSettings
from gateway.observe.logs import LineWriter, configure, write_all
from gateway.observe.multiprocess import SUPERVISOR, forget_gauges, keep_in_files, make_restarts
from gateway.supervisor.listener import bind, bind_all
from gateway.supervisor.process import Launch, Worker, told
from gateway.supervisor.slot import Slot
from gateway.worker import CUT, LEAVING, STDOUT

STUCK_AFTER = 10.0
START_TIMEOUT = 30.0
END_MARGIN = 15.0
LOOK_EVERY = 0.25
# A look so late is not the workers' fault: this process, or the whole machine, stood still.
STOOD_STILL = 2.0

REASONS = ("died", "stuck", "start")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)

log = structlog.get_logger()


class Supervisor:
    """`workers` are all that live, those that only drain included. `address` is where they listen."""

    def __init__(self, launch: Launch, settings: ServerSettings, stuck_after: float = STUCK_AFTER) -> None:
        """Raises OSError if it can't listen."""
        listeners = bind_all((settings.host, settings.port), settings.workers)
        self.address = listeners[0].getsockname()[:2]
        self.workers: dict[Worker, Slot] = {}
        self._slots = [Slot(number, listener) for number, listener in enumerate(listeners)]
        self._launch = launch
        self._drain_timeout = settings.drain_timeout
        self._stuck_after = stuck_after
        self._selector = selectors.DefaultSelector()
        self._looked = time.monotonic()
        self._to_replace: deque[Slot] = deque()
        self._proven = False
        self._ends: float | None = None
        self._exit_code = 0
        keep_in_files(SUPERVISOR)
        restarts = make_restarts(None)
        self._restarts = {reason: restarts.labels(reason) for reason in REASONS}

    def run(self) -> int:
        """Until told to end, and then until the last worker has. The exit code."""
        with _caught_signals() as caught:
            self._selector.register(caught, selectors.EVENT_READ)
            log.info("supervising", host=self.address[0], port=self.address[1], workers=len(self._slots))
            self._slots[0].due = 0.0
            self._look(time.monotonic())
            while self._ends is None or self.workers:
                self._selector.select(LOOK_EVERY)
                for number in _read(caught):
                    self._obey(number, time.monotonic())
                self._look(time.monotonic())
        log.info("stopped")
        return self._exit_code

    def _obey(self, number: int, now: float) -> None:
        match number:
            case signal.SIGTERM | signal.SIGINT:
                log.info("ending", workers=len(self.workers), signal=signal.Signals(number).name)
                self._end(number, now)
            case signal.SIGHUP:
                for worker in self.workers:
                    worker.reload()
            case signal.SIGUSR2 if self._ends is None:
                log.info("replacing all workers")
                self._to_replace = deque(self._slots)

    def _end(self, number: int, now: float) -> None:
        """The first time they drain, the second time they cut."""
        again = self._ends is not None
        if self._ends is None:
            self._ends = now + self._drain_timeout + END_MARGIN
        for slot in self._slots:
            slot.close()
        for worker in self.workers:
            if again or not worker.leaving:
                worker.leaving = True
                worker.send(CUT if again else number)

    def _look(self, now: float) -> None:
        if now - self._looked > STOOD_STILL:
            for worker in self.workers:
                worker.heard = now
        self._looked = now
        for worker, slot in list(self.workers.items()):
            self._look_at(worker, slot, now)
        if self._ends is not None:
            return
        for slot in self._slots:
            if slot.is_due(now):
                slot.worker = self._start(slot, now)
                if slot.worker is None:
                    slot.failed(now, 0.0)
        if self._to_replace and all(slot.successor is None for slot in self._slots):
            slot = self._to_replace.popleft()
            slot.successor = self._start(slot, now)

    def _look_at(self, worker: Worker, slot: Slot, now: float) -> None:
        said = worker.hear(now)
        if said and not worker.ready:
            self._take_in(worker, slot, now)
        if LEAVING in said and slot.worker is worker and not worker.leaving:
            log.info("worker leaves", slot=slot.number, pid=worker.pid)
            worker.leaving, slot.worker, slot.due = True, None, now
        code = worker.exit_code()
        if code is not None:
            self._bury(worker, slot, code, now)
        elif worker.killed is None:
            self._watch(worker, slot, now)

    def _start(self, slot: Slot, now: float) -> Worker | None:
        """The smallest name that no living process has: whoever takes it over goes on counting."""
        taken = {worker.metrics_id for worker in self.workers}
        name = next(str(number) for number in range(len(taken) + 1) if str(number) not in taken)
        try:
            slot.listener = slot.listener or bind(self.address)
            worker = Worker(self._launch, slot.listener.fileno(), name, now)
        except OSError as error:
            log.error("worker could not be started", slot=slot.number, error=error.strerror)
            return None
        self._selector.register(worker.pipe, selectors.EVENT_READ)
        self.workers[worker] = slot
        log.info("worker started", slot=slot.number, pid=worker.pid)
        return worker

    def _take_in(self, worker: Worker, slot: Slot, now: float) -> None:
        """It is ready. The first of all lets the others start, so that what none of them can do is told once."""
        worker.ready = True
        log.info("worker ready", slot=slot.number, pid=worker.pid)
        if not self._proven:
            self._proven = True
            for other in self._slots:
                other.due = now
        if worker.missed_reload:
            worker.reload()
        if slot.successor is worker:
            old, slot.worker, slot.successor = slot.worker, worker, None
            log.info("worker replaced", slot=slot.number, pid=worker.pid, old=old and old.pid)
            if old is not None:
                old.leaving = True
                old.send(signal.SIGINT)

    def _watch(self, worker: Worker, slot: Slot, now: float) -> None:
        silent = now - worker.heard
        if self._ends is not None and now >= self._ends:
            log.error("worker did not end", slot=slot.number, pid=worker.pid)
            worker.kill("end")
        elif worker.ready and silent > self._stuck_after:
            log.error("worker stuck", slot=slot.number, pid=worker.pid, seconds=round(silent, 1))
            worker.kill("stuck")
        elif not worker.ready and silent > START_TIMEOUT:
            log.error("worker did not get ready", slot=slot.number, pid=worker.pid)
            worker.kill("start")

    def _bury(self, worker: Worker, slot: Slot, code: int, now: float) -> None:
        del self.workers[worker]
        self._selector.unregister(worker.pipe)
        worker.close()
        forget_gauges(self._launch.folder, worker.metrics_id)
        fields = {"slot": slot.number, "pid": worker.pid, **told(code)}
        if worker.leaving:
            log.info("worker ended", **fields)
        elif slot.successor is worker:
            slot.successor = None
            self._to_replace.clear()
            log.error("worker not replaced", **fields)
        elif code > 0 and not self._proven:
            log.error("no worker can start", **fields)
            self._exit_code = code
            self._end(signal.SIGTERM, now)
        else:
            slot.worker = None
            delay = slot.failed(now, now - worker.started)
            self._restarts[worker.killed or ("died" if worker.ready else "start")].inc()
            log.error("worker died", **fields, restart_in=round(delay, 2))


@contextmanager
def _caught_signals() -> Iterator[socket.socket]:
    """Where the numbers of the signals that came can be read."""
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, _noticed)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(-1)


def _noticed(*_: object) -> None:
    """Without a handler a signal would do what it does by itself."""


def _read(caught: socket.socket) -> bytes:
    with suppress(BlockingIOError):
        return caught.recv(4096)
    return b""


def supervise(launch: Launch, settings: ServerSettings, stuck_after: float = STUCK_AFTER) -> int:
    """Run a supervisor with its log. Raises OSError if it can't listen."""
    writer = LineWriter(lambda batch: write_all(STDOUT, batch))
    configure(writer)
    try:
        return Supervisor(launch, settings, stuck_after).run()
    finally:
        writer.close()
