"""Round trips to Redis, as both ends count them."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from redis.asyncio import Redis

from gateway.simulator import Gate, Simulator
from tests.counts import bounds
from tests.counts.bounds import Counts, compare
from tests.counts.calls import Client, Script, routes, written
from tests.counts.running import running, until_idle, until_stopped
from tests.processes.served import SERVE, Served
from tests.redis_server import RedisServer

CLIENTS = 32
CALLS = 10


class Trips:
    """Of one gateway since `begin`: what Redis has read, each of which is a trip, and what it was told to do."""

    def __init__(self, served: Served, redis: Redis) -> None:
        self._served = served
        self._redis = redis
        self._reads = self._commands = 0
        self._measured = 0.0

    async def begin(self) -> None:
        self._reads, self._commands = await self._counted()
        self._measured = await self._served.metric("store_seconds_count")

    async def by_call(self, calls: int) -> Counts:
        """Once all of them are settled, of which nobody is told."""
        asked, commands = 0, 0
        while commands < 2 * calls:
            asked += 1
            reads, total = await self._counted()
            commands = total - self._commands
        await until_idle(self._served.process.pid)
        trips = reads - self._reads - asked
        assert await self._served.metric("store_seconds_count") - self._measured == trips
        return {"trips": trips / calls, "commands": commands / calls}

    async def _counted(self) -> tuple[int, int]:
        """Reads, of which this question is one, and scripts that were run."""
        info = await self._redis.info("everything")
        return info["total_reads_processed"], info["cmdstat_evalsha"]["calls"]


@contextlib.asynccontextmanager
async def counted(folder: Path, upstream: Simulator, redis: RedisServer) -> AsyncIterator[tuple[Served, Trips]]:
    command = (sys.executable, *SERVE, str(written(folder, routes(upstream.url, redis.url))))
    async with running(*command) as served, redis.client(single_connection_client=True) as client:
        trips = Trips(served, client)
        await trips.begin()
        yield served, trips


@contextlib.asynccontextmanager
async def clients(port: int) -> AsyncIterator[list[Client]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Client.to(port)) for _ in range(CLIENTS)]


@contextlib.asynccontextmanager
async def stopped(served: Served) -> AsyncIterator[None]:
    """What is sent to it meanwhile is all there when its loop turns next."""
    pid = served.process.pid
    os.kill(pid, signal.SIGSTOP)
    await until_stopped(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_one_call_at_a_time(tmp_path: Path, upstream: Simulator, redis: RedisServer) -> None:
    async with counted(tmp_path, upstream, redis) as (served, trips), Client.to(served.port) as client:
        await client.plain(CALLS)
        compare("one call at a time", await trips.by_call(CALLS), bounds.ONE_BY_ONE)


async def test_calls_at_once(tmp_path: Path, upstream: Simulator, script: Script, redis: RedisServer) -> None:
    """The first goes alone, and takes with it nobody who came later; all the others go together, in and out."""
    async with counted(tmp_path, upstream, redis) as (served, trips), clients(served.port) as callers:
        await asyncio.gather(*(client.plain() for client in callers))
        await trips.by_call(CLIENTS)
        await trips.begin()
        script.gate, script.waiting = Gate(), 0
        async with stopped(served):
            for client in callers:
                client.ask()
        while script.waiting < CLIENTS:
            await asyncio.sleep(0.001)
        async with stopped(served):
            script.gate.open()
        await asyncio.gather(*(client.answer() for client in callers))
        compare(f"{CLIENTS} calls at once", await trips.by_call(CLIENTS), bounds.AT_ONCE)


async def test_calls_in_closed_loops(tmp_path: Path, upstream: Simulator, redis: RedisServer) -> None:
    """How many go together depends on who is faster; in no case is it dearer than one by one."""
    async with counted(tmp_path, upstream, redis) as (served, trips), clients(served.port) as callers:
        await asyncio.gather(*(client.plain(CALLS) for client in callers))
        compare(f"{CLIENTS} calls in closed loops", await trips.by_call(CLIENTS * CALLS), bounds.CLOSED_LOOPS)
