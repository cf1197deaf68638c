"""A worker is killed with its streams: the places they held are free when their leases end, and nobody else's are."""

import asyncio
import os
import signal
import time

from reliability.client import Client, ask, post
from reliability.promise import Figure, Run, most, none
from reliability.serving import Serving, Settings, place

STREAMS = 60
ENDLESS = "first/sim-5tps-100000tok"
MARGIN = 1.0
FREED_WITHIN = 1.0


async def leases(run: Run) -> list[Figure]:
    ttl = 5 if run.quick else 30
    settings = Settings(store=f", lease_ttl: {ttl}s", streams=STREAMS)
    async with place(run) as here, here.gateway(settings) as gateway:
        streams = [Client(gateway.port) for _ in range(STREAMS)]
        readers = [(await client.send(post(ENDLESS, stream=True)))[0] for client in streams]
        for reader in readers:
            await reader.readuntil(b'"content":')
        refused = (await ask(gateway.port, post(ENDLESS, stream=True))).status
        victim = gateway.told("worker started")[0]["pid"]
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        cut = await _cut(readers)
        freed = await _until_held(gateway, STREAMS - cut, ttl + 10.0) - killed
        again = [Client(gateway.port) for _ in range(cut)]
        admitted = [await _begins(client) for client in again]
        left = time.monotonic()
        for client in (*streams, *again):
            client.leave()
        after = await _until_held(gateway, 0, ttl + 10.0) - left
    return [
        Figure(
            "the limit of streams holds before a worker is killed", f"{refused} for one more", "429", refused == 429
        ),
        most(f"SIGKILL of a worker with {cut} of {STREAMS} streams: their leases end after", freed, ttl + MARGIN, "s"),
        none("then: new streams refused although places are free", admitted.count(False), str(cut)),
        most("all clients leave: leases are gone after", after, FREED_WITHIN, "s"),
    ]


async def _cut(readers: list[asyncio.StreamReader]) -> int:
    """How many of them have ended a second later."""

    async def drain(reader: asyncio.StreamReader) -> None:
        while await reader.read(65_536):
            pass

    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(drain(reader), name="drain") for reader in readers]
    done, running = await asyncio.wait(tasks, timeout=1.0)
    for task in running:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return len(done)


async def _begins(client: Client) -> bool:
    reader, _ = await client.send(post(ENDLESS, stream=True))
    async with asyncio.timeout(10):
        return b" 200 " in await reader.readline()


async def _until_held(gateway: Serving, count: int, seconds: float) -> float:
    """When the store counted so many calls, or so many seconds later."""
    end = time.monotonic() + seconds
    while await gateway.streams_held() != count and time.monotonic() < end:
        await asyncio.sleep(0.02)
    return time.monotonic()
