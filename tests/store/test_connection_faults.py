"""What becomes of calls whose connection to the shared store is slow, cut, silent or garbled, or who leave themselves.

The ids are those of the fault table.
"""

import asyncio
import contextlib

import pytest

from gateway.core.errors import LimiterUnavailable
from gateway.core.limits import Limits, Rate, Verdict
from gateway.core.settings import OnError
from tests.catalogue import fault
from tests.fault_proxy import FaultProxy
from tests.redis_server import RedisServer
from tests.store.bench import make_demand, until, until_async
from tests.store.caller import LIMITS, RECOVERY, calling
from tests.waits import EXTRA_WAIT


class TestConnection:
    @fault("R07")
    @pytest.mark.parametrize("latency", [0.02, 0.2], ids=lambda latency: f"{latency * 1000:.0f} ms")
    async def test_a_slow_network_costs_an_admission_one_round_trip(self, proxy: FaultProxy, latency: float) -> None:
        """R07"""
        async with calling(proxy.url, patience=5.0, lease_ttl=60.0) as caller:
            assert await caller.streams() == 0
            proxy.latency = latency
            for number in range(3):
                replies = proxy.replies
                await caller.admit(f"call {number}")
                assert proxy.replies == replies + 1
            # What the timer beside it was late is taken off.
            assert min(caller.waits) > latency / 2

    @fault("R07")
    async def test_a_network_slower_than_the_timeout_is_an_outage(self, proxy: FaultProxy) -> None:
        """R07"""
        async with calling(proxy.url) as caller:
            proxy.latency = 0.3
            await caller.assert_policy(OnError.LOCAL)
            assert max(caller.waits) < EXTRA_WAIT
            proxy.latency = 0.0
            await until_async(caller.is_back, RECOVERY)

    @fault("R11")
    async def test_there_is_one_connection_whatever_the_load(self, server: RedisServer) -> None:
        """R11"""
        async with calling(server.url, patience=2.0) as caller:
            await asyncio.gather(*(caller.call(key=f"caller {number}") for number in range(300)))
            clients = (await server.text("CLIENT", "LIST")).count("\nid=")
            assert clients == 2  # and the one that asks

    @fault("R11")
    async def test_a_server_with_no_connection_to_spare_is_an_outage(self, server: RedisServer) -> None:
        """R11"""
        async with calling(server.url) as caller, server.client() as client:
            await client.config_set("maxclients", 1)
            await client.client_kill_filter(_type="normal", skipme=True)
            await until_async(caller.is_degraded)
            await caller.assert_policy(OnError.LOCAL)
            await client.config_set("maxclients", 100)
            await until_async(caller.is_back, RECOVERY)

    @fault("R13")
    async def test_connections_killed_again_and_again_lose_nothing(self, server: RedisServer) -> None:
        """R13"""
        async with calling(server.url) as caller:
            limits = Limits("vast", Rate(60_000, 60_000), Rate(6, 10**6), 1000)
            async with server.client() as client:
                for kill in range(10):
                    for _ in range(20):
                        assert (await caller.call(limits)).admitted
                    await client.client_kill_filter(_type="normal", skipme=True)
                    del kill
            await until_async(caller.is_back, RECOVERY)
            use = await caller.store.use("key", limits, make_demand("").wall)
            assert limits.tokens is not None
            assert (use.streams, limits.tokens.burst - limits.tokens.left(use.tokens)) == (0, 200 * 100)

    @fault("R14")
    async def test_an_admission_whose_reply_is_lost_is_charged_once_at_the_most(
        self, server: RedisServer, proxy: FaultProxy
    ) -> None:
        """R14"""
        async with calling(proxy.url) as caller:
            assert LIMITS.requests is not None
            assert LIMITS.tokens is not None
            proxy.drop_replies = True
            assert (await caller.admit("lost")).degraded
            proxy.drop_replies = False
            await until_async(caller.is_back, RECOVERY)
            use = await caller.store.use("key", LIMITS, make_demand("").wall)
            assert use.streams == 1
            assert LIMITS.requests.burst - LIMITS.requests.left(use.requests) <= 1
            caller.end("lost", 300)
            use = await caller.store.use("key", LIMITS, make_demand("").wall)
            assert use.streams == 0
            assert LIMITS.tokens.burst - LIMITS.tokens.left(use.tokens) == 300

    @fault("R14")
    async def test_a_settlement_whose_reply_is_lost_is_paid_once(self, server: RedisServer, proxy: FaultProxy) -> None:
        """R14"""
        async with calling(proxy.url) as caller:
            assert LIMITS.tokens is not None
            await caller.admit("one")
            proxy.drop_replies = True
            caller.end("one", 300)
            await until_async(caller.is_degraded)
            proxy.drop_replies = False
            await until_async(caller.is_back, RECOVERY)
            use = await caller.store.use("key", LIMITS, make_demand("").wall)
            assert (use.streams, LIMITS.tokens.burst - LIMITS.tokens.left(use.tokens)) == (0, 300)

    @fault("R14")
    async def test_an_admission_whose_reply_is_lost_is_given_back_where_it_is_denied(self, proxy: FaultProxy) -> None:
        """R14"""
        async with calling(proxy.url, OnError.DENY) as caller:
            proxy.drop_replies = True
            with pytest.raises(LimiterUnavailable):
                await caller.admit("lost")
            proxy.drop_replies = False
            await until_async(caller.is_back, RECOVERY)
            use = await caller.store.use("key", LIMITS, make_demand("").wall)
            assert (use.requests, use.tokens, use.streams) == (0, 0, 0)

    @fault("R19")
    async def test_a_black_hole_is_left_for_a_new_connection(self, proxy: FaultProxy) -> None:
        """R19"""
        async with calling(proxy.url) as caller:
            await caller.call()
            proxy.blackhole = True
            await caller.assert_policy(OnError.LOCAL)
            assert max(caller.waits) < EXTRA_WAIT
            proxy.blackhole = False
            before = len(proxy.accepted)
            await until_async(caller.is_back, RECOVERY)
            assert len(proxy.accepted) > before

    @fault("R23")
    @pytest.mark.parametrize(
        "garbage",
        [
            pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="another protocol"),
            pytest.param(b":99999\r\n", id="a number"),
            pytest.param(b"+OK\r\n", id="a status"),
            pytest.param(b"+1 0 0\r\n", id="too few numbers"),
            pytest.param(b"*2\r\n:1\r\n:2\r\n", id="an array"),
            pytest.param(b"$-1\r\n", id="nothing"),
            pytest.param(b"\x00\xff\xfe\r\n", id="noise"),
        ],
    )
    async def test_a_garbled_reply_is_used_for_nothing(self, proxy: FaultProxy, garbage: bytes) -> None:
        """R23"""
        async with calling(proxy.url) as caller:
            await caller.call()
            assert await caller.streams() == 0
            proxy.garbage = garbage
            assert (await caller.call(key="other")).degraded
            await until(lambda: "protocol" in caller.meter.kinds)
            await until_async(caller.is_back, RECOVERY)
            assert not (await caller.call()).degraded
            assert await caller.streams() == 0

    @fault("R23")
    async def test_a_reply_nobody_asked_for_ends_the_connection(self, proxy: FaultProxy) -> None:
        """R23: or each call from then on would read the one before its own."""
        async with calling(proxy.url) as caller:
            assert await caller.streams() == 0
            proxy.garbage = b"+1 0 0 7 0\r\n+1 0 0 8 0\r\n"
            assert await caller.streams() == 7
            await until(lambda: "protocol" in caller.meter.kinds)
            await until_async(caller.is_back, RECOVERY)
            assert await caller.streams() == 0

    @fault("R20")
    async def test_eight_workers_come_back_scattered_and_not_too_often(
        self, server: RedisServer, proxy: FaultProxy
    ) -> None:
        """R20"""
        async with contextlib.AsyncExitStack() as stack:
            callers = [await stack.enter_async_context(calling(proxy.url)) for _ in range(8)]
            server.kill()
            for caller in callers:
                await caller.is_degraded()
            proxy.accepted.clear()
            await asyncio.sleep(2.0)
            assert 8 <= len(proxy.accepted) <= 8 * 20
            assert len({round(at, 3) for at in proxy.accepted[:8]}) > 2
            server.start()
            for caller in callers:
                await until_async(caller.is_back, RECOVERY)


class TestCancel:
    @fault("R24")
    async def test_a_storm_of_cancels_leaves_no_lease_and_mixes_up_no_replies(
        self, server: RedisServer, proxy: FaultProxy
    ) -> None:
        """R24: every caller has its own number of running calls to recognise its reply by."""
        many = Limits("vast", streams=1000)
        async with calling(proxy.url, patience=5.0, lease_ttl=1000.0) as caller:
            for number in range(1, 6):
                for call in range(number):
                    await caller.admit(f"kept {number} {call}", many, f"known {number}")
            proxy.latency = 0.005
            loop = asyncio.get_running_loop()
            tasks = [
                loop.create_task(caller.admit(f"gone {n}", many, f"known {n % 5 + 1}"), name=f"gone {n}")
                for n in range(1000)
            ]
            for number, task in enumerate(tasks):
                if number % 100 == 0:
                    await asyncio.sleep(0.002)
                task.cancel()
            uses = await asyncio.gather(*(caller.streams(f"known {number}") for number in range(1, 6)))
            assert all(use >= number for number, use in enumerate(uses, start=1))
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for n, result in enumerate(results):
                if isinstance(result, Verdict):
                    caller.store.settle(make_demand(f"gone {n}", many, key=f"known {n % 5 + 1}"), 0, 0)
                else:
                    assert isinstance(result, asyncio.CancelledError)

            async def settled() -> bool:
                return [await caller.streams(f"known {number}") for number in range(1, 6)] == [1, 2, 3, 4, 5]

            await until_async(settled)

    @fault("R24")
    async def test_cancelled_in_every_tick_of_an_admission_nothing_stays(self, server: RedisServer) -> None:
        many = Limits("vast", streams=1000)
        async with calling(server.url, patience=5.0, lease_ttl=1000.0) as caller:
            loop = asyncio.get_running_loop()
            for ticks in range(60):
                task = loop.create_task(caller.admit(f"call {ticks}", many), name=f"call {ticks}")
                for _ in range(ticks % 20):
                    await asyncio.sleep(0)
                if ticks >= 20:
                    await asyncio.sleep(ticks * 1e-5)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    if (await task).admitted:
                        caller.end(f"call {ticks}", limits=many)

            async def is_free() -> bool:
                return await caller.streams() == 0

            await until_async(is_free)
