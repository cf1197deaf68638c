"""Two workers and one Redis let through what the limits say: counted at the upstreams, and in what was paid.

While Redis answers and keeps its data, exactly that; after it came back empty, one more burst; while it is away, each
worker's share.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

from gateway.simulator import Pause, Step, event, sse_answer
from reliability.arrivals import Arrivals
from reliability.client import KEY, Client, ask, get, post
from reliability.promise import Figure, Run, none
from reliability.serving import Place, Serving, Settings
from reliability.shared import Redis, place_of_one_redis

CLIENTS = 24
RATE, BURST, STREAMS = 3, 40, 6
STREAMER = "sk-gw-" + "s" * 43
PAYER = "sk-gw-" + "p" * 43
FREED_WITHIN = 10.0

_KEYS = f"""
  - {{name: streamer, key: {STREAMER}, limits: streams}}
  - {{name: payer, key: {PAYER}, limits: paid}}
limits:
  all: {{requests_per_minute: {RATE * 60}, request_burst: {BURST}}}
  streams: {{concurrent_streams: {STREAMS}}}
  paid: {{tokens_per_minute: 100000000, budget: {{usd: 1000000, period: month}}}}
"""
_EVENT = event({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]})
_STOP = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def _slow_stream() -> Iterator[Step]:
    """The last event brings the end along, which is where the gateway's call ends."""
    *events, done, last = sse_answer([_EVENT] * 7 + [_STOP])
    for step in events:
        yield step
        yield Pause(0.02)
    yield done
    yield last


def _config(here: Place) -> str:
    """Three keys, each held to something else; the rest is that of all promises."""
    text = here.config(Settings(store=", lease_ttl: 5s"))
    text = text.replace('name: "*"}', 'name: "*", price: {input: 1, output: 2}}')
    head, _, rest = text.partition("limits:\n")
    return head + rest[rest.index("keys:") :].rstrip() + _KEYS


class Crowd:
    """Clients of all three keys, some of whom leave at a random moment, with a reset or not."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._dice = random.Random(seed)
        self._stopped = False
        self.odd: Counter[int] = Counter()
        self.degraded = 0

    async def run(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, self.stop)
        kinds = [("first/rate", KEY), ("second/streams", STREAMER), ("first/paid", PAYER)]
        await asyncio.gather(*(self._client(*kinds[number % len(kinds)]) for number in range(CLIENTS)))

    def stop(self) -> None:
        self._stopped = True

    async def _client(self, model: str, key: str) -> None:
        while not self._stopped:
            client = Client(self._port)
            try:
                async with asyncio.timeout(self._dice.choice([0.005, 0.03, 0.1, 10.0])):
                    request = post(model, stream=key == STREAMER or self._dice.random() < 0.7, key=key, max_tokens=20)
                    answer = await client.ask(request)
                    self.degraded += "x-gateway-degraded" in answer.headers
                    if answer.status not in (200, 429, 503):
                        self.odd[answer.status] += 1
            except TimeoutError:
                pass
            finally:
                client.leave()
            await asyncio.sleep(0.02)


async def admission(run: Run) -> list[Figure]:
    seconds = 6.0 if run.quick else 60.0
    async with place_of_one_redis(run) as (here, redis):
        rate = Arrivals(here.first, b'"rate"', here.first.script)
        streams = Arrivals(here.second, b'"streams"', lambda _: _slow_stream())
        async with here.gateway(Settings(), _config(here)) as gateway:
            figures = await _while_it_answers(gateway, rate, streams, seconds)
            figures += await _while_it_stutters(gateway, redis, seconds)
            figures += await _when_it_comes_back_empty(gateway, redis, rate, seconds)
    return figures


async def _while_it_answers(gateway: Serving, rate: Arrivals, streams: Arrivals, seconds: float) -> list[Figure]:
    began = time.monotonic()
    crowd = Crowd(gateway.port, 1)
    await crowd.run(seconds)
    ended = time.monotonic()
    most = streams.at_once(began, ended)
    return [
        none(
            "2 workers, clients leaving at random: calls over burst + rate x t, at the upstream's log",
            rate.over(BURST, RATE, began, ended),
            f"{len(rate.came):,}, {crowd.degraded} decided without Redis",
        ),
        none("  … streams over the limit at once", max(0, most - STREAMS), f"{len(streams.came):,}, {most} at once"),
        none("  … answers other than 200, 429 and 503", crowd.odd.total(), f"all {dict(crowd.odd)}"),
    ]


async def _while_it_stutters(gateway: Serving, redis: Redis, seconds: float) -> list[Figure]:
    """Frozen for moments in which calls come, end and leave: replies come too late, and scripts run all the same."""
    crowd, dice = Crowd(gateway.port, 2), random.Random(2)
    running = asyncio.get_running_loop().create_task(crowd.run(seconds), name="crowd")
    stutters = 0
    while not running.done():
        redis.freeze()
        await asyncio.sleep(dice.uniform(0.05, 0.4))
        redis.thaw()
        stutters += 1
        await asyncio.sleep(dice.uniform(0.5, 1.5))
    await running
    await _free(gateway)
    gateway.told("call")
    charged = await _paid(gateway)
    used = sum(round(call.get("cost_usd", 0) * 1e6) for call in gateway.calls if call.get("key") == "payer")
    return [
        none(
            "Redis frozen for moments, replies lost: micro-USD charged twice or lost",
            abs(charged - used),
            f"{used:,} in {stutters} freezes",
        ),
    ]


async def _when_it_comes_back_empty(gateway: Serving, redis: Redis, rate: Arrivals, seconds: float) -> list[Figure]:
    """The burst was used before: what the workers admit by themselves is their share, and it is used up too."""
    crowd = Crowd(gateway.port, 3)
    running = asyncio.get_running_loop().create_task(crowd.run(seconds + 8.0), name="crowd")
    await asyncio.sleep(2.0)
    killed = time.monotonic()
    redis.kill()
    await asyncio.sleep(3.0)
    back = time.monotonic()
    await redis.start()
    while await gateway.metric("store_degraded"):
        await asyncio.sleep(0.02)
    whole = time.monotonic()
    await running
    ended = time.monotonic()
    shares = BURST + int(RATE * (whole - killed)) + 1
    return [
        none(
            "Redis killed: calls over the workers' shares while it is away", rate.over(BURST, RATE, killed, back), "all"
        ),
        none(
            "Redis back, empty: calls over the shares and one more burst",
            rate.over(BURST + shares, RATE, killed, ended),
            "all",
        ),
    ]


async def _paid(gateway: Serving) -> int:
    """Micro-USD, by the payer's own word."""
    answer = await ask(gateway.port, get("/v1/key", PAYER))
    return round(answer.json["limits"]["budget"]["spent_usd"] * 1e6) if answer.status == 200 else -1


async def _free(gateway: Serving) -> None:
    """Until nobody is degraded, nothing runs any more, and what was paid does not change."""
    before, paid = -2, -1
    async with asyncio.timeout(FREED_WITHIN):
        while before != paid or await gateway.metric("store_degraded"):
            await asyncio.sleep(0.5)
            before, paid = paid, await _paid(gateway)
