"""The scripts themselves, in every order in which a lost reply or a lost connection may let them run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.core.limits import Limits, Use
from gateway.store import redis
from gateway.store.redis import FIRST, Renewal, Settlement, release
from gateway.store.resp import pack
from tests.redis_server import RedisServer
from tests.store.bench import SLOW, make_demand
from tests.store.fake_server import FakeRedisServer

TTL = 30.0
ONE = make_demand("one")
SECOND = 1_000_000


class Wire:
    """One plain connection; the scripts are known there."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, packed: bytes) -> tuple[int, ...]:
        """The numbers of a script's reply."""
        self._writer.write(packed)
        line = await self._reader.readline()
        assert line.startswith(b"+"), line
        return tuple(map(int, line[1:].split()))

    async def load(self) -> None:
        for text in redis.GREETING.scripts:
            self._writer.write(pack([b"SCRIPT", b"LOAD", text]))
            if (await self._reader.readline()).startswith(b"$"):
                await self._reader.readline()

    async def admits(self, call: str = "one", limits: Limits = SLOW) -> bool:
        return (await self.send(redis.admit(make_demand(call, limits), TTL)))[0] == 1

    async def use(self, limits: Limits = SLOW) -> Use:
        return redis.read_use(await self.send(redis.use("key", limits, ONE.wall, TTL)))

    async def renew(self, *calls: str) -> int:
        return (await self.send(Renewal("key", calls, TTL).packed()))[0]

    async def tokens(self) -> int:
        assert SLOW.tokens is not None
        return SLOW.tokens.burst - SLOW.tokens.left((await self.use()).tokens)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        wire = Wire(reader, writer)
        await wire.load()
        yield wire
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.fixture(params=["fakeredis", "redis"])
async def wire(request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("shared_server")
        await server.ask("FLUSHALL")
        async with connected(server.port) as wire:
            yield wire
    else:
        async with FakeRedisServer() as fake, connected(fake.port) as wire:
            yield wire


def settlement(tokens: int, micro_usd: int) -> Settlement:
    return Settlement(ONE, TTL, FIRST, (tokens, micro_usd))


class TestRelease:
    async def test_after_the_admission_it_undoes_everything(self, wire: Wire) -> None:
        before = await wire.use()
        assert await wire.admits()
        await wire.send(release(ONE, TTL).packed())
        assert await wire.use() == before == Use()

    async def test_of_other_calls_it_undoes_nothing(self, wire: Wire) -> None:
        assert await wire.admits("other")
        assert await wire.admits()
        await wire.send(release(ONE, TTL).packed())
        use = await wire.use()
        assert (use.streams, use.micro_usd, await wire.tokens()) == (1, 100, 100)
        assert SLOW.requests is not None
        assert SLOW.requests.left(use.requests) == 3

    async def test_before_the_admission_it_keeps_the_call_out(self, wire: Wire) -> None:
        await wire.send(release(ONE, TTL).packed())
        assert not await wire.admits()
        assert await wire.use() == Use()

    async def test_twice_is_once(self, wire: Wire) -> None:
        assert await wire.admits("other")
        assert await wire.admits()
        for _ in range(2):
            await wire.send(release(ONE, TTL).packed())
        assert (await wire.use()).micro_usd == 100
        assert await wire.tokens() == 100

    async def test_what_was_released_is_never_renewed(self, wire: Wire) -> None:
        assert await wire.admits()
        await wire.send(release(ONE, TTL).packed())
        assert await wire.renew("one") == 0
        assert (await wire.use()).streams == 0


class TestSettlement:
    async def test_of_a_call_that_is_not_known_any_more_is_charged_in_full(self, wire: Wire) -> None:
        """The store was emptied under it."""
        await wire.send(settlement(70, 30).packed())
        use = await wire.use()
        assert (use.streams, use.micro_usd, await wire.tokens()) == (0, 30, 70)

    async def test_sent_again_after_it_ran_it_does_nothing(self, wire: Wire) -> None:
        assert await wire.admits()
        settled = settlement(70, 30)
        await wire.send(settled.packed())
        settled.unanswered()
        await wire.send(settled.packed())
        use = await wire.use()
        assert (use.streams, use.micro_usd, await wire.tokens()) == (0, 30, 70)

    async def test_sent_again_before_it_ran_it_runs_once(self, wire: Wire) -> None:
        """The first one is still in the buffers of a stopped server, and comes later than the second."""
        assert await wire.admits()
        settled = settlement(70, 30)
        late = settled.packed()
        settled.unanswered()
        await wire.send(settled.packed())
        await wire.send(late)
        use = await wire.use()
        assert (use.streams, use.micro_usd, await wire.tokens()) == (0, 30, 70)

    @pytest.mark.parametrize("late", ["admission", "renewal"])
    async def test_of_a_call_whose_connection_was_lost_it_shuts_out_what_comes_late(
        self, wire: Wire, late: str
    ) -> None:
        settled = settlement(70, 30)
        settled.passed_over()
        await wire.send(settled.packed())
        await (wire.admits() if late == "admission" else wire.renew("one"))
        use = await wire.use()
        assert (use.requests, use.streams, use.micro_usd, await wire.tokens()) == (0, 0, 30, 70)

    async def test_what_was_renewed_without_a_reservation_is_charged_in_full(self, wire: Wire) -> None:
        assert await wire.renew("one") == 1
        assert (await wire.use()).streams == 1
        await wire.send(settlement(70, 30).packed())
        use = await wire.use()
        assert (use.streams, use.micro_usd, await wire.tokens()) == (0, 30, 70)


class TestRenewal:
    async def test_it_keeps_what_a_call_had_reserved(self, wire: Wire) -> None:
        assert await wire.admits()
        assert await wire.renew("one", "two") == 2
        await wire.send(settlement(0, 0).packed())
        use = await wire.use()
        assert (use.streams, use.micro_usd, await wire.tokens()) == (1, 0, 0)


async def test_what_ended_long_ago_is_forgotten() -> None:
    """Tombstones and leases of the dead go with later admissions, a bounded number at a time."""
    async with FakeRedisServer(1_800_000_000 * SECOND) as fake, connected(fake.port) as wire:
        limits = Limits("none")
        for number in range(250):
            assert await wire.admits(f"dead {number}", limits)
        assert fake.now is not None
        for number in range(4):
            fake.now += int((redis.KEPT + 1) * TTL * SECOND) - 2
            await wire.admits(f"live {number}", limits)
        assert fake.size(b"gw:{key}:leases") <= 2
        assert fake.size(b"gw:{key}:held") <= 2
