"""Redis stops answering, without a word, under load: no call waits for it for long, and all is well soon after."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field

from reliability.client import Client, post
from reliability.promise import Figure, Run, most, none
from reliability.serving import Settings
from reliability.shared import place_of_one_redis

CLIENTS = 16
MODEL = "first/small"
EXTRA = 150.0
RECOVERED_WITHIN = 5.0
HUNG = 5.0
WATCHED = 6.0


@dataclass
class Calls:
    """Clients in closed loops; of each call when it ended, how many milliseconds it took, and whether by the share."""

    port: int
    ended: list[tuple[float, float, bool]] = field(default_factory=list)
    failed: int = 0
    hung: int = 0
    stopped: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._client(number % 2 == 0) for number in range(CLIENTS)))

    async def _client(self, stream: bool) -> None:
        client = Client(self.port)
        while not self.stopped:
            began = time.monotonic()
            try:
                async with asyncio.timeout(HUNG):
                    answer = await client.ask(post(MODEL, stream=stream))
            except TimeoutError:
                self.hung += 1
                client.leave()
                continue
            ended = time.monotonic()
            self.failed += answer.status != 200
            self.ended.append((ended, (ended - began) * 1000, "x-gateway-degraded" in answer.headers))
            await asyncio.sleep(0.01)
        client.leave()

    def slowest(self, began: float, ended: float) -> float:
        return max(took for at, took, _ in self.ended if began <= at <= ended)


async def redis_frozen(run: Run) -> list[Figure]:
    rounds, frozen = (1, 2.0) if run.quick else (5, 10.0)
    extra: list[float] = []
    recovery: list[float] = []
    async with place_of_one_redis(run) as (here, redis), here.gateway(Settings()) as gateway:
        calls = Calls(gateway.port)
        running = asyncio.get_running_loop().create_task(calls.run(), name="calls")
        await asyncio.sleep(1.0)
        for _ in range(rounds):
            began = time.monotonic()
            await asyncio.sleep(2.0)
            froze = time.monotonic()
            redis.freeze()
            await asyncio.sleep(frozen)
            thawed = time.monotonic()
            redis.thaw()
            await asyncio.sleep(WATCHED)
            extra.append(calls.slowest(froze, thawed) - calls.slowest(began, froze))
            recovery.append(max(at for at, _, degraded in calls.ended if degraded) - thawed)
        calls.stopped = True
        await running
    count = f"{len(calls.ended):,}, Redis frozen {rounds} times for {frozen:.0f} s"
    return [
        most(
            "Redis frozen (SIGSTOP): extra latency, the slowest call beside the slowest before", max(extra), EXTRA, "ms"
        ),
        Figure("  … in the middle of all rounds", f"{statistics.median(extra):.3g} ms", "", kept=True),
        none("Redis frozen: requests hung", calls.hung, count),
        none("Redis frozen: requests failed", calls.failed, count),
        most("Redis answers again: last call decided without it after", max(*recovery, 0.0), RECOVERED_WITHIN, "s"),
    ]
