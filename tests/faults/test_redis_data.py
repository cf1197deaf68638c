"""What Redis keeps is lost, old, evicted, or of another time: what clients are let through then, and that it passes."""

import asyncio
from pathlib import Path

import pytest

from gateway.store.failures import StoreRefused
from tests.catalogue import fault, unable
from tests.fault_proxy import SILENT, FaultProxy
from tests.faults.limited import (
    BURST,
    RECOVERY,
    SHARE,
    STREAMS,
    Limited,
    is_degraded,
    limited_gateway,  # noqa: F401 - a fixture
    limits_of,
    until,
)
from tests.faults.rig import Rig
from tests.redis_server import RedisServer, redis_server_program
from tests.store.test_faults import in_step

# What refills while a test runs, at one a second.
REFILLED = 6
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


class Uses:
    """What of the limits is used, as the gateway tells its caller."""

    def __init__(self, limited: Limited) -> None:
        self._limited = limited

    async def streams(self) -> int:
        answer = await self._limited.get("/v1/key")
        return int(limits_of(answer)["concurrent_streams"]["used"]) if answer.status == 200 else -1

    async def until_streams(self, count: int) -> None:
        async def agree() -> bool:
            return await self.streams() == count

        await until(agree, RECOVERY)


@fault("R03")
async def test_after_an_empty_restart_streams_have_their_places_and_one_more_burst_is_the_most(
    limited: Limited,
) -> None:
    await limited.start(patient=True)
    streams = [await limited.stream() for _ in range(5)]
    assert await limited.admitted(BURST) >= BURST - 5
    with limited.rig.blocking():
        limited.server.kill()
    alone = await limited.admitted(2 * SHARE)
    assert alone <= SHARE + REFILLED
    with limited.rig.blocking():
        limited.server.start()
    await limited.recovered()
    await limited.until_held(5)
    again = await limited.admitted(2 * BURST)
    assert BURST - SHARE <= again <= BURST + REFILLED
    await limited.end_streams(*streams)
    await limited.all_free()


@fault("R03")
async def test_after_an_empty_restart_there_are_never_more_streams_than_may_be(limited: Limited) -> None:
    await limited.start(patient=True)
    streams = [await limited.stream() for _ in range(STREAMS)]
    with limited.rig.blocking():
        limited.server.restart()
    await limited.recovered()
    refused = await limited.call(stream=True)
    assert refused.error == (429, "concurrency_limit_exceeded")
    await limited.end_streams(*streams)
    await limited.all_free()
    assert (await limited.call()).status == 200


@fault("R16")
async def test_after_a_flush_one_more_burst_is_the_most_and_streams_soon_have_their_places(limited: Limited) -> None:
    await limited.start(patient=True)
    streams = [await limited.stream() for _ in range(STREAMS)]
    await limited.admitted(BURST)
    await limited.server.ask("FLUSHALL")
    await Uses(limited).until_streams(STREAMS)
    assert (await limited.call()).error == (429, "concurrency_limit_exceeded")
    await limited.end_streams(*streams)
    await limited.all_free()
    again = await limited.admitted(2 * BURST)
    assert BURST - 1 <= again <= BURST + REFILLED
    assert limited.rig.metric("store_degraded") == 0


@fault("R17")
async def test_a_store_that_evicts_is_warned_of_and_streams_have_their_places_again(limited: Limited) -> None:
    await limited.server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    gateway = await limited.start(patient=True)
    assert [line["level"] for line in gateway.log() if line["event"] == "store evicts"] == ["warning"]
    streams = [await limited.stream() for _ in range(3)]
    async with limited.server.client() as client:
        (leases,) = await client.keys("gw:*:leases")
        await client.config_set("maxmemory", (await client.info("memory"))["used_memory"] + 200_000)
        for number in range(5000):
            await client.set(f"junk {number}", "x" * 1000)
            if number % 100 == 99 and not await client.exists(leases):
                break
        assert not await client.exists(leases)
        await client.config_set("maxmemory", 0)
    await Uses(limited).until_streams(3)
    await limited.end_streams(*streams)
    await limited.all_free()


@fault("R15")
async def test_a_failover_lets_in_as_many_more_as_the_replica_had_not_heard_of(
    limited: Limited, tmp_path: Path
) -> None:
    await limited.start(patient=True)
    (tmp_path / "replica").mkdir()
    with RedisServer(tmp_path / "replica") as replica:
        async with FaultProxy(limited.server.port) as link:
            await replica.ask("REPLICAOF", "127.0.0.1", link.port)
            streams = [await limited.stream() for _ in range(2)]
            heard = await limited.admitted(8)
            await limited.until_held(2)
            await until(lambda: in_step(limited.server, replica))
            link.to_client = SILENT
            streams += [await limited.stream() for _ in range(2)]
            unheard = await limited.admitted(8)
            with limited.rig.blocking():
                limited.server.kill()
            await replica.ask("REPLICAOF", "NO", "ONE")
            limited.proxy.target = replica.port
            limited.proxy.cut()
            await until(limited.is_back, RECOVERY)
            await Uses(limited).until_streams(4)
            got_in = await limited.admitted(2 * BURST)
            assert (heard, unheard) == (8, 8)
            forgotten = 2 + unheard
            assert 4 + heard + unheard + got_in <= BURST + forgotten + REFILLED
            assert got_in >= BURST - 2 - heard - 1, "what it had heard of is all that counts"
            await limited.end_streams(*streams)
        limited.proxy.cut()
        with limited.rig.blocking():
            limited.server.start()
        limited.proxy.target = limited.server.port


class TestClock:
    """The Redis host's own, set while it runs."""

    @pytest.fixture
    def clock(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The file that its offset is read from. libfaketime needs a malloc that does not ask for the time itself."""
        offset, program = tmp_path / "offset", tmp_path / "redis-server"
        offset.write_text("+0")
        program.write_text(
            f"#!/bin/sh\nexport LD_PRELOAD={FAKETIME}:libc.so.6 FAKETIME_TIMESTAMP_FILE={offset}"
            " FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1\n"
            f'exec {redis_server_program()} "$@"\n'
        )
        program.chmod(0o755)
        if FAKETIME is not None:
            monkeypatch.setattr("tests.redis_server.redis_server_program", lambda: str(program))
        return offset

    @fault("R18")
    @pytest.mark.parametrize("offset", ["+3600", "-3600"])
    async def test_set_by_an_hour_locks_nobody_out(
        self, clock: Path, limited: Limited, offset: str, request: pytest.FixtureRequest
    ) -> None:
        if FAKETIME is None:
            unable(request, "R18", "libfaketime is not installed")
            return
        before = int((await limited.server.ask("TIME"))[0])
        await limited.start(patient=True)
        streams = [await limited.stream() for _ in range(3)]
        await limited.admitted(10)
        await asyncio.to_thread(clock.write_text, offset)
        async with asyncio.timeout(RECOVERY):
            while abs(int((await limited.server.ask("TIME"))[0]) - before) < 3000:
                await asyncio.sleep(0.01)
        while (answer := await limited.call()).status != 200:
            assert answer.error == (429, "rate_limit_exceeded")
            assert answer.header("retry-after") == "1"
            await asyncio.sleep(0.1)
        assert not is_degraded(answer)
        assert 0 <= int(answer.header("x-ratelimit-remaining-requests") or -1) < BURST
        await Uses(limited).until_streams(3)
        await limited.recovered()
        await limited.end_streams(*streams)
        await limited.all_free()


@fault("R12")
async def test_a_wrong_password_ends_the_start_and_is_not_told(rig: Rig, limited: Limited) -> None:
    await limited.server.ask("CONFIG", "SET", "requirepass", "rightsecret")
    with pytest.raises(StoreRefused, match="password") as refused:
        await limited.start(url=limited.proxy.url.replace("//", "//:wrongsecret@"))
    assert "secret" not in str(refused.value)
    limited.server.options["requirepass"] = "rightsecret"
    gateway = await limited.start(url=limited.proxy.url.replace("//", "//:rightsecret@"))
    assert (await limited.call()).status == 200
    assert b"secret" not in b"".join(gateway.lines)
