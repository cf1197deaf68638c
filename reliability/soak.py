"""Minutes of every fault at once, of clients that leave at random, at full load: what is held does not grow."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from gateway.simulator import FAULTS
from reliability.client import Client, post
from reliability.promise import Figure, Run, most, none
from reliability.serving import Serving, Settings, descriptors, place, rss_mb

CLIENTS = 48
MINUTES = 30.0
WARM_UP = 0.25  # of the time; what is kept for the next call is there then
QUIET = 33.0  # idle connections to upstreams are kept for 30 s
PATIENCE = 5.0
TIMEOUTS = ", first_byte_timeout: 300ms, idle_timeout: 300ms, timeout: 2s"
SLOW = {"slow-head", "one-byte"}
HEALTHY = ("sim-200tps-20tok", "sim-large", "sim-20tok-20ms")
DOCUMENTED = {200, 400, 404, 413, 422, 429, 502, 503, 504}
RSS_GROWTH, SPARE_DESCRIPTORS = 1.10, 4


@dataclass(frozen=True, slots=True)
class Held:
    """What the gateway holds while nobody calls."""

    rss: float
    descriptors: int
    streams: int
    active: float


@dataclass
class Storm:
    """Clients that ask for anything, and leave when they like."""

    port: int
    dice: random.Random
    answers: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    left: int = 0
    odd: Counter[str] = field(default_factory=Counter)
    _over: bool = False

    async def blow(self, seconds: float) -> None:
        self._over = False
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._client(), name=f"client {number}") for number in range(CLIENTS)]
        await asyncio.sleep(seconds)
        self._over = True
        await asyncio.gather(*tasks)

    async def _client(self) -> None:
        client = Client(self.port)
        while not self._over:
            patience = self.dice.choice((PATIENCE, PATIENCE, PATIENCE, 0.0, 0.005, 0.05))
            try:
                async with asyncio.timeout(patience):
                    answer = await client.ask(self._request())
            except TimeoutError:
                client.leave()
                self.left += 1
                if patience == PATIENCE:
                    self.odd["no answer in time"] += 1
            except (OSError, EOFError) as error:
                client.leave()
                self.odd[repr(error)] += 1
            else:
                self.answers[answer.status] += 1
                self.broken += not answer.complete
                if answer.status not in DOCUMENTED:
                    self.odd[str(answer.status)] += 1
        client.leave()

    def _request(self) -> bytes:
        if self.dice.random() < 0.5:
            name = self.dice.choice(HEALTHY)
        else:
            name = "fault-" + self.dice.choice([name for name in FAULTS if name not in SLOW])
        model = self.dice.choice((f"first/{name}", f"second/{name}", "fast"))
        return post(model, stream=self.dice.random() < 0.6)


async def soak(run: Run) -> list[Figure]:
    seconds = 20.0 if run.quick else MINUTES * 60
    quiet = 3.0 if run.quick else QUIET
    async with place(run) as here, here.gateway(Settings(models=TIMEOUTS)) as gateway:
        storm = Storm(gateway.port, random.Random(7))
        await storm.blow(seconds * WARM_UP)
        before = await _held(gateway, quiet)
        curve = await _watched(gateway, storm, seconds * (1 - WARM_UP))
        after = await _held(gateway, quiet)
        died = len(gateway.told("worker died"))
        errors = len(gateway.told("internal error"))
    calls = f"{storm.answers.total() + storm.left:,}"
    broke = f"{storm.broken:,} broke off, {storm.left:,} were left"
    what = f"{seconds / 60:.1f} minutes of faults, {calls} calls ({broke})"
    spare = SPARE_DESCRIPTORS + (CLIENTS * 2 if run.quick else 0)
    return [
        none(f"{what}: answers that are not documented", storm.odd.total(), calls),
        none("soak: workers died, internal errors", died + errors, calls),
        most("soak: RSS at rest, after / before", after.rss / before.rss, RSS_GROWTH, ""),
        most("soak: RSS under load, last third / first", _thirds(curve), RSS_GROWTH, ""),
        most("soak: file descriptors at rest, more than before", after.descriptors - before.descriptors, spare, ""),
        none("soak: leases and open streams at rest", after.streams + int(after.active), calls),
    ]


async def _watched(gateway: Serving, storm: Storm, seconds: float) -> list[float]:
    """RSS in MB over the time; the log is thrown away now and then."""
    curve: list[float] = []

    async def watch() -> None:
        while True:
            curve.append(rss_mb(gateway.workers))
            gateway.forget_calls()
            await asyncio.sleep(1.0)

    watching = asyncio.get_running_loop().create_task(watch(), name="watch")
    await storm.blow(seconds)
    watching.cancel()
    return curve


def _thirds(curve: list[float]) -> float:
    third = len(curve) // 3
    return sum(curve[-third:]) / sum(curve[:third])


async def _held(gateway: Serving, quiet: float) -> Held:
    """After so many seconds of rest."""
    await asyncio.sleep(quiet)
    streams = await gateway.streams_held()
    active = await gateway.metric("active_streams")
    workers = gateway.workers
    return Held(rss_mb(workers), descriptors(workers), streams, active)
