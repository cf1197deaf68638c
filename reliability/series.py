"""Ten thousand requests that all name something else: the metrics do not grow."""

import asyncio
import random
import string

from reliability.client import KEY, Client, get, post
from reliability.promise import Figure, Run
from reliability.serving import Serving, Settings, place

COUNT = 10_000
CLIENTS = 8
SETTLED_AFTER = 1.5  # the gauges of each worker are written once a second
_LETTERS = string.ascii_letters + string.digits


async def series(run: Run) -> list[Figure]:
    count = 2_000 if run.quick else COUNT
    dice = random.Random(5)
    async with place(run) as here, here.gateway(Settings()) as gateway:
        await _ask(gateway, [request for _ in range(40) for request in _strange(dice)])
        before = await _series(gateway)
        asked = [request for _ in range(count // len(_strange(dice))) for request in _strange(dice)]
        await _ask(gateway, asked)
        after = await _series(gateway)
    new = sorted(after - before)
    what = f"metric series, {len(asked):,} requests with random models, paths, keys and headers later"
    return [Figure(what, f"{len(before):,}, then {len(after):,}", "unchanged", not new)]


def _strange(dice: random.Random) -> list[bytes]:
    """One request of each kind, every name in it new."""

    def name(length: int = 12) -> str:
        return "".join(dice.choices(_LETTERS, k=length))

    return [
        post(name(), stream=False),
        post(f"first/{name()}", stream=False),
        post(f"first/{name()}", stream=True),
        post(f"second/fail-second-{name()}", stream=False),
        post("fast", stream=False, headers=f"X-Provider: {name()}\r\n"),
        post("fast", stream=False, headers=f"X-Request-Id: {name()}\r\nX-{name()}: {name()}\r\n"),
        post("fast", stream=False, headers=f"x-stainless-retry-count: {dice.randrange(10**9)}\r\n"),
        post("fast", stream=False, key=f"sk-gw-{name(43)}"),
        post("fast", stream=False, **{name(): name()}),
        get(f"/{name()}"),
        get(f"/v1/models/{name()}"),
        get(f"/v1/models?{name()}={name()}"),
        get("/v1/models", key=f"{KEY}{name()}"),
    ]


async def _ask(gateway: Serving, requests: list[bytes]) -> None:
    waiting = iter(requests)

    async def client() -> None:
        own = Client(gateway.port)
        for request in waiting:
            await own.ask(request)
        own.leave()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


async def _series(gateway: Serving) -> set[str]:
    """Names and labels, without their values."""
    await asyncio.sleep(SETTLED_AFTER)
    lines = (await gateway.metrics()).splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}
