"""The shared store as calls meet it: Redis while it answers, the configured policy while it does not."""

import asyncio
import math
import random
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace

import structlog
from msgspec import structs

from gateway.core.errors import LimiterUnavailable
from gateway.core.limits import Demand, Limits, Use, Verdict
from gateway.core.ports import StoreMeter
from gateway.core.settings import OnError, StoreSettings
from gateway.store import redis
from gateway.store.batch import Batcher
from gateway.store.command import Awaited
from gateway.store.failures import UNEXPECTED, Failure, Kind, StoreRefused, Unlinked
from gateway.store.link import Address
from gateway.store.memory import MemoryStore

START_TIMEOUT = 2.0
# Seconds before another attempt to reconnect: random, so that many processes do not come back as one, and doubled.
BACKOFF = 0.05
MAX_BACKOFF = 1.0
# A connection that held so long was a good one.
STABLE = 1.0
# An outage is logged at most this often, however the connection comes and goes.
QUIET = 10.0

# In place of the connection of a call that this process admitted alone.
ALONE = -1

_REFUSED = {
    Kind.AUTH: "the shared store refuses the user, the password, or a command that the gateway needs",
    Kind.SCRIPT: "the shared store can't run the gateway's scripts: it must be Redis 7 or newer",
}

log = structlog.get_logger()


class GuardedStore:
    """Fits `ports.Store`. While there is no good connection, no call waits for one."""

    def __init__(self, settings: StoreSettings, workers: int, meter: StoreMeter) -> None:
        self._settings = settings
        self._workers = workers
        self._meter = meter
        self._batcher = Batcher(Address.of(settings.url), redis.GREETING, meter, self._lost)
        self._batcher.timeout = settings.timeout
        self._loop = asyncio.get_running_loop()
        # As long as the process: an outage that comes and goes gives no new bursts.
        self._local = MemoryStore(time.monotonic)
        # Admitted calls, by key and call id: over which connection, or ALONE. `links` counts those that were lost.
        self._running: dict[tuple[str, str], int] = {}
        self._links = 0
        # While it is, calls go to Redis.
        self._up = False
        self._down = asyncio.Event()
        self._degraded = False
        self._fell_at = -math.inf
        self._logged = False
        self._last_logged = -math.inf
        self._linking: asyncio.Task[None] | None = None
        self._renewing: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        state = "degraded" if self._degraded else "up" if self._up else "down"
        return f"<GuardedStore {state}, {len(self._running)} running>"

    def take(self, settings: StoreSettings) -> None:
        """From now on; a new `url` and a new `lease_ttl`, by which leases already run, count from the next start on."""
        self._settings = replace(settings, url=self._settings.url, lease_ttl=self._settings.lease_ttl)
        self._batcher.timeout = settings.timeout

    @property
    def ready(self) -> bool:
        return self._up or self._settings.on_error is OnError.LOCAL

    # -- calls

    async def admit(self, demand: Demand) -> Verdict:
        if not self._up:
            return self._decide(demand, None)
        ask = redis.Admit(
            self._loop.create_future(),
            redis.admit(demand, self._settings.lease_ttl),
            self._loop.time() + self._settings.timeout,
            lambda: self._release(demand),
        )
        self._batcher.put(ask)
        try:
            reply = await ask.future
        except asyncio.CancelledError:
            # Cancelled in the tick in which the answer came: it is in, and nobody will settle it.
            if not ask.future.cancelled():
                ask.abandoned(ask.future.result())
            raise
        if isinstance(reply, Failure):
            return self._decide(demand, reply)
        if self._degraded:
            self._recovered()
        admitted = reply[0] == 1
        if admitted:
            self._running[demand.key, demand.call_id] = self._links
        return Verdict(admitted, redis.read_use(reply), demand.limits)

    def _decide(self, demand: Demand, failure: Failure | None) -> Verdict:
        """Without the shared store. Raises LimiterUnavailable."""
        settings = self._settings
        unknown = failure is not None and failure.unknown
        unexpected = failure is not None and failure.kind in UNEXPECTED
        if failure is not None and not unexpected:
            self._fell(failure.kind)
        if unexpected or settings.on_error is OnError.DENY or demand.limits.budget is not None:
            if unknown:
                self._release(demand)
            raise LimiterUnavailable
        share = demand.limits.shared_by(settings.replicas * self._workers)
        verdict = self._local.decide(demand, share)
        if verdict.admitted:
            self._running[demand.key, demand.call_id] = ALONE
        elif unknown:
            self._release(demand)
        return structs.replace(verdict, degraded=True)

    def settle(self, demand: Demand, tokens: int, micro_usd: int) -> None:
        link = self._running.pop((demand.key, demand.call_id), None)
        if link is None:
            return
        if link == ALONE:
            self._local.settle(demand, tokens, micro_usd)
        mode = redis.FIRST if link == self._links else redis.ONCE
        self._batcher.put(redis.Settlement(demand, self._settings.lease_ttl, mode, (tokens, micro_usd)))

    def _release(self, demand: Demand) -> None:
        self._batcher.put(redis.release(demand, self._settings.lease_ttl))

    async def use(self, key: str, limits: Limits, wall: float) -> Use:
        if not self._up:
            raise LimiterUnavailable
        settings = self._settings
        packed = redis.use(key, limits, wall, settings.lease_ttl)
        ask = redis.Ask(self._loop.create_future(), packed, self._loop.time() + settings.timeout)
        self._batcher.put(ask)
        reply = await ask.future
        if isinstance(reply, Failure):
            raise LimiterUnavailable
        return redis.read_use(reply)

    # -- the connection

    async def start(self) -> None:
        """Connect, or go on without if that takes too long. Raises StoreRefused."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._link_at_first()
                await self._warn_of_eviction()
        except TimeoutError:
            self._fell(Kind.TIMEOUT)
        except Unlinked as error:
            if error.kind in _REFUSED:
                self._batcher.close()
                raise StoreRefused(_REFUSED[error.kind]) from None
            self._fell(error.kind)
        self._linking = self._loop.create_task(self._keep_linked(), name="store link")
        self._renew_again()

    async def _link_at_first(self) -> None:
        """A process that is just starting is slow itself: a late reply says nothing yet. Raises Unlinked."""
        while True:
            try:
                return await self._link()
            except Unlinked as error:
                if error.kind is not Kind.TIMEOUT:
                    raise

    async def _link(self) -> None:
        """Connect, settle what could not be settled, then renew every lease before any call is admitted.

        Raises Unlinked.
        """
        await self._batcher.connect()
        settled = Awaited(self._loop.create_future(), redis.GREETING.probe, math.inf)
        self._batcher.put(settled)
        reply = await settled.future
        if isinstance(reply, Failure):
            raise Unlinked(reply.kind)
        if not self._batcher.open:
            raise Unlinked(Kind.CONNECTION)
        self._up = True
        self._down.clear()
        self._recovered()
        self._renew()

    async def _keep_linked(self) -> None:
        attempt = 0
        while True:
            if self._up:
                since = self._loop.time()
                await self._down.wait()
                attempt = 0 if self._loop.time() - since > STABLE else attempt + 1
            await asyncio.sleep(random.uniform(0, min(MAX_BACKOFF, BACKOFF * 2 ** min(attempt, 10))))  # noqa: S311
            try:
                await self._link()
            except Unlinked as error:
                attempt += 1
                self._fell(error.kind)

    async def _warn_of_eviction(self) -> None:
        inquiry = redis.Eviction(self._loop.create_future(), self._loop.time() + self._settings.timeout)
        self._batcher.put(inquiry)
        if await inquiry.future == (1,):
            log.warning("store evicts", detail="maxmemory-policy is not noeviction: limits may be forgotten")

    def _renew_again(self) -> None:
        every = self._settings.lease_ttl / 3
        if self._up:
            self._renew()
            if self._loop.time() - self._fell_at > every:  # a store that is full refuses calls, and only calls
                self._recovered()
        self._renewing = self._loop.call_later(every, self._renew_again)

    def _renew(self) -> None:
        calls = defaultdict(list)
        for key, call_id in self._running:
            calls[key].append(call_id)
        for key, call_ids in calls.items():
            for start in range(0, len(call_ids), redis.CHUNK):
                chunk = call_ids[start : start + redis.CHUNK]
                self._batcher.put(redis.Renewal(key, chunk, self._settings.lease_ttl))

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109
        """Wait until all is settled, at most `timeout` seconds, and only while there is a connection."""
        if self._renewing is not None:
            self._renewing.cancel()
        if self._linking is not None:
            self._linking.cancel()
            await asyncio.wait((self._linking,))
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._batcher.open and not self._batcher.idle:  # noqa: ASYNC110 - off the path of calls
                    await asyncio.sleep(0.01)
        self._up = False
        self._batcher.close()

    # -- what is measured and logged of it

    def _lost(self, failure: Failure) -> None:
        self._links += 1
        self._up = False
        self._down.set()
        self._fell(failure.kind)

    def _fell(self, kind: Kind) -> None:
        self._fell_at = self._loop.time()
        if not self._degraded:
            self._degraded = True
            self._meter.degraded(True)
        if not self._logged and self._loop.time() - self._last_logged > QUIET:
            self._logged = True
            self._last_logged = self._loop.time()
            log.warning("store degraded", kind=kind.value, on_error=self._settings.on_error.value)

    def _recovered(self) -> None:
        if self._degraded:
            self._degraded = False
            self._meter.degraded(False)
        if self._logged:
            self._logged = False
            log.info("store recovered")
