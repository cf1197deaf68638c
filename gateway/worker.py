"""One worker process: its event loop, its signals, its log; and, if it has a parent, what it owes to that."""

import asyncio
import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog
import uvloop

from gateway.app import ACCEPT_GRACE, App
from gateway.core.settings import Config
from gateway.observe.logs import LineWriter, configure, write_all
from gateway.observe.metrics import Metrics
from gateway.observe.multiprocess import hold, keep_in_files
from gateway.reload import ConfigFile, Reloader, reloading

STDOUT = 1
BEAT, LEAVING = b".", b"!"
BEAT_EVERY = 1.0

# A call makes some hundred objects that are gone before the next collection: Python's 700 looks for cycles in vain.
GC_THRESHOLD = 20_000

# What a second SIGTERM or SIGINT is to a supervised worker. Those it may get twice anyway: from its parent, and from a
# terminal or an init system that signals the whole group.
CUT = signal.SIGUSR2

_PR_SET_PDEATHSIG = 1

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Place:
    """What a supervisor gives to a worker: descriptors of its listener and of the pipe it beats on, its name in the
    metrics, the folder that all workers keep their files in, and the process id to expect as its parent.
    """

    listener: int
    heartbeat: int
    metrics_id: str
    folder: Path
    parent: int


def run(service: Coroutine[None, None, T]) -> T:
    """Run `serve` on a uvloop of its own. Raises what it raises."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(service)


async def serve(
    config: Config,
    ready: Callable[[App], None] | None = None,
    place: Place | None = None,
    file: ConfigFile | None = None,
    current: bool = True,
) -> None:
    """Serve until told to end (see `_until_told_to_end`). Raises OSError if it can't listen.

    `file` is where `config` came from: it is watched, and read again on SIGHUP. If it is not `current`, because the
    file has faults now, they are told at once, as after a reload.
    """
    writer = LineWriter(lambda batch: write_all(STDOUT, batch))
    configure(writer, **({"pid": os.getpid()} if place else {}))
    heartbeat = Heartbeat(place.heartbeat) if place else None
    try:
        app = App(config, writer, _shared_metrics(place), os.getpid()) if place else App(config, writer)
        for warning in config.warnings:
            log.warning("configuration", detail=warning)
        await app.start(socket.socket(fileno=place.listener) if place else None)
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        host, port = app.address
        log.info("listening", host=host, port=port, config_version=config.version)
        if ready is not None:
            ready(app)
        with _reloading(app, config, file, current):
            await _until_told_to_end(app, heartbeat)
        log.info("stopped")
    finally:
        if heartbeat is not None:
            heartbeat.stop()
        writer.close()


def _reloading(app: App, config: Config, file: ConfigFile | None, current: bool) -> AbstractContextManager[None]:
    if file is None:
        return nullcontext()
    reloader = Reloader(file, config, app.take, app.metrics.config_refused)
    if not current:
        reloader.hang_up()
    return reloading(reloader)


async def _until_told_to_end(app: App, heartbeat: "Heartbeat | None") -> None:
    """SIGTERM: drain, and accept for a moment yet. SIGINT: drain, and accept no more. A second one cuts (see `CUT`)."""
    signals: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, CUT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    if heartbeat is not None:
        heartbeat.start(orphaned=lambda: signals.put_nowait(signal.SIGINT))
    while (first := await signals.get()) == CUT and heartbeat is None:
        log.warning("there is no supervisor to replace workers", signal=signal.Signals(first).name)
    log.info("draining", calls=len(app.live), signal=signal.Signals(first).name)
    if heartbeat is not None:
        heartbeat.say(LEAVING)
    if first == CUT:
        app.live.cut()
    cutting = {CUT} if heartbeat is not None else {signal.SIGTERM, signal.SIGINT}
    hurry = loop.create_task(_cut_when_told(app, signals, cutting), name="second signal")
    await app.stop(accept_grace=ACCEPT_GRACE if first == signal.SIGTERM else 0.0)
    hurry.cancel()


async def _cut_when_told(app: App, signals: "asyncio.Queue[int]", cutting: Collection[int]) -> None:
    while await signals.get() not in cutting:
        pass
    app.live.cut()


def _shared_metrics(place: Place) -> Metrics:
    hold(place.folder)
    keep_in_files(place.metrics_id)
    return Metrics(place.folder)


def bind_to_parent(place: Place) -> None:
    """Drain when it dies. Raises ProcessLookupError if it has died already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))
    if os.getppid() != place.parent:
        raise ProcessLookupError("the supervisor has ended")


class Heartbeat:
    """Tells the parent, by a byte on a pipe, first that this worker is ready, then every second that its loop turns."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._timer: asyncio.TimerHandle | None = None
        self._orphaned: Callable[[], None] | None = None
        os.set_blocking(descriptor, False)

    def start(self, orphaned: Callable[[], None]) -> None:
        """`orphaned` is called when nobody is there to hear it."""
        self._orphaned = orphaned
        self._beat()

    def _beat(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(BEAT_EVERY, self._beat)
        self.say(BEAT)

    def say(self, what: bytes) -> None:
        try:
            os.write(self._descriptor, what)
        except BlockingIOError:
            pass
        except OSError:
            self.stop()
            if self._orphaned is not None:
                self._orphaned()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
