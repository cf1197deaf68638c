"""One worker: builds the rooms into a gateway, owns their lifetimes, and is the only place where they all meet."""

import asyncio
import gc
import logging
import random
import signal
import time
from collections.abc import Callable, Coroutine

import structlog
import uvloop

from gateway.core.settings import Config
from gateway.edge.dispatch import Dispatch
from gateway.edge.server import BACKLOG, GatewayServer
from gateway.flow.account import Account
from gateway.flow.exchange import House
from gateway.flow.fallback import Fallback
from gateway.flow.pipe import Piping
from gateway.flow.plan import Planner
from gateway.observe.logs import LineWriter, configure, write_all
from gateway.observe.metrics import Metrics
from gateway.observe.record_log import log_record
from gateway.observe.recorder import Recorder
from gateway.state.health import Health, TargetState
from gateway.state.keyring import Keyring
from gateway.state.live import Live
from gateway.state.timers import TICK, Wheel
from gateway.store.unlimited import Unlimited
from gateway.upstream.probe import UpstreamProber
from gateway.upstream.sender import Sender

DRAIN_TIMEOUT = 30.0
DRAIN_STEP = 0.1
CUT_TIMEOUT = 5.0
STDOUT = 1

# A call makes some hundred objects that are gone before the next collection: Python's 700 looks for cycles in vain.
GC_THRESHOLD = 20_000

log = structlog.get_logger()


class App:
    """A gateway on one event loop. `address` is where it really listens: port 0 in the settings means any."""

    def __init__(self, config: Config, writer: LineWriter) -> None:
        self._writer = writer
        self._settings = config.server
        self.wheel = Wheel(time.monotonic(), _report)
        self.health = Health()
        self.live = Live()
        self.metrics = Metrics()
        self.recorder = Recorder((self.metrics.observe, log_record))
        self.sender = Sender(config.routes.upstreams, self.wheel)
        self._dispatch = Dispatch(self._build(config), UpstreamProber(self.sender), self._render_metrics)
        self._server: GatewayServer | None = None
        self._listener: asyncio.Server | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._targets = [(model.name, model.upstream.name) for model in config.routes.models.values()]
        self.metrics.config_taken(config.version)

    def _build(self, config: Config) -> House:
        clock, dice = time.monotonic, random.Random()  # noqa: S311 - for spreading load
        return House(
            config=config,
            keyring=Keyring(config.callers),
            live=self.live,
            planner=Planner(config.routes, self.health, dice),
            admission=Unlimited(),
            fallback=Fallback(self.sender, self.health, clock, asyncio.sleep, dice),
            piping=Piping(config.server, self.wheel, self.live, clock),
            account=Account(self.recorder, self.live, clock, config.version),
            clock=clock,
        )

    @property
    def address(self) -> tuple[str, int]:
        assert self._listener is not None
        host, port = self._listener.sockets[0].getsockname()[:2]
        return host, port

    async def start(self) -> None:
        """Raises OSError if the address is taken."""
        self._tick()
        self._server = GatewayServer(
            self._dispatch.handle, self._settings, self.wheel, logging.getLogger("gateway.http")
        )
        self._server.verify()
        self._listener = await asyncio.get_running_loop().create_server(
            self._server, self._settings.host, self._settings.port, backlog=BACKLOG
        )

    def _tick(self) -> None:
        now = time.monotonic()
        self.metrics.loop_lag.observe(max(0.0, now - self.wheel.now - TICK))
        self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick)
        self.wheel.tick(now)
        self.recorder.flush()

    def _render_metrics(self) -> bytes:
        self.recorder.flush()
        self.metrics.count_dropped(self._writer.dropped)
        states = dict.fromkeys(self._targets, TargetState.CLOSED) | self.health.states(time.monotonic())
        return self.metrics.render(self.live.streams, states)

    async def stop(self, drain_timeout: float = DRAIN_TIMEOUT) -> None:
        """No new connections; calls under way get `drain_timeout` seconds, then the error event and a cut."""
        self.live.draining = True
        if self._listener is not None:
            self._listener.close()
        await self._until_quiet(drain_timeout)
        self.live.cut()
        await self._until_quiet(CUT_TIMEOUT)
        if self._server is not None:
            self._server.pre_shutdown()
            await self._server.shutdown(CUT_TIMEOUT)
        self.sender.close()
        if self._ticking is not None:
            self._ticking.cancel()
        self.recorder.flush()

    async def _until_quiet(self, timeout: float) -> None:  # noqa: ASYNC109
        end = time.monotonic() + timeout
        while len(self.live) and time.monotonic() < end:  # noqa: ASYNC110 - a counter, off the path of calls
            await asyncio.sleep(DRAIN_STEP)


def _report(error: Exception) -> None:
    log.error("a timer failed", exc_info=error)


def run(service: Coroutine[None, None, None]) -> None:
    """Run `serve` on a uvloop of its own. Raises what it raises."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(service)


async def serve(config: Config, ready: Callable[[App], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends the drain at once. Raises OSError if it can't listen."""
    writer = LineWriter(lambda batch: write_all(STDOUT, batch))
    configure(writer)
    try:
        app = App(config, writer)
        for warning in config.warnings:
            log.warning("configuration", detail=warning)
        await app.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        host, port = app.address
        log.info("listening", host=host, port=port, config_version=config.version)
        if ready is not None:
            ready(app)
        await _until_told_to_end(app)
        log.info("stopped")
    finally:
        writer.close()


async def _until_told_to_end(app: App) -> None:
    signals: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    await signals.get()
    log.info("draining", calls=len(app.live))
    stopping = loop.create_task(app.stop(), name="stop")
    hurry = loop.create_task(signals.get(), name="second signal")
    await asyncio.wait((stopping, hurry), return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        app.live.cut()
    hurry.cancel()
    await stopping
