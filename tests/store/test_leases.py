"""What a shared store promises beyond the contract: leases outlive nobody for long, and nothing is done twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.core.limits import Limits, Use
from tests.catalogue import fault
from tests.redis_server import RedisServer, plain_client
from tests.store.bench import SLOW, StartedStore, make_demand, until_async
from tests.store.conftest import running
from tests.store.fake_server import FakeRedisServer

STREAMS = Limits("pro", streams=3)
TTL = 0.3
SECOND = 1_000_000


async def streams(store: StartedStore, limits: Limits = STREAMS) -> int:
    return (await store.use("key", limits, make_demand("").wall)).streams


async def admit(store: StartedStore, call: str, limits: Limits = STREAMS) -> bool:
    return (await store.admit(make_demand(call, limits))).admitted


@asynccontextmanager
async def hand_clock_server() -> AsyncIterator[FakeRedisServer]:
    async with FakeRedisServer(1_800_000_000_000_000) as server:
        yield server


class TestExpiry:
    """By the server's clock, which is set by hand."""

    async def test_a_lease_that_nobody_renews_is_free_after_its_time(self) -> None:
        async with hand_clock_server() as server, running(server.url) as witness:
            async with running(server.url, lease_ttl=30.0) as store:
                assert await admit(store, "one")
            assert server.now is not None
            server.now += 30 * SECOND - 1
            assert await streams(witness) == 1
            server.now += 1
            assert await streams(witness) == 0

    async def test_its_slot_can_be_taken_again(self) -> None:
        async with hand_clock_server() as server, running(server.url) as witness:
            async with running(server.url, lease_ttl=30.0) as store:
                assert [await admit(store, f"call {number}") for number in range(4)] == [True, True, True, False]
            assert server.now is not None
            server.now += 30 * SECOND
            assert [await admit(witness, f"new {number}") for number in range(4)] == [True, True, True, False]

    async def test_the_reservation_of_a_dead_worker_stays_charged(self) -> None:
        """Nobody knows what it used; the bucket refills, and the budget errs on the safe side."""
        async with hand_clock_server() as server, running(server.url) as witness:
            async with running(server.url, lease_ttl=30.0) as store:
                assert await admit(store, "one", SLOW)
            assert server.now is not None
            server.now += 31 * SECOND
            use = await witness.use("key", SLOW, make_demand("").wall)
            assert (use.streams, use.micro_usd) == (0, 100)

    async def test_a_call_that_lived_on_unrenewed_is_settled_with_what_it_had_reserved(self) -> None:
        """As after a pause of the whole process."""
        async with hand_clock_server() as server, running(server.url, lease_ttl=30.0) as store:
            assert await admit(store, "one", SLOW)
            assert server.now is not None
            server.now += 100 * SECOND
            assert await streams(store, SLOW) == 0
            assert await admit(store, "two", SLOW)
            store.settle(make_demand("one", SLOW), 10, 20)
            use = await store.use("key", SLOW, make_demand("").wall)
            assert (use.streams, use.micro_usd) == (1, 120)

    @fault("R18")
    async def test_a_clock_that_went_back_locks_nobody_out(self) -> None:
        async with hand_clock_server() as server, running(server.url, lease_ttl=30.0) as store:
            assert [await admit(store, f"call {number}", SLOW) for number in range(5)] == [True] * 4 + [False]
            for number in range(4):
                store.settle(make_demand(f"call {number}", SLOW), 0, 0)
            assert server.now is not None
            server.now -= 3600 * SECOND
            refused = await store.admit(make_demand("later", SLOW))
            assert SLOW.requests is not None
            assert refused.use.requests <= SLOW.requests.capacity
            server.now += SLOW.requests.cost(1)
            assert await admit(store, "after one more", SLOW)


@pytest.fixture(params=["fakeredis", "redis"])
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if request.param == "fakeredis":
        async with FakeRedisServer() as fake:
            yield fake.url
    else:
        server: RedisServer = request.getfixturevalue("shared_server")
        await server.ask("FLUSHALL")
        yield server.url


class TestRenewal:
    """By real time, with leases of 0.3 s."""

    async def test_a_running_call_keeps_its_slot(self, url: str) -> None:
        async with running(url, lease_ttl=TTL) as store, running(url) as witness:
            assert await admit(store, "one")
            loop = asyncio.get_running_loop()
            end, seen = loop.time() + 3 * TTL, set()
            while loop.time() < end:
                seen.add(await streams(witness))
                await asyncio.sleep(TTL / 10)
            assert seen == {1}
            store.settle(make_demand("one", STREAMS), 0, 0)
            await until_async(lambda: is_free(witness))

    async def test_leases_that_were_lost_are_made_again(self, url: str) -> None:
        async with running(url, lease_ttl=TTL) as store:
            assert [await admit(store, f"call {number}") for number in range(4)] == [True, True, True, False]
            async with plain_client(url) as client:
                await client.flushall()
            await until_async(lambda: has_streams(store, 3))
            assert not await admit(store, "one more")
            for number in range(3):
                store.settle(make_demand(f"call {number}", STREAMS), 0, 0)
            assert await streams(store) == 0

    async def test_a_settled_call_is_never_renewed(self, url: str) -> None:
        async with running(url, lease_ttl=TTL) as store, running(url) as witness:
            for number in range(20):
                assert await admit(store, f"call {number}")
                store.settle(make_demand(f"call {number}", STREAMS), 0, 0)
                await asyncio.sleep(TTL / 20)
                assert await streams(witness) == 0

    async def test_hundreds_of_leases_are_renewed(self, url: str) -> None:
        many = Limits("vast", streams=2000)
        async with running(url, lease_ttl=2 * TTL) as store, running(url) as witness:
            assert all(await asyncio.gather(*(admit(store, f"call {number}", many) for number in range(1200))))
            loop = asyncio.get_running_loop()
            end = loop.time() + 3 * TTL
            while loop.time() < end:
                await asyncio.sleep(TTL / 3)
            assert await streams(witness, many) == 1200


async def test_workers_share_one_limit(url: str) -> None:
    limits = Limits("pro", streams=20)
    async with running(url) as one, running(url) as other:
        calls = [admit((one, other)[number % 2], f"call {number}", limits) for number in range(50)]
        assert sum(await asyncio.gather(*calls)) == 20


async def is_free(store: StartedStore) -> bool:
    return await streams(store) == 0


async def has_streams(store: StartedStore, count: int) -> bool:
    return await streams(store) == count


class TestKeys:
    @fault("R22")
    async def test_every_key_has_an_end(self, url: str) -> None:
        async with running(url, lease_ttl=30.0) as store, plain_client(url) as client:
            for number in range(50):
                demand = make_demand(f"call {number}", SLOW, key=f"caller {number % 25}")
                assert (await store.admit(demand)).admitted
                if number % 3 == 0:
                    store.settle(demand, 200, 50)
            await store.use("caller 1", SLOW, make_demand("").wall)
            keys = [key async for key in client.scan_iter(count=1000)]
            assert len(keys) >= 5 * 25
            assert [key for key in keys if await client.pttl(key) < 0] == []

    async def test_all_keys_of_a_caller_share_a_hash_tag(self, url: str) -> None:
        """So that a script is safe on a cluster."""
        async with running(url) as store, plain_client(url) as client:
            await store.admit(make_demand("one", SLOW, key="0123abcd"))
            keys = [key async for key in client.scan_iter()]
            assert {key[: len("gw:{0123abcd}:")] for key in keys} == {"gw:{0123abcd}:"}

    async def test_what_ended_leaves_nothing_but_numbers(self, url: str) -> None:
        async with running(url) as store, plain_client(url) as client:
            for number in range(3):
                await store.admit(make_demand(f"call {number}", SLOW))
                store.settle(make_demand(f"call {number}", SLOW), 10, 10)
            assert await store.use("key", SLOW, make_demand("").wall) != Use()
            kinds = {await client.type(key) async for key in client.scan_iter()}
            assert kinds == {"string"}


class TestScripts:
    @fault("R04")
    async def test_a_server_that_forgot_the_scripts_goes_unnoticed(self, url: str) -> None:
        async with running(url) as store, plain_client(url) as client:
            for number in range(3):
                await client.script_flush()
                assert await admit(store, f"call {number}")
                await client.script_flush()
                assert await streams(store) == number + 1
                await client.script_flush()
            store.settle(make_demand("call 0", STREAMS), 0, 0)
            assert await streams(store) == 2

    @fault("R04")
    async def test_nor_do_many_at_once_notice(self, url: str) -> None:
        limits = Limits("vast", streams=100)
        async with running(url) as store, plain_client(url) as client:
            for wave in range(3):
                await client.script_flush()
                calls = [f"call {wave} {number}" for number in range(40)]
                admitted = await asyncio.gather(*(admit(store, call, limits) for call in calls))
                assert sum(admitted) == min(40, 100 - 40 * wave)

    async def test_an_admission_is_one_round_trip_and_a_settlement_none_that_is_waited_for(
        self, shared_server: RedisServer
    ) -> None:
        await shared_server.ask("FLUSHALL")
        async with running(shared_server.url) as store, shared_server.client() as client:
            assert await admit(store, "warm")
            await client.config_resetstat()
            for number in range(10):
                demand = make_demand(f"call {number}", Limits("pro", streams=50))
                assert (await store.admit(demand)).admitted
                store.settle(demand, 1, 1)
            await store.use("key", STREAMS, demand.wall)
            stats = await client.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}
        assert calls["evalsha"] + calls.get("evalsha_ro", 0) == 21
        assert set(calls) & {"multi", "exec", "watch", "script|load", "eval", "ping"} == set()
