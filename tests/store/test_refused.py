"""What ends the start with a clear text, what is warned of, and foreign data. The ids are those of the fault table."""

import asyncio
from pathlib import Path

import pytest

from gateway.core.errors import LimiterUnavailable
from gateway.core.limits import Budget, Limits, Period, Rate
from gateway.core.settings import OnError
from gateway.store.failures import StoreRefused
from tests.catalogue import fault
from tests.redis_server import RedisServer
from tests.store.bench import until, until_async
from tests.store.caller import RECOVERY, calling, told
from tests.store.fake_server import FakeRedisServer


class TestRefused:
    @fault("R12")
    async def test_a_wrong_password_ends_the_start_with_a_clear_text(self, tmp_path: Path, lines: list[bytes]) -> None:
        """R12"""
        server = RedisServer(tmp_path, requirepass="rightsecret")
        server.start()
        try:
            with pytest.raises(StoreRefused) as caught:
                async with calling(server.url.replace("rightsecret", "wrongsecret")):
                    pass
            assert "secret" not in str(caught.value)
            assert "password" in str(caught.value)
            async with calling(server.url) as caller:
                assert not await caller.is_degraded()
        finally:
            server.stop()
        assert not any(b"secret" in line for line in lines)

    @fault("R12")
    async def test_a_user_without_the_needed_commands_ends_the_start(self, server: RedisServer) -> None:
        """R12"""
        await server.ask("ACL", "SETUSER", "narrow", "on", ">word", "~*", "+@all", "-evalsha", "-eval")
        with pytest.raises(StoreRefused):
            async with calling(server.url.replace("redis://", "redis://narrow:word@")):
                pass

    async def test_a_server_that_is_too_old_ends_the_start(self) -> None:
        async with FakeRedisServer() as old:
            old.knows_flags = False
            with pytest.raises(StoreRefused, match="Redis 7"):
                async with calling(old.url):
                    pass

    @fault("R12")
    async def test_a_password_changed_at_run_time_is_an_outage(self, tmp_path: Path, lines: list[bytes]) -> None:
        """R12"""
        server = RedisServer(tmp_path, requirepass="oldsecret")
        server.start()
        try:
            async with calling(server.url) as caller, server.client() as client:
                await client.config_set("requirepass", "newsecret")
                await client.client_kill_filter(_type="normal", skipme=True)
                await until_async(caller.is_degraded)
                await caller.assert_policy(OnError.LOCAL)
                await until(lambda: "auth" in caller.meter.kinds)
                await client.config_set("requirepass", "oldsecret")
                await until_async(caller.is_back, RECOVERY)
        finally:
            server.stop()
        assert not any(b"secret" in line for line in lines)

    @fault("R17")
    async def test_a_policy_that_evicts_is_warned_of(self, server: RedisServer, lines: list[bytes]) -> None:
        """R17"""
        await server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        async with calling(server.url):
            assert any(b"maxmemory-policy" in line or b"evict" in line for line in lines)

    async def test_no_warning_where_nothing_is_evicted(self, server: RedisServer, lines: list[bytes]) -> None:
        async with calling(server.url):
            assert told(lines, "warning") == []


class TestData:
    @fault("R21")
    @pytest.mark.parametrize("suffix", ["rpm", "tpm", "leases", "held"])
    async def test_foreign_data_in_a_key_harms_that_key_only(self, server: RedisServer, suffix: str) -> None:
        """R21: whatever the policy, for it is no outage."""
        async with calling(server.url) as caller, server.client() as client:
            await client.lpush(f"gw:{{foreign}}:{suffix}", "what", "is this")
            for _ in range(3):
                with pytest.raises(LimiterUnavailable):
                    await caller.call(key="foreign")
                verdict = await caller.call()
                assert (verdict.admitted, verdict.degraded) == (True, False)
            assert caller.meter.states in ([], [False])
            assert caller.meter.kinds <= {"wrongtype", "script"}
            assert caller.meter.kinds

    @fault("R22")
    async def test_every_one_of_many_keys_has_an_end(self, server: RedisServer) -> None:
        """R22"""
        limits = Limits("paid", Rate(60, 5), Rate(60, 500), 5, Budget(10**6, Period.DAY))
        async with calling(server.url, patience=5.0) as caller:
            for hundred in range(20):
                keys = [f"caller {hundred * 100 + number}" for number in range(100)]
                await asyncio.gather(*(caller.call(limits, key) for key in keys))
                for number, key in enumerate(keys):
                    await caller.admit(f"left {hundred} {number}", limits, key)
            async with server.client() as client:
                lasting = await client.eval(
                    "local lasting = 0 for _, key in ipairs(redis.call('KEYS', '*')) do"
                    " if redis.call('PTTL', key) < 0 then lasting = lasting + 1 end end return lasting",
                    0,
                )
                assert await client.dbsize() >= 4 * 2000
                assert lasting == 0
