import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from gateway.store import redis
from gateway.store.batch import GRACE, TRIP, WAITING, Batcher
from gateway.store.command import Command, Numbers
from gateway.store.failures import Failure, Kind, Unlinked
from gateway.store.link import Address
from tests.store.bench import Meter, make_demand, until
from tests.store.fake_server import FakeRedisServer
from tests.store.scripted_redis import ADMITTED, DONE, ScriptedRedis

LEASE = 30.0
OK = (1, 0, 0, 1, 0)
PATIENT = 5.0
HASTY = 0.05


@dataclass
class Carried:
    """A batcher over a scripted server, and what it said was lost."""

    server: ScriptedRedis
    batcher: Batcher
    meter: Meter
    losses: list[Failure] = field(default_factory=list)

    def ask(self, call: str) -> asyncio.Future[Numbers | Failure]:
        loop = asyncio.get_running_loop()
        packed, deadline = redis.admit(make_demand(call), LEASE), loop.time() + self.batcher.timeout
        ask = redis.Admit(loop.create_future(), packed, deadline, lambda: None)
        self.batcher.put(ask)
        return ask.future

    def settle(self, call: str) -> None:
        self.batcher.put(redis.Settlement(make_demand(call), LEASE, redis.FIRST, (1, 1)))


@pytest.fixture
async def carried() -> AsyncIterator[Carried]:
    """Connected."""
    async with ScriptedRedis() as server:
        losses: list[Failure] = []
        meter = Meter()
        batcher = Batcher(Address.of(server.url), redis.GREETING, meter, losses.append)
        batcher.timeout = PATIENT
        await batcher.connect()
        yield Carried(server, batcher, meter, losses)
        batcher.close()


class TestTrips:
    async def test_what_comes_during_a_trip_goes_as_the_next_one(self, carried: Carried) -> None:
        carried.server.hold("admit")
        futures = [carried.ask("c0")]
        await carried.server.saw("admit c0")
        futures += [carried.ask(f"c{number}") for number in range(1, 5)]
        carried.server.reply(ADMITTED)
        await carried.server.saw("admit c4")
        carried.server.reply(ADMITTED * 4)
        assert await asyncio.gather(*futures) == [OK] * 5
        assert carried.server.trips == [["admit c0"], [f"admit c{number}" for number in range(1, 5)]]

    async def test_a_trip_is_bounded(self, carried: Carried) -> None:
        futures = [carried.ask(f"c{number}") for number in range(TRIP + 50)]
        await asyncio.gather(*futures)
        # The first goes at once, alone; then what has come, as far as it fits.
        assert [op for op, _ in carried.meter.trips] == ["connect", "admit", "admit", "admit"]

    async def test_each_gets_its_own_answer(self, carried: Carried) -> None:
        carried.server.hold("admit")
        futures = [carried.ask(f"c{number}") for number in range(3)]
        await carried.server.saw("admit c0")
        carried.server.reply(b"+1 0 0 0 0\r\n")
        await carried.server.saw("admit c1", "admit c2")
        carried.server.reply(b"+1 1 1 1 1\r\n+0 2 2 2 2\r\n")
        assert await asyncio.gather(*futures) == [(1, 0, 0, 0, 0), (1, 1, 1, 1, 1), (0, 2, 2, 2, 2)]

    async def test_what_nobody_wants_any_more_is_not_sent(self, carried: Carried) -> None:
        carried.server.hold("admit")
        futures = [carried.ask(f"c{number}") for number in range(3)]
        futures[1].cancel()
        await carried.server.saw("admit c0")
        carried.server.reply(ADMITTED)
        await carried.server.saw("admit c2")
        assert carried.server.told == ["admit c0", "admit c2"]

    async def test_an_end_waits_for_a_call_to_go_with_and_goes_before_it(self, carried: Carried) -> None:
        carried.settle("c0")
        carried.settle("c1")
        await carried.ask("c2")
        assert carried.server.trips == [["settle c0 first", "settle c1 first", "admit c2"]]

    async def test_an_end_waits_only_for_a_moment(self, carried: Carried) -> None:
        for call in ("c0", "c1"):
            carried.settle(call)
            await carried.server.saw(f"settle {call} first")
        assert carried.server.trips == [["settle c0 first"], ["settle c1 first"]]

    async def test_an_end_that_lost_patience_during_a_trip_goes_after_it(self, carried: Carried) -> None:
        carried.server.hold("admit")
        future = carried.ask("c0")
        await carried.server.saw("admit c0")
        carried.settle("c1")
        await until(lambda: carried.batcher._pressing)
        carried.server.reply(ADMITTED)
        assert await future == OK
        await carried.server.saw("admit c0", "settle c1 first")

    async def test_a_mixed_trip_is_measured_as_what_somebody_waits_for(self, carried: Carried) -> None:
        carried.server.hold("settle", "admit")
        carried.settle("c0")
        await carried.server.saw("settle c0 first")
        carried.settle("c1")
        future = carried.ask("c2")
        carried.server.reply(DONE)
        await carried.server.saw("settle c1 first", "admit c2")
        carried.server.reply(DONE, ADMITTED)
        assert await future == OK
        assert [op for op, _ in carried.meter.trips] == ["connect", "settle", "admit"]


class TestReplies:
    @pytest.mark.parametrize(
        "garbage",
        [
            pytest.param(b":1\r\n", id="a number"),
            pytest.param(b"$-1\r\n", id="nothing"),
            pytest.param(b"+1 0 0 1\r\n", id="too few numbers"),
            pytest.param(b"+1 0 0 1 0 0\r\n", id="too many numbers"),
            pytest.param(b"+1 0 0 x 0\r\n", id="not a number"),
            pytest.param(b"*1\r\n+1 0 0 1 0\r\n", id="a list"),
            pytest.param(b"HTTP/1.1 400\r\n", id="not RESP"),
            pytest.param(b"$x\r\n", id="no length"),
            pytest.param(b"+" + b"1" * 100_000 + b"\r\n", id="an endless line"),
        ],
    )
    async def test_what_can_not_be_the_answer_ends_the_connection(self, carried: Carried, garbage: bytes) -> None:
        carried.server.hold("admit")
        future = carried.ask("c0")
        await carried.server.saw("admit c0")
        carried.server.reply(garbage)
        assert await future == Failure(Kind.PROTOCOL, unknown=True)
        assert (carried.losses, carried.batcher.open) == ([Failure(Kind.PROTOCOL)], False)

    @pytest.mark.parametrize(
        "surplus", [pytest.param(ADMITTED, id="an answer"), pytest.param(b"-ERR x\r\n", id="error")]
    )
    async def test_an_answer_to_nothing_ends_the_connection(self, carried: Carried, surplus: bytes) -> None:
        carried.server.reply(surplus)
        await until(lambda: carried.losses)
        assert carried.losses == [Failure(Kind.PROTOCOL)]

    async def test_a_surplus_answer_is_not_the_next_ones(self, carried: Carried) -> None:
        carried.server.hold("admit")
        first = carried.ask("c0")
        await carried.server.saw("admit c0")
        second = carried.ask("c1")
        carried.server.reply(b"+1 0 0 0 0\r\n+0 7 7 7 7\r\n")
        assert await first == (1, 0, 0, 0, 0)
        # It was never sent.
        assert await second == Failure(Kind.PROTOCOL)

    async def test_an_error_is_the_answer_of_one_command(self, carried: Carried) -> None:
        carried.server.hold("admit")
        futures = [carried.ask(f"c{number}") for number in range(3)]
        await carried.server.saw("admit c0")
        carried.server.reply(b"-OOM command not allowed\r\n")
        await carried.server.saw("admit c1", "admit c2")
        carried.server.reply(b"-WRONGTYPE Operation against a key\r\n", ADMITTED)
        assert await asyncio.gather(*futures) == [Failure(Kind.OOM), Failure(Kind.WRONGTYPE), OK]
        assert carried.batcher.open
        assert carried.meter.errors == [("admit", "oom"), ("admit", "wrongtype")]

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            pytest.param(b"READONLY You can't write against a read only replica.", Kind.READONLY, id="READONLY"),
            pytest.param(b"LOADING Redis is loading the dataset in memory", Kind.LOADING, id="LOADING"),
            pytest.param(b"NOAUTH Authentication required.", Kind.AUTH, id="NOAUTH"),
            pytest.param(b"NOPERM this user has no permissions", Kind.AUTH, id="NOPERM"),
            pytest.param(b"BUSY Redis is busy running a script.", Kind.BUSY, id="BUSY"),
            pytest.param(b"MISCONF Redis is configured to save", Kind.MISCONF, id="MISCONF"),
            pytest.param(b"MASTERDOWN Link with MASTER is down", Kind.OTHER, id="MASTERDOWN"),
        ],
    )
    async def test_a_server_that_serves_nothing_is_left_after_the_trip(
        self, carried: Carried, error: bytes, kind: Kind
    ) -> None:
        carried.server.hold("admit", "settle")
        first = carried.ask("c0")
        await carried.server.saw("admit c0")
        second = carried.ask("c1")
        carried.settle("c2")
        carried.server.reply(ADMITTED)
        assert await first == OK
        await carried.server.saw("admit c1", "settle c2 first")
        carried.server.reply(b"-%b\r\n" % error * 2)
        assert await second == Failure(kind)
        await until(lambda: carried.losses)
        assert carried.losses == [Failure(kind)]
        # Nothing of the settlement was done, so it goes again; in between anything may come late.
        await carried.batcher.connect()
        await carried.server.saw("settle c2 once")


class TestScripts:
    async def test_a_forgotten_script_is_loaded_and_only_what_needed_it_goes_again(self, carried: Carried) -> None:
        carried.server.hold("admit")
        futures = [carried.ask(f"c{number}") for number in range(4)]
        await carried.server.saw("admit c0")
        carried.server.reply(ADMITTED)
        await carried.server.saw("admit c3")
        carried.server.reply(ADMITTED, b"-NOSCRIPT No matching script.\r\n", ADMITTED)
        await carried.server.saw("admit c2")
        carried.server.reply(ADMITTED)
        assert await asyncio.gather(*futures) == [OK] * 4
        assert carried.server.trips[2:] == [["load", "load", "load", "load", "admit c2"]]
        assert carried.meter.errors == []

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            pytest.param(b"-READONLY You can't write\r\n", Kind.READONLY, id="a replica"),
            pytest.param(b"-NOSCRIPT No matching script.\r\n", Kind.SCRIPT, id="a hash that differs"),
            pytest.param(b"+maybe\r\n", Kind.PROTOCOL, id="no number"),
        ],
    )
    async def test_a_server_that_scripts_cannot_write_to_is_not_used(
        self, carried: Carried, reply: bytes, kind: Kind
    ) -> None:
        carried.batcher.drop(Failure(Kind.CONNECTION))
        carried.settle("c0")
        carried.server.refuse_greeting = reply
        with pytest.raises(Unlinked) as caught:
            await carried.batcher.connect()
        assert caught.value.kind is kind
        assert carried.meter.errors == [("connect", "connection"), ("connect", kind.value)]
        carried.server.refuse_greeting = None
        await carried.batcher.connect()
        await carried.server.saw("settle c0 once")


class TestConnect:
    """Each one that fails is counted once."""

    async def test_where_nobody_listens(self) -> None:
        async with ScriptedRedis() as server:
            url = server.url
        meter = Meter()
        batcher = Batcher(Address.of(url), redis.GREETING, meter, lambda failure: None)
        with pytest.raises(Unlinked):
            await batcher.connect()
        batcher.close()
        assert meter.errors == [("connect", "connection")]

    async def test_where_no_script_can_be_loaded(self) -> None:
        async with FakeRedisServer() as old:
            old.knows_flags = False
            meter = Meter()
            batcher = Batcher(Address.of(old.url), redis.GREETING, meter, lambda failure: None)
            with pytest.raises(Unlinked):
                await batcher.connect()
            batcher.close()
        assert meter.errors == [("connect", "script")]


class TestLoss:
    async def test_a_late_reply_finds_its_connection_closed(self, carried: Carried) -> None:
        carried.server.hold("admit")
        carried.batcher.timeout = HASTY
        late = [carried.ask("c0"), carried.ask("c1")]
        unknown, unsent = await asyncio.gather(*late)
        assert unknown == Failure(Kind.TIMEOUT, unknown=True)
        assert unsent == Failure(Kind.TIMEOUT)
        carried.batcher.timeout = PATIENT
        await carried.batcher.connect()
        future = carried.ask("c2")
        await carried.server.saw("admit c2")
        await until(carried.server.connections[0].transport.is_closing)
        carried.server.reply(b"+1 6 6 6 6\r\n")
        assert await future == (1, 6, 6, 6, 6)

    async def test_the_deadline_counts_from_the_call_not_from_its_trip(self, carried: Carried) -> None:
        carried.server.hold("admit", "settle")
        carried.batcher.timeout = 0.2
        carried.settle("c0")
        began = time.monotonic()
        future = carried.ask("c1")
        await until(lambda: time.monotonic() - began > 0.15)
        carried.server.reply(DONE)
        assert await future == Failure(Kind.TIMEOUT, unknown=True)
        assert 0.19 <= time.monotonic() - began < 0.33

    async def test_a_shorter_timeout_counts_from_the_next_trip_on(self, carried: Carried) -> None:
        carried.server.hold("settle")
        carried.batcher.timeout = HASTY
        carried.settle("c0")
        await until(lambda: carried.losses, 1.0)
        assert carried.losses == [Failure(Kind.TIMEOUT)]

    async def test_each_time_the_loop_is_held_up_replies_are_looked_for_once_more(self, carried: Carried) -> None:
        carried.batcher.timeout = HASTY
        for call in ("c0", "c1"):
            future = carried.ask(call)
            time.sleep(HASTY + 2 * GRACE)  # noqa: ASYNC251, TID251 - holds the loop up
            assert await future == OK
            await asyncio.sleep(2 * GRACE)
        assert carried.losses == []

    async def test_a_connection_that_ends_while_idle_is_noticed_at_once(self, carried: Carried) -> None:
        carried.server.cut()
        await until(lambda: carried.losses)
        assert carried.losses == [Failure(Kind.CONNECTION)]
        assert carried.meter.errors == [("connect", "connection")]

    async def test_what_is_kept_goes_again_first_and_in_its_order(self, carried: Carried) -> None:
        carried.server.hold("settle")
        carried.settle("c0")
        await carried.server.saw("settle c0 first")
        carried.settle("c1")
        carried.settle("c2")
        carried.server.cut()
        await until(lambda: carried.losses)
        carried.settle("c3")
        carried.server.hold()
        await carried.batcher.connect()
        # c0 may have run; of the two that were not sent, renewals may still be under way.
        await carried.server.saw("settle c0 again", "settle c1 once", "settle c2 once", "settle c3 first")

    async def test_whoever_hears_of_a_failure_finds_the_batcher_closed(self, carried: Carried) -> None:
        carried.server.hold("admit")
        future = carried.ask("c0")
        await carried.server.saw("admit c0")
        found: list[bool] = []
        future.add_done_callback(lambda _: found.append(carried.batcher.open))
        carried.server.cut()
        assert await future == Failure(Kind.CONNECTION, unknown=True)
        assert found == [False]

    async def test_so_many_are_kept_and_then_the_oldest_is_dropped(self, carried: Carried) -> None:
        carried.batcher.drop(Failure(Kind.CONNECTION))
        told: list[str] = []

        class Kept(Command):
            keep = True

            def __init__(self, name: str) -> None:
                self.name = name

            def failed(self, failure: Failure) -> None:
                told.append(f"{self.name} {failure.kind.value}")

        for number in range(WAITING + 2):
            carried.batcher.put(Kept(str(number)))
        assert told == ["0 dropped", "1 dropped"]
        assert repr(carried.batcher) == f"<Batcher closed, 0 in flight, {WAITING} waiting>"

    async def test_nothing_is_left_behind(self, carried: Carried) -> None:
        before = len(asyncio.all_tasks())
        for _ in range(5):
            carried.server.cut()
            await until(lambda: not carried.batcher.open)
            await carried.batcher.connect()
        assert len(asyncio.all_tasks()) == before
