"""What becomes of calls while the shared store is away or refuses, and of those that ran before.

The ids are those of the fault table.
"""

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.core.settings import OnError
from tests.catalogue import fault
from tests.fault_proxy import FaultProxy
from tests.redis_server import RedisServer
from tests.store.bench import make_demand, until, until_async
from tests.store.caller import BUDGETED, LIMITS, RECOVERY, SHARE, TTL, calling, told
from tests.waits import EXTRA_WAIT

policies = pytest.mark.parametrize("policy", list(OnError), ids=lambda policy: policy.value)

Inject = Callable[[RedisServer], Awaitable[None]]


async def _close(server: RedisServer) -> None:
    server.kill()


async def _open(server: RedisServer) -> None:
    server.start()


async def _stop(server: RedisServer) -> None:
    server.pause()


async def _continue(server: RedisServer) -> None:
    server.resume()


async def _make_replica(server: RedisServer) -> None:
    await server.ask("REPLICAOF", "127.0.0.1", 1)


async def _make_primary(server: RedisServer) -> None:
    await server.ask("REPLICAOF", "NO", "ONE")


async def _fill(server: RedisServer) -> None:
    await server.ask("CONFIG", "SET", "maxmemory", "1")


async def _empty(server: RedisServer) -> None:
    await server.ask("CONFIG", "SET", "maxmemory", "0")


async def _fail_to_save(server: RedisServer) -> None:
    folder = server.folder / "gone"
    folder.mkdir()
    await server.ask("CONFIG", "SET", "dir", str(folder))
    folder.rmdir()
    await server.ask("CONFIG", "SET", "save", "3600 1")
    await server.ask("BGSAVE")

    async def failed() -> bool:
        return "rdb_last_bgsave_status:err" in await server.text("INFO", "persistence")

    await until_async(failed)


async def _save_again(server: RedisServer) -> None:
    await server.ask("CONFIG", "SET", "save", "")


async def _keep_busy(server: RedisServer) -> None:
    await server.ask("CONFIG", "SET", "busy-reply-threshold", "1")
    server.begin("EVAL", "while true do end", "0")

    async def is_busy() -> bool:
        return "BUSY" in await server.text("PING")

    await until_async(is_busy)


async def _kill_script(server: RedisServer) -> None:
    await server.ask("SCRIPT", "KILL")


FAULTS = [
    pytest.param(_close, _open, {"connection"}, id="R01 port closed", marks=fault("R01")),
    pytest.param(_stop, _continue, {"timeout"}, id="R02 stopped, accepts and never answers", marks=fault("R02")),
    pytest.param(_make_replica, _make_primary, {"readonly"}, id="R05 a replica now", marks=fault("R05")),
    pytest.param(_fill, _empty, {"oom"}, id="R06 out of memory", marks=fault("R06")),
    pytest.param(_keep_busy, _kill_script, {"busy"}, id="R09 busy with a script", marks=fault("R09")),
    pytest.param(_fail_to_save, _save_again, {"misconf"}, id="R10 cannot save", marks=fault("R10")),
]


class TestOutage:
    @policies
    @pytest.mark.parametrize(("fail", "mend", "kinds"), FAULTS)
    async def test_calls_go_by_the_policy_and_soon_by_the_store_again(
        self, server: RedisServer, policy: OnError, fail: Inject, mend: Inject, kinds: set[str], lines: list[bytes]
    ) -> None:
        async with calling(server.url, policy) as caller:
            assert not (await caller.call()).degraded
            await fail(server)
            caller.waits.clear()
            await caller.assert_policy(policy)
            for _ in range(5):
                await caller.assert_policy(policy)
            assert max(caller.waits) < EXTRA_WAIT
            assert statistics.median(caller.waits) < 0.05
            assert kinds <= caller.meter.kinds
            # A full store still ends calls, and says so at once: it is asked again for each.
            assert caller.store.ready is (policy is OnError.LOCAL or fail is _fill)
            await mend(server)
            await until_async(caller.is_back, RECOVERY)
            assert caller.store.ready
            assert not (await caller.call(BUDGETED, "budgeted")).degraded
        assert caller.meter.states[-2:] == [True, False]
        assert len(told(lines, "warning")) == 1

    @fault("R02")
    async def test_many_at_once_wait_no_longer_than_one(self, server: RedisServer) -> None:
        """R02"""
        async with calling(server.url) as caller:
            await caller.call()
            server.pause()
            verdicts = await asyncio.gather(*(caller.call() for _ in range(200)))
            assert all(verdict.degraded for verdict in verdicts)
            assert sum(verdict.admitted for verdict in verdicts) == SHARE.requests.burst if SHARE.requests else 0
            assert max(caller.waits) < EXTRA_WAIT

    async def test_an_outage_that_comes_and_goes_gives_no_new_bursts(self, server: RedisServer) -> None:
        async with calling(server.url) as caller:
            alone = 0
            for _ in range(3):
                server.kill()
                verdicts = [await caller.call() for _ in range(20)]
                alone += sum(verdict.admitted for verdict in verdicts if verdict.degraded)
                server.start()
                await until_async(caller.is_back, RECOVERY)
            assert SHARE.requests is not None
            assert SHARE.requests.burst <= alone <= SHARE.requests.burst + 2

    async def test_it_is_told_once_when_it_begins_and_once_when_it_ends(
        self, server: RedisServer, lines: list[bytes]
    ) -> None:
        async with calling(server.url) as caller:
            server.kill()
            for _ in range(50):
                await caller.call()
            server.start()
            await until_async(caller.is_back, RECOVERY)
        assert len(told(lines, "warning")) == 1
        assert len(told(lines, "info")) == 1
        assert caller.meter.states == [True, False]

    async def test_a_store_that_is_away_at_the_start_is_waited_for(
        self, server: RedisServer, lines: list[bytes]
    ) -> None:
        server.kill()
        async with calling(server.url) as caller:
            await caller.assert_policy(OnError.LOCAL)
            assert told(lines, "warning")
            server.start()
            await until_async(caller.is_back, RECOVERY)

    @fault("R08")
    async def test_it_serves_from_loading_on(self, server: RedisServer) -> None:
        """R08: a restart with much to read."""
        await server.ask("DEBUG", "POPULATE", "3000")
        await server.ask("SAVE")
        async with calling(server.url) as caller:
            server.options |= {"key-load-delay": "300", "loading-process-events-interval-bytes": "1024"}
            server.restart()
            assert "LOADING" in await server.text("PING")
            await caller.assert_policy(OnError.LOCAL)
            assert max(caller.waits) < EXTRA_WAIT
            await until(lambda: "loading" in caller.meter.kinds, RECOVERY)
            await until_async(caller.is_back, RECOVERY)


class TestState:
    @fault("R03")
    async def test_running_calls_get_their_leases_back_after_a_restart(self, server: RedisServer) -> None:
        """R03"""
        async with calling(server.url) as caller:
            for number in range(10):
                assert (await caller.admit(f"stream {number}")).admitted
            server.kill()
            await caller.is_degraded()
            await asyncio.to_thread(server.start)
            await until_async(caller.is_back, RECOVERY)
            assert await caller.streams() == 10
            admitted = [await caller.admit(f"more {number}") for number in range(35)]
            assert sum(verdict.admitted for verdict in admitted) == 20
            for number in range(10):
                caller.end(f"stream {number}")
            assert await caller.streams() == 20

    @fault("R16")
    async def test_flushed_leases_are_back_after_a_renewal_and_one_more_burst_is_the_most(
        self, server: RedisServer
    ) -> None:
        """R16"""
        async with calling(server.url) as caller:
            assert LIMITS.requests is not None
            for number in range(10):
                assert (await caller.admit(f"stream {number}")).admitted
            await server.ask("FLUSHALL")

            async def renewed() -> bool:
                return await caller.streams() == 10

            await until_async(renewed, TTL)
            verdicts = [await caller.call() for _ in range(60)]
            got_in = sum(verdict.admitted for verdict in verdicts)
            assert LIMITS.requests.burst <= got_in <= LIMITS.requests.burst + 2

    @fault("R06")
    async def test_out_of_memory_running_calls_still_end_and_renew(self, server: RedisServer) -> None:
        """R06"""
        async with calling(server.url) as caller:
            for number in range(3):
                await caller.admit(f"stream {number}")
            await _fill(server)
            caller.end("stream 0")
            await asyncio.sleep(1.3 * TTL)
            assert await caller.streams() == 2
            await _empty(server)

    async def test_what_ended_while_the_store_was_away_is_paid_when_it_is_back(self, server: RedisServer) -> None:
        server.options["appendonly"] = "yes"
        server.options["appendfsync"] = "always"
        server.restart()
        async with calling(server.url) as caller:
            assert LIMITS.tokens is not None
            await caller.admit("before")
            server.kill()
            await caller.is_degraded()
            caller.end("before", 300)
            verdict = await caller.admit("meanwhile")
            assert verdict.degraded
            caller.end("meanwhile", 500)
            assert (await caller.admit("still there")).degraded
            server.start()
            await until_async(caller.is_back, RECOVERY)
            use = await caller.store.use("key", LIMITS, make_demand("").wall)
            assert use.streams == 1
            assert LIMITS.tokens.burst - LIMITS.tokens.left(use.tokens) == 800

    async def test_a_failover_that_forgets_lets_in_no_more_than_was_forgotten(
        self, server: RedisServer, proxy: FaultProxy, tmp_path: Path
    ) -> None:
        """R15: a replica that lagged behind becomes the primary."""
        (tmp_path / "replica").mkdir()
        replica = RedisServer(tmp_path / "replica")
        replica.start()
        try:
            await replica.ask("REPLICAOF", "127.0.0.1", server.port)
            async with calling(proxy.url, patience=2.0) as caller:
                got_in = sum([(await caller.call()).admitted for _ in range(10)])
                await until_async(lambda: in_step(server, replica))
                replica.pause()
                forgotten = sum([(await caller.call()).admitted for _ in range(10)])
                server.kill()
                replica.resume()
                await replica.ask("REPLICAOF", "NO", "ONE")
                proxy.target = replica.port
                proxy.cut()
                await until_async(caller.is_back, RECOVERY)
                verdicts = [await caller.call() for _ in range(60)]
                got_in += sum(verdict.admitted for verdict in verdicts)
                assert LIMITS.requests is not None
                assert got_in <= LIMITS.requests.burst + 3
                assert got_in + forgotten <= LIMITS.requests.burst + forgotten + 3
        finally:
            replica.stop()


async def in_step(server: RedisServer, replica: RedisServer) -> bool:
    offsets = [(await one.info("replication")) for one in (server, replica)]
    return offsets[1].get("master_link_status") == "up" and (
        offsets[0]["master_repl_offset"] == offsets[1]["slave_repl_offset"]
    )
