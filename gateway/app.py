"""One worker: builds the rooms into a gateway, owns their lifetimes, and is the only place where they all meet."""

import asyncio
import logging
import random
import socket
import time
from collections.abc import Callable

import structlog

from gateway.core.settings import Config
from gateway.edge.dispatch import Dispatch
from gateway.edge.server import BACKLOG, GatewayServer
from gateway.flow.account import Account
from gateway.flow.admit import Admission
from gateway.flow.exchange import House
from gateway.flow.fallback import Fallback
from gateway.flow.pipe import Piping
from gateway.flow.plan import Planner
from gateway.observe.logs import LineWriter
from gateway.observe.metrics import Metrics
from gateway.observe.record_log import RecordLog
from gateway.observe.recorder import Recorder
from gateway.state.health import Health, TargetState
from gateway.state.keyring import Keyring
from gateway.state.live import Live
from gateway.state.timers import TICK, Wheel
from gateway.store import open_store
from gateway.upstream.probe import UpstreamProber
from gateway.upstream.sender import Sender

# While it drains: how long it accepts yet, until load balancers know; how long a client may leave a connection idle.
ACCEPT_GRACE = 2.0
IDLE_GRACE = 5.0
DRAIN_STEP = 0.1
CUT_TIMEOUT = 5.0
SHUTDOWN_TIMEOUT = 2.0
STORE_TIMEOUT = 2.0
GAUGES_EVERY = 1.0
# Of a connection, in the kernel: one that takes nothing would hold megabytes there before anybody is paused.
MAX_UNSENT = 128 * 1024

log = structlog.get_logger()


class App:
    """A gateway on one event loop. `config` is that of new calls; `address` where it really listens (port 0 is any).

    `pid` is in the lines of calls, where there are several workers.
    """

    def __init__(
        self, config: Config, writer: LineWriter, metrics: Metrics | None = None, pid: int | None = None
    ) -> None:
        self._writer = writer
        self.config = config
        self.wheel = Wheel(time.monotonic(), _report)
        self.health = Health()
        self.live = Live()
        self.metrics = metrics or Metrics()
        self.recorder = Recorder((self.metrics, RecordLog(writer.put, pid)))
        self.store = open_store(config.store, config.server.workers, self.metrics)
        self.sender = Sender(config.routes.upstreams, self.wheel)
        handle = self._build(config, self.sender).handle
        self._server = GatewayServer(handle, config, self.wheel, logging.getLogger("gateway.http"))
        self._listener: asyncio.Server | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self.metrics.config_taken(config.version)

    def _build(self, config: Config, sender: Sender) -> Dispatch:
        clock, dice = time.monotonic, random.Random()  # noqa: S311 - for spreading load
        house = House(
            config=config,
            keyring=Keyring(config.callers),
            live=self.live,
            planner=Planner(config.routes, self.health, dice),
            admission=Admission(self.store, dice, time.time),
            fallback=Fallback(sender, self.health, clock, asyncio.sleep, dice),
            piping=Piping(config.server, self.wheel, self.live, clock),
            account=Account(self.recorder, self.live, clock, config.version),
            clock=clock,
        )
        return Dispatch(house, UpstreamProber(sender), self._render_metrics)

    def take(self, config: Config) -> None:
        """Calls from now on are `config`'s; those under way keep the one they began with, and its connections."""
        before, sender = self.sender, Sender(config.routes.upstreams, self.wheel, self.sender)
        handle = self._build(config, sender).handle
        self.config, self.sender = config, sender
        self.store.take(config.store)
        self._server.take(handle, config)
        before.close(sender)
        self.metrics.config_taken(config.version)

    @property
    def address(self) -> tuple[str, int]:
        assert self._listener is not None
        host, port = self._listener.sockets[0].getsockname()[:2]
        return host, port

    async def start(self, listener: socket.socket | None = None) -> None:
        """Listen on `listener`, or on the settings' address. Raises OSError if that is taken, and StoreRefused."""
        self._server.verify()
        await self.store.start()
        self._tick()
        if self.metrics.shared is not None:
            self._keep_gauges()
        settings = self.config.server
        where = {"host": settings.host, "port": settings.port} if listener is None else {"sock": listener}
        self._listener = await asyncio.get_running_loop().create_server(self._server, backlog=BACKLOG, **where)
        for accepting in self._listener.sockets:  # what it accepts inherits it
            accepting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT)

    def _tick(self) -> None:
        now = time.monotonic()
        self.metrics.loop_lag.observe(max(0.0, now - self.wheel.now - TICK))
        self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick)
        self.wheel.tick(now)
        self.recorder.flush()

    async def _render_metrics(self) -> bytes:
        self.recorder.flush()
        self._refresh_gauges()
        return await asyncio.get_running_loop().run_in_executor(None, self.metrics.render)

    def _keep_gauges(self) -> None:
        """Current also while other workers answer who asks for them."""
        self.wheel.at(self.wheel.now + GAUGES_EVERY, self._keep_gauges)
        self._refresh_gauges()

    def _refresh_gauges(self) -> None:
        self.metrics.count_dropped(self._writer.dropped)
        states = self.health.states(time.monotonic())
        targets = [(model.name, model.upstream.name) for model in self.config.routes.models.values()]
        known = {target: states.get(target, TargetState.CLOSED) for target in targets}
        self.metrics.refresh(self.live.streams, known)

    async def stop(self, drain_timeout: float | None = None, accept_grace: float = 0.0) -> None:
        """Accept for `accept_grace` seconds yet. Calls under way get `drain_timeout` seconds, by default the
        configuration's, and then the error event and a cut. `live.cut` ends both at once.
        """
        timeout = self.config.server.drain_timeout if drain_timeout is None else drain_timeout
        began = time.monotonic()
        self.live.draining = True
        self._server.close_after_answers()
        await _until(lambda: self.live.cut_off, began + min(accept_grace, timeout))
        if self._listener is not None:
            self._listener.close()
        await _until(lambda: self.live.cut_off or self._let_go_of_idle(began), began + timeout)
        if not self.live.cut_off:
            self.live.cut()
        await _until(self._let_go_of_all, time.monotonic() + CUT_TIMEOUT)
        self._server.pre_shutdown()
        await self._server.shutdown(SHUTDOWN_TIMEOUT)
        await self.store.stop(STORE_TIMEOUT)
        self.sender.close()
        if self._ticking is not None:
            self._ticking.cancel()
        self.recorder.flush()

    def _let_go_of_idle(self, began: float) -> bool:
        """Whether nothing is left to wait for. A client that has just had its answer may be sending its next request,
        and gets the `Connection: close` of that one's answer; one that rests is closed.
        """
        since = time.monotonic() - IDLE_GRACE
        if since >= began:
            self._server.close_idle(since)
        return not len(self.live) and not self._server.connections

    def _let_go_of_all(self) -> bool:
        self._server.close_idle(time.monotonic())
        return not len(self.live)


async def _until(condition: Callable[[], bool], end: float) -> None:
    while not condition() and time.monotonic() < end:  # noqa: ASYNC110 - counters, off the path of calls
        await asyncio.sleep(min(DRAIN_STEP, max(0.0, end - time.monotonic())))


def _report(error: Exception) -> None:
    log.error("a timer failed", exc_info=error)
