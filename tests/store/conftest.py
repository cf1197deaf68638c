"""The stores, each with its time: memory and fakeredis on a clock set by hand, a redis-server on its own."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.settings import StoreSettings
from gateway.store import open_store
from gateway.store.memory import MemoryStore
from tests.fault_proxy import FaultProxy
from tests.redis_server import RedisServer
from tests.store.bench import Bench, HandClock, Meter, StartedStore, until_async
from tests.store.fake_server import FakeRedisServer

# Longer than any test lets pass: what is about leases opens its own store.
LEASE_TTL = 1e6
# A test's machine may be busy; how soon a store gives up is the business of the tests of faults.
TIMEOUT = 5.0

_BEGAN = 1_800_000_000_000_000


@asynccontextmanager
async def running(url: str, meter: Meter | None = None, **changes: object) -> AsyncIterator[StartedStore]:
    """A started store over `url`; `changes` are to its settings."""
    settings = StoreSettings(url, **{"timeout": TIMEOUT, "lease_ttl": LEASE_TTL, **changes})  # type: ignore[arg-type]
    store = open_store(settings, 1, meter or Meter())
    await store.start()
    try:
        yield store
    finally:
        await store.stop(1.0)


@asynccontextmanager
async def run_memory() -> AsyncIterator[Bench]:
    clock = HandClock()

    async def elapse(microseconds: int) -> None:
        clock.microseconds += microseconds

    yield Bench(MemoryStore(clock), elapse, exact=True)


@asynccontextmanager
async def run_fakeredis() -> AsyncIterator[Bench]:
    async with FakeRedisServer(_BEGAN) as server, running(server.url) as store:

        async def elapse(microseconds: int) -> None:
            assert server.now is not None
            server.now += microseconds

        yield Bench(store, elapse, exact=True)


@asynccontextmanager
async def run_redis(server: RedisServer) -> AsyncIterator[Bench]:
    await server.ask("FLUSHALL")
    async with running(server.url) as store, server.client() as client:

        async def clock() -> int:
            seconds, microseconds = await client.time()
            return int(seconds) * 1_000_000 + int(microseconds)

        async def elapse(microseconds: int) -> None:
            end = await clock() + microseconds

            async def is_over() -> bool:
                return await clock() >= end

            await until_async(is_over)

        yield Bench(store, elapse, exact=False)


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One for all tests that do it no harm."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A test's own, to do to it what it likes."""
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(params=["memory", "fakeredis", "redis"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Every store that there is."""
    opened: dict[str, Callable[[], AbstractAsyncContextManager[Bench]]] = {
        "memory": run_memory,
        "fakeredis": run_fakeredis,
        "redis": lambda: run_redis(request.getfixturevalue("shared_server")),
    }
    async with opened[request.param]() as bench:
        yield bench


@pytest.fixture
async def proxy(server: RedisServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(server.port) as proxy:
        yield proxy
