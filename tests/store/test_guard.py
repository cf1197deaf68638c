"""What the shared store does with calls, settlements and leases while its connection comes and goes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from gateway.core.errors import LimiterUnavailable
from gateway.core.limits import Budget, Limits, Period, Rate, Use, Verdict
from gateway.core.settings import OnError, StoreSettings
from gateway.store import open_store
from gateway.store.failures import StoreRefused
from gateway.store.guard import GuardedStore
from gateway.store.memory import MemoryStore
from tests.store.bench import WALL, Meter, make_demand, until
from tests.store.scripted_redis import ADMITTED, DONE, REFUSED, ScriptedRedis

FREE = Limits("free", Rate(60, 40), Rate(6000, 4000), 20)
PAID = replace(FREE, budget=Budget(10**9, Period.MONTH))
PATIENT = 5.0
HASTY = 0.05


@dataclass
class TrippingMeter(Meter):
    """Does something in the very tick in which a trip's answers are there, before anybody who waits for one runs."""

    after_trip: Callable[[], object] = lambda: None

    def trip(self, op: str, seconds: float) -> None:
        super().trip(op, seconds)
        self.after_trip()


@dataclass
class Scene:
    """A started store over a scripted server."""

    server: ScriptedRedis
    store: GuardedStore
    meter: TrippingMeter
    settings: StoreSettings

    def begin(self, call: str, limits: Limits = FREE) -> "asyncio.Task[Verdict]":
        loop = asyncio.get_running_loop()
        return loop.create_task(self.store.admit(make_demand(call, limits)), name=call)

    async def admit(self, call: str, limits: Limits = FREE) -> Verdict:
        return await self.store.admit(make_demand(call, limits))

    def take(self, **changes: object) -> None:
        self.store.take(replace(self.settings, **changes))  # type: ignore[arg-type]

    def settle(self, call: str) -> None:
        self.store.settle(make_demand(call, FREE), 7, 0)

    @property
    def up(self) -> bool:
        return repr(self.store).startswith("<GuardedStore up")

    async def cut(self) -> None:
        """The connection ends, and no other is made until `mend`."""
        self.server.refuse_greeting = b"-LOADING Redis is loading\r\n"
        self.server.cut()
        await until(lambda: not self.up)

    async def mend(self) -> None:
        self.server.refuse_greeting = None
        await until(lambda: self.up)


@asynccontextmanager
async def staged(**changes: object) -> AsyncIterator[Scene]:
    async with ScriptedRedis() as server:
        meter = TrippingMeter()
        settings = StoreSettings(server.url, **{"timeout": PATIENT, **changes})  # type: ignore[arg-type]
        store = open_store(settings, 2, meter)
        assert isinstance(store, GuardedStore)
        await store.start()
        server.seen.clear()
        server.trips.clear()
        yield Scene(server, store, meter, settings)
        server.hold()
        await store.stop(0.5)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """`on_error: local`, of two workers."""
    async with staged() as scene:
        yield scene


@pytest.fixture
async def denying() -> AsyncIterator[Scene]:
    async with staged(on_error=OnError.DENY) as scene:
        yield scene


async def test_without_a_url_there_is_memory() -> None:
    store = open_store(StoreSettings(), 1, Meter())
    assert isinstance(store, MemoryStore)
    await store.start()
    assert store.ready
    await store.stop(0.0)


class TestCalls:
    async def test_a_call_is_admitted_and_settled(self, scene: Scene) -> None:
        assert await scene.admit("c0") == Verdict(True, Use(0, 0, 1, 0), FREE)
        scene.settle("c0")
        await scene.server.saw("admit c0", "settle c0 first")

    async def test_what_was_never_admitted_or_is_settled_is_not_settled(self, scene: Scene) -> None:
        scene.settle("c9")
        await scene.admit("c0")
        scene.settle("c0")
        scene.settle("c0")
        await scene.admit("c1")
        await scene.server.saw("admit c0", "settle c0 first", "admit c1")

    async def test_the_keys_of_a_call_are_those_of_its_key_and_its_period(self, scene: Scene) -> None:
        await scene.admit("c0", PAID)
        tag = b"gw:{key}:"
        names = (b"rpm", b"tpm", b"leases", b"held", b"spend:month-2026-11-01")
        assert scene.server.seen[-1].keys == tuple(tag + name for name in names)

    async def test_an_unexpected_error_is_that_calls_alone_whatever_the_policy(self, scene: Scene) -> None:
        scene.server.hold("admit", "use")
        call = scene.begin("c0")
        await scene.server.saw("admit c0")
        scene.server.reply(b"-WRONGTYPE Operation against a key\r\n")
        with pytest.raises(LimiterUnavailable):
            await call
        use = asyncio.get_running_loop().create_task(scene.store.use("key", FREE, WALL), name="use")
        await scene.server.saw("use")
        scene.server.reply(b"-ERR user_script:1: attempt to compare nil\r\n")
        with pytest.raises(LimiterUnavailable):
            await use
        assert (scene.meter.states, scene.up) == ([], True)
        assert scene.meter.errors == [("admit", "wrongtype"), ("use", "script")]

    async def test_out_of_memory_is_the_policys_and_keeps_the_connection(self, scene: Scene) -> None:
        scene.server.hold("admit")
        call = scene.begin("c0")
        await scene.server.saw("admit c0")
        scene.server.reply(b"-OOM command not allowed\r\n")
        verdict = await call
        assert (verdict.admitted, verdict.degraded, verdict.limits) == (True, True, FREE.shared_by(2))
        scene.settle("c0")
        await scene.server.saw("settle c0 once")
        scene.server.hold()
        assert not (await scene.admit("c1")).degraded
        assert scene.meter.states == [True, False]
        assert len(scene.server.connections) == 1

    async def test_out_of_memory_is_over_when_nobody_calls_any_more(self) -> None:
        async with staged(lease_ttl=0.3) as scene:
            scene.server.hold("admit")
            call = scene.begin("c0")
            await scene.server.saw("admit c0")
            scene.server.reply(b"-OOM command not allowed\r\n")
            assert (await call).degraded
            await until(lambda: scene.meter.states == [True, False])


class TestClientLeaves:
    """During its admission: no lease may stay."""

    @pytest.mark.parametrize(
        ("reply", "follows"),
        [
            pytest.param(ADMITTED, ["settle c0 once"], id="admitted"),
            pytest.param(REFUSED, [], id="refused"),
            pytest.param(b"-OOM command not allowed\r\n", [], id="an error"),
        ],
    )
    @pytest.mark.parametrize("left_first", [True, False], ids=["before the reply", "in the tick of the reply"])
    async def test_what_was_admitted_is_released(
        self, scene: Scene, reply: bytes, follows: list[str], left_first: bool
    ) -> None:
        scene.server.hold("admit")
        call = scene.begin("c0")
        await scene.server.saw("admit c0")
        if left_first:
            call.cancel()
            await asyncio.wait((call,))
        else:
            scene.meter.after_trip = call.cancel
        scene.server.reply(reply)
        await asyncio.wait((call,))
        assert call.cancelled()
        await scene.store.use("key", FREE, WALL)
        await scene.server.saw("admit c0", *sorted(["use", *follows]))

    async def test_what_was_not_sent_yet_never_is(self, scene: Scene) -> None:
        scene.server.hold("admit")
        first, second = scene.begin("c0"), scene.begin("c1")
        await scene.server.saw("admit c0")
        second.cancel()
        await asyncio.wait((second,))
        scene.server.reply(ADMITTED)
        await first
        await scene.store.use("key", FREE, WALL)
        assert scene.server.told == ["admit c0", "use"]

    async def test_what_may_have_been_admitted_is_released_when_the_store_is_back(self, scene: Scene) -> None:
        scene.server.hold("admit")
        call = scene.begin("c0")
        await scene.server.saw("admit c0")
        call.cancel()
        await scene.cut()
        await scene.mend()
        await scene.server.saw("settle c0 once", "renew")

    async def test_a_release_gives_the_request_back_too(self, scene: Scene) -> None:
        scene.server.hold("admit")
        call = scene.begin("c0")
        await scene.server.saw("admit c0")
        call.cancel()
        await asyncio.wait((call,))
        scene.server.reply(ADMITTED)
        await scene.server.saw("settle c0 once")
        assert scene.server.seen[-1].arguments[1:5] == (b"0", b"0", b"once", b"1000000")


class TestOutage:
    async def test_a_lost_admission_that_goes_on_locally_is_taken_in_and_paid_once(self, scene: Scene) -> None:
        """Redis may have admitted it, or may yet: it is never released, and settled so that either comes right."""
        scene.server.hold("admit")
        call = scene.begin("c0")
        await scene.server.saw("admit c0")
        await scene.cut()
        assert (await call).degraded
        await scene.mend()
        await scene.server.saw("admit c0", "renew", "renew c0")
        scene.settle("c0")
        await scene.server.saw("renew c0", "settle c0 once")

    async def test_a_lost_admission_that_is_denied_is_released(self, denying: Scene) -> None:
        denying.server.hold("admit")
        call = denying.begin("c0")
        await denying.server.saw("admit c0")
        await denying.cut()
        with pytest.raises(LimiterUnavailable):
            await call
        await denying.mend()
        await denying.server.saw("settle c0 once", "renew")

    async def test_a_lost_admission_that_is_refused_locally_is_released(self, scene: Scene) -> None:
        one = Limits("one", streams=1)
        scene.server.hold("admit")
        calls = [scene.begin(f"c{number}", one) for number in range(4)]
        await scene.server.saw("admit c0")
        scene.server.reply(REFUSED)
        await scene.server.saw("admit c1", "admit c2", "admit c3")
        scene.server.reply(REFUSED)
        assert [(await call).admitted for call in calls[:2]] == [False, False]
        await scene.cut()
        assert [(await call).admitted for call in calls[2:]] == [True, False]
        await scene.mend()
        await scene.server.saw("settle c3 once", "renew", "renew c2")

    async def test_while_it_lasts_no_call_waits(self, scene: Scene) -> None:
        await scene.cut()
        seen = len(scene.server.seen)
        verdicts = [await scene.admit(f"c{number}") for number in range(30)]
        assert [verdict.admitted for verdict in verdicts] == [True] * 10 + [False] * 20
        assert {verdict.limits for verdict in verdicts} == {FREE.shared_by(2)}
        assert len(scene.server.seen) == seen

    async def test_what_has_a_budget_is_denied(self, scene: Scene) -> None:
        await scene.cut()
        with pytest.raises(LimiterUnavailable):
            await scene.admit("c0", PAID)

    async def test_use_is_not_guessed(self, scene: Scene) -> None:
        await scene.cut()
        with pytest.raises(LimiterUnavailable):
            await scene.store.use("key", FREE, WALL)

    async def test_the_next_outage_gives_no_new_burst(self, scene: Scene) -> None:
        for expected in (10, 0):
            await scene.cut()
            verdicts = [await scene.admit(f"{expected} {number}") for number in range(20)]
            assert sum(verdict.admitted for verdict in verdicts) == expected
            await scene.mend()

    async def test_readiness_is_the_policys(self, scene: Scene, denying: Scene) -> None:
        assert (scene.store.ready, denying.store.ready) == (True, True)
        await scene.cut()
        await denying.cut()
        assert (scene.store.ready, denying.store.ready) == (True, False)
        denying.take(on_error=OnError.LOCAL)
        assert denying.store.ready
        assert (await denying.admit("c0")).degraded

    async def test_a_late_reply_is_an_outage_to_all_who_wait(self, scene: Scene) -> None:
        scene.take(timeout=HASTY)
        scene.server.hold("admit")
        verdicts = await asyncio.gather(*(scene.admit(f"c{number}") for number in range(5)))
        assert {verdict.degraded for verdict in verdicts} == {True}
        assert scene.meter.errors[0] == ("admit", "timeout")

    async def test_a_trip_that_nobody_waits_for_any_more_is_late_all_the_same(self) -> None:
        async with staged(timeout=HASTY) as scene:
            scene.server.hold("admit")
            left = scene.begin("c0")
            await scene.server.saw("admit c0")
            left.cancel()
            await until(lambda: not scene.up)
            assert (await scene.admit("c1")).degraded

    async def test_a_connection_that_fails_at_the_first_renewal_is_an_outage(self, scene: Scene) -> None:
        await scene.admit("c0")
        await scene.cut()
        scene.meter.trips.clear()

        def half_close() -> None:
            if [op for op, _ in scene.meter.trips] == ["connect", "connect"]:
                scene.server.refuse_greeting = b"-LOADING Redis is loading\r\n"
                link = scene.store._batcher._link
                assert link is not None
                assert link._transport is not None
                link._transport.write_eof()

        scene.meter.after_trip = half_close
        scene.server.refuse_greeting = None
        await until(lambda: scene.server.refuse_greeting is not None)
        for _ in range(5):
            await asyncio.sleep(0)
        assert (scene.up, scene.meter.states[-1]) == (False, True)

    async def test_the_gauge_follows(self, scene: Scene) -> None:
        await scene.cut()
        await scene.mend()
        assert scene.meter.states == [True, False]


class TestSettlement:
    """How each is sent, by what may be under way elsewhere: the modes of settle.lua."""

    async def test_sent_without_a_reply_it_goes_again(self, scene: Scene) -> None:
        await scene.admit("c0")
        scene.server.hold("settle")
        scene.settle("c0")
        await scene.server.saw("settle c0 first")
        await scene.cut()
        scene.server.hold()
        await scene.mend()
        await scene.server.saw("settle c0 first", "settle c0 again", "renew")

    async def test_of_a_call_older_than_the_connection_a_renewal_may_come_late(self, scene: Scene) -> None:
        await scene.admit("c0")
        await scene.admit("c1")
        await scene.cut()
        scene.settle("c0")
        await scene.mend()
        scene.settle("c1")
        await scene.server.saw("settle c0 once", "renew", "renew c1", "settle c1 once")

    async def test_a_server_that_refuses_everything_gets_it_later(self, scene: Scene) -> None:
        await scene.admit("c0")
        scene.server.hold("settle")
        scene.settle("c0")
        await scene.server.saw("settle c0 first")
        scene.server.reply(b"-READONLY You can't write against a read only replica.\r\n")
        scene.server.hold()
        await scene.server.connected(2)
        await scene.server.saw("settle c0 once", "renew")

    async def test_stopping_waits_for_what_is_under_way(self, scene: Scene) -> None:
        await scene.admit("c0")
        scene.server.hold("settle")
        scene.settle("c0")
        await scene.server.saw("settle c0 first")
        stopping = asyncio.get_running_loop().create_task(scene.store.stop(PATIENT), name="stop")
        await asyncio.wait((stopping,), timeout=HASTY)
        assert not stopping.done()
        scene.server.reply(DONE)
        await stopping
        assert scene.meter.errors == []

    async def test_stopping_waits_no_longer_than_told_and_counts_what_is_lost(self, scene: Scene) -> None:
        await scene.admit("c0")
        scene.server.hold("settle")
        scene.settle("c0")
        await scene.store.stop(0.02)
        assert scene.meter.errors == [("settle", "dropped")]

    async def test_stopping_waits_for_no_connection(self, scene: Scene) -> None:
        await scene.admit("c0")
        await scene.cut()
        scene.settle("c0")
        async with asyncio.timeout(PATIENT / 2):
            await scene.store.stop(PATIENT)
        assert scene.meter.errors[-1] == ("settle", "dropped")

    async def test_what_ends_while_it_stops_is_sent_too(self, scene: Scene) -> None:
        await scene.admit("c0")
        stopping = asyncio.get_running_loop().create_task(scene.store.stop(PATIENT), name="stop")
        await asyncio.sleep(0)
        scene.server.hold("settle")
        scene.settle("c0")
        await scene.server.saw("settle c0 first")
        scene.server.reply(DONE)
        await stopping
        assert scene.meter.errors == []


class TestLeases:
    async def test_the_running_are_renewed_every_third_of_the_ttl(self) -> None:
        async with staged(lease_ttl=0.1) as scene:
            for call in ("c0", "c1", "c2"):
                await scene.admit(call)
            scene.settle("c1")
            await scene.server.saw("renew c0 c2", "renew c0 c2")
            assert scene.server.seen[-1].arguments[:2] == (b"100000", b"1000000")

    async def test_their_ttl_is_that_of_the_start(self) -> None:
        """By a shorter one those that run would end before their renewal, or count as written by a wrong clock."""
        async with staged(lease_ttl=0.3) as scene:
            scene.take(lease_ttl=0.01)
            await scene.admit("c0")
            assert scene.server.seen[-1].arguments[-2:] == (b"300000", b"3000000")
            await scene.server.saw("renew c0")
            assert scene.server.seen[-1].arguments[:2] == (b"300000", b"3000000")

    async def test_each_key_is_renewed_by_itself_and_in_portions(self) -> None:
        async with staged(lease_ttl=0.5) as scene:
            calls = [scene.store.admit(make_demand(f"c{number}", Limits("none"), key="many")) for number in range(501)]
            await asyncio.gather(*calls)
            await scene.admit("c0")
            await scene.server.saw("renew c500", "renew c0")

    async def test_before_the_first_call_all_leases_are_made_again(self, scene: Scene) -> None:
        await scene.admit("c0")
        await scene.cut()
        assert (await scene.admit("c1")).degraded
        await scene.mend()
        await scene.admit("c2")
        await scene.server.saw("renew", "renew c0 c1", "admit c2")


class TestStart:
    @pytest.mark.parametrize(
        ("reply", "text"),
        [
            pytest.param(b"-NOAUTH Authentication required.\r\n", "password", id="no password"),
            pytest.param(b"-NOPERM this user has no permissions\r\n", "command", id="no permission"),
            pytest.param(b"-ERR Error compiling script\r\n", "Redis 7", id="before Redis 7"),
        ],
    )
    async def test_a_store_that_will_never_serve_ends_the_start(self, reply: bytes, text: str) -> None:
        async with ScriptedRedis() as server:
            server.refuse_greeting = reply
            store = open_store(StoreSettings(server.url), 1, Meter())
            with pytest.raises(StoreRefused, match=text):
                await store.start()

    async def test_without_a_store_it_goes_on(self) -> None:
        async with ScriptedRedis() as server:
            url = server.url
        meter = Meter()
        store = open_store(StoreSettings(url, on_error=OnError.DENY), 1, meter)
        await store.start()
        assert (store.ready, meter.states) == (False, [True])
        await store.stop(0.0)

    async def test_a_late_first_reply_is_waited_for_again(self) -> None:
        """A process that is just starting is slow itself."""
        async with ScriptedRedis() as server:
            server.refuse_greeting = b" "
            store = open_store(StoreSettings(server.url, timeout=HASTY), 1, Meter())
            starting = asyncio.get_running_loop().create_task(store.start(), name="start")
            await until(lambda: len(server.connections) == 2)
            server.refuse_greeting = None
            await starting
            assert not (await store.admit(make_demand("c0", FREE))).degraded
            await store.stop(0.5)
