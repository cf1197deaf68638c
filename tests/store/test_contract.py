"""What every store promises, run on memory, on fakeredis and on a real redis-server."""

import asyncio
import itertools
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from gateway.core.limits import Budget, Limits, Period, Rate, Use
from tests.store.bench import SLOW, WALL, Bench, make_demand

SECOND = 1_000_000

# Each alone, with room for `room` demands of 100 tokens and 100 micro-USD.
KINDS = ("requests", "tokens", "streams", "budget")
PAIRS = [pytest.param(*pair, id=f"{pair[0]} refuse, {pair[1]} watched") for pair in itertools.permutations(KINDS, 2)]


def only(kind: str, room: int) -> Limits:
    values = {
        "requests": Rate(room, room),
        "tokens": Rate(6, 100 * room),
        "streams": room,
        "budget": Budget(100 * room, Period.MONTH),
    }
    return Limits("pro", **{kind: values[kind]})  # type: ignore[arg-type]


def both(one: Limits, other: Limits) -> Limits:
    given = {f.name: getattr(one, f.name) or getattr(other, f.name) for f in fields(Limits)}
    return Limits(**given)


class TestAdmission:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_so_many_get_in_and_no_more(self, bench: Bench, kind: str) -> None:
        assert await bench.admits(only(kind, 3), tries=6) == 3

    async def test_all_limits_hold_at_once(self, bench: Bench) -> None:
        assert await bench.admits(SLOW, tries=6) == 4

    @pytest.mark.parametrize(("refusing", "watched"), PAIRS)
    async def test_a_refusal_charges_nothing(self, bench: Bench, refusing: str, watched: str) -> None:
        limits = both(only(refusing, 1), only(watched, 5))
        assert await bench.admits(limits, tries=6) == 1
        assert await bench.admits(only(watched, 5), tries=6) == 4

    async def test_of_fifty_at_once_exactly_as_many_get_in_as_may(self, bench: Bench) -> None:
        verdicts = await asyncio.gather(*(bench.admit(f"call {n}", only("streams", 20)) for n in range(50)))
        assert sum(verdict.admitted for verdict in verdicts) == 20
        assert (await bench.use(only("streams", 20))).streams == 20

    async def test_the_same_call_is_admitted_once_however_often_it_is_asked(self, bench: Bench) -> None:
        first = await bench.admit("one")
        again = await bench.admit("one")
        assert (first.admitted, again.admitted) == (True, True)
        assert await bench.left() == (3, 500)
        use = await bench.use()
        assert (use.streams, use.micro_usd) == (1, 100)

    async def test_a_call_already_admitted_is_not_refused_when_all_is_taken(self, bench: Bench) -> None:
        assert await bench.admits(only("streams", 1), tries=1) == 1
        assert (await bench.admit("new 1", only("streams", 1))).admitted

    async def test_two_keys_never_mix(self, bench: Bench) -> None:
        assert await bench.admits(SLOW, tries=6, key="one") == 4
        assert await bench.admits(SLOW, tries=6, key="two") == 4
        assert await bench.use(key="three") == Use()

    async def test_the_same_call_id_of_two_keys_is_two_calls(self, bench: Bench) -> None:
        await bench.admit("call", key="one")
        await bench.admit("call", key="two")
        bench.settle("call", key="one")
        assert [(await bench.use(key=key)).streams for key in ("one", "two")] == [0, 1]

    async def test_what_has_no_limit_stays_0(self, bench: Bench) -> None:
        none = Limits("none")
        assert await bench.admits(none, tries=20, tokens=10**9, micro_usd=10**9) == 20
        assert await bench.use(none) == Use()

    async def test_big_numbers_are_exact(self, bench: Bench) -> None:
        """Two years of refill and a billion dollars: more digits than `%g` or a 32-bit integer would keep."""
        limits = Limits("vast", tokens=Rate(1, 2**20), budget=Budget(10**15, Period.MONTH))
        await bench.admit("one", limits, tokens=2**20 - 1, micro_usd=10**15 - 1)
        assert (await bench.use(limits)).micro_usd == 10**15 - 1
        assert not (await bench.admit("two", limits, tokens=1, micro_usd=2)).admitted
        assert not (await bench.admit("two", limits, tokens=2, micro_usd=1)).admitted
        assert (await bench.admit("two", limits, tokens=1, micro_usd=1)).admitted


class TestNumbers:
    async def test_a_verdict_tells_how_it_stands_after_the_admission(self, bench: Bench) -> None:
        verdict = await bench.admit("one")
        assert verdict.limits is SLOW
        assert not verdict.degraded
        assert SLOW.requests is not None
        assert SLOW.tokens is not None
        assert verdict.use == Use(SLOW.requests.cost(1), SLOW.tokens.cost(100), 1, 100)

    async def test_a_refusal_tells_how_it_stands(self, bench: Bench) -> None:
        await bench.admits(SLOW, tries=4)
        verdict = await bench.admit("late")
        assert not verdict.admitted
        assert (verdict.use.streams, verdict.use.micro_usd) == (4, 400)
        assert SLOW.requests is not None
        assert 0 <= SLOW.requests.capacity - verdict.use.requests < 5 * SECOND

    async def test_asking_charges_nothing(self, bench: Bench) -> None:
        await bench.admit("one")
        for _ in range(5):
            use = await bench.use()
        assert (use.streams, use.micro_usd) == (1, 100)
        assert await bench.left() == (3, 500)
        assert await bench.admits(SLOW, tries=4) == 3

    async def test_a_key_nobody_knows_has_used_nothing(self, bench: Bench) -> None:
        assert await bench.use() == Use()


class TestTime:
    @pytest.mark.parametrize(
        ("limits", "units"),
        [
            pytest.param(Limits("pro", requests=Rate(6000, 3)), 1, id="requests"),
            pytest.param(Limits("pro", requests=Rate(7001, 3)), 1, id="requests that do not divide a minute"),
            pytest.param(Limits("pro", tokens=Rate(600_000, 300)), 100, id="tokens"),
            pytest.param(Limits("pro", tokens=Rate(700_001, 300)), 100, id="tokens that do not divide a minute"),
        ],
    )
    async def test_a_refused_call_gets_in_when_the_told_wait_is_over_and_not_before(
        self, bench: Bench, limits: Limits, units: int
    ) -> None:
        rate = limits.requests or limits.tokens
        assert rate is not None
        await bench.admits(limits, tries=3, tokens=units)
        late = await asyncio.gather(*(bench.admit(f"late {number}", limits, tokens=units) for number in range(12)))
        refused = next(verdict for verdict in late if not verdict.admitted)
        debt = refused.use.requests if limits.requests else refused.use.tokens
        wait = debt + rate.cost(units) - rate.capacity
        assert 0 < wait <= rate.cost(units)
        if bench.exact:
            await bench.elapse(wait - 1)
            assert not (await bench.admit("waited", limits, tokens=units)).admitted
            await bench.elapse(1)
        else:
            await bench.elapse(wait)
        assert (await bench.admit("waited", limits, tokens=units)).admitted

    async def test_a_bucket_fills_up_to_its_burst_and_no_further(self, bench: Bench) -> None:
        """6000 a minute is one in 10 ms: a real server's time may give one or two more while the test asks."""
        limits = Limits("pro", requests=Rate(6000, 5))
        await bench.admits(limits, tries=5)
        await bench.elapse(100_000)
        assert (await bench.use(limits)).requests == 0
        if bench.exact:
            assert await bench.admits(limits, tries=7) == 5

    async def test_what_was_told_to_be_left_is_left(self, bench: Bench) -> None:
        limits = Limits("pro", tokens=Rate(6, 100))
        await bench.admit("one", limits, tokens=37)
        assert await bench.left(limits) == (0, 63)
        assert not (await bench.admit("two", limits, tokens=64)).admitted
        assert (await bench.admit("two", limits, tokens=63)).admitted


class TestSettling:
    async def test_a_lease_is_counted_until_it_is_settled(self, bench: Bench) -> None:
        limits = only("streams", 2)
        await bench.admit("one", limits)
        await bench.admit("two", limits)
        assert not (await bench.admit("three", limits)).admitted
        bench.settle("one", limits)
        assert (await bench.use(limits)).streams == 1
        assert (await bench.admit("three", limits)).admitted

    async def test_settling_does_not_give_the_request_back(self, bench: Bench) -> None:
        await bench.admit("one")
        bench.settle("one")
        assert await bench.left() == (3, 600)

    @pytest.mark.parametrize(
        ("used", "left"),
        [
            pytest.param(0, 600, id="nothing used"),
            pytest.param(40, 560, id="less than reserved"),
            pytest.param(100, 500, id="as reserved"),
            pytest.param(250, 350, id="more than reserved"),
            pytest.param(900, 0, id="more than there was"),
        ],
    )
    async def test_the_reservation_becomes_what_was_used(self, bench: Bench, used: int, left: int) -> None:
        await bench.admit("one")
        bench.settle("one", used=(used, 2 * used))
        assert await bench.left() == (3, left)
        assert (await bench.use()).micro_usd == 2 * used

    async def test_an_overdrawn_bucket_refuses_until_it_is_paid_off(self, bench: Bench) -> None:
        limits = Limits("pro", tokens=Rate(600_000, 300))
        await bench.admit("one", limits)
        bench.settle("one", limits, used=(2300, 0))
        refused = await bench.admit("two", limits)
        assert not refused.admitted
        assert 170_000 <= refused.use.tokens <= 230_000
        await bench.elapse(refused.use.tokens)
        assert (await bench.admit("two", limits)).admitted

    async def test_settling_twice_is_once(self, bench: Bench) -> None:
        await bench.admit("one")
        await bench.admit("two")
        for _ in range(2):
            bench.settle("one", used=(10, 20))
        use = await bench.use()
        assert (use.streams, use.micro_usd) == (1, 120)
        assert await bench.left() == (2, 490)

    async def test_many_are_settled_each_with_its_own(self, bench: Bench) -> None:
        limits = replace(SLOW, requests=None, streams=50, tokens=Rate(6, 6000), budget=Budget(10_000, Period.MONTH))
        assert await bench.admits(limits, tries=40) == 40
        for number in range(1, 41):
            bench.settle(f"new {number}", limits, used=(number, number))
        use = await bench.use(limits)
        assert (use.streams, use.micro_usd) == (0, 820)
        assert await bench.left(limits) == (0, 6000 - 820)


class TestBudget:
    LIMITS = Limits("pro", budget=Budget(400, Period.MONTH))
    DECEMBER = datetime(2026, 12, 1, tzinfo=UTC).timestamp()

    async def test_the_next_period_starts_at_0(self, bench: Bench) -> None:
        assert await bench.admits(self.LIMITS, tries=5) == 4
        assert not (await bench.admit("late", self.LIMITS, wall=self.DECEMBER - 1)).admitted
        assert (await bench.use(self.LIMITS, wall=self.DECEMBER)).micro_usd == 0
        assert (await bench.admit("next", self.LIMITS, wall=self.DECEMBER)).admitted
        assert (await bench.use(self.LIMITS, wall=self.DECEMBER)).micro_usd == 100

    async def test_a_call_over_the_end_of_a_period_is_paid_in_its_own(self, bench: Bench) -> None:
        await bench.admit("old", self.LIMITS)
        await bench.admit("new", self.LIMITS, wall=self.DECEMBER)
        bench.settle("old", self.LIMITS, used=(0, 30))
        assert (await bench.use(self.LIMITS)).micro_usd == 30
        assert (await bench.use(self.LIMITS, wall=self.DECEMBER)).micro_usd == 100

    @pytest.mark.parametrize("other_period", [Period.DAY, Period.WEEK])
    async def test_periods_of_another_kind_are_another_budget(self, bench: Bench, other_period: Period) -> None:
        """The first of June 2026 was a Monday: day, week and month begin at once."""
        wall = datetime(2026, 6, 1, 8, tzinfo=UTC).timestamp()
        other = Limits("pro", budget=Budget(400, other_period))
        await bench.admit("one", self.LIMITS, micro_usd=1, wall=wall)
        await bench.admit("two", other, micro_usd=2, wall=wall)
        assert (await bench.use(self.LIMITS, wall=wall)).micro_usd == 1
        assert (await bench.use(other, wall=wall)).micro_usd == 2

    async def test_what_does_not_fit_any_more_is_refused_what_does_is_not(self, bench: Bench) -> None:
        await bench.admit("one", self.LIMITS, micro_usd=350)
        assert not (await bench.admit("two", self.LIMITS, micro_usd=51)).admitted
        assert (await bench.admit("two", self.LIMITS, micro_usd=50)).admitted

    async def test_a_budget_may_be_overdrawn_by_what_a_call_really_cost(self, bench: Bench) -> None:
        await bench.admit("one", self.LIMITS)
        bench.settle("one", self.LIMITS, used=(0, 1000))
        assert (await bench.use(self.LIMITS)).micro_usd == 1000
        assert not (await bench.admit("two", self.LIMITS, micro_usd=0)).admitted


class TestChangedLimits:
    async def test_raised_limits_count_at_once(self, bench: Bench) -> None:
        assert await bench.admits(only("streams", 2), tries=3) == 2
        assert await bench.admits(only("streams", 3), tries=3) == 1

    async def test_lowered_limits_let_running_calls_be_and_new_ones_wait(self, bench: Bench) -> None:
        assert await bench.admits(only("streams", 4), tries=4) == 4
        for number in (1, 2):
            assert await bench.admits(only("streams", 2), tries=1) == 0
            bench.settle(f"new {number}", only("streams", 2))
        assert await bench.admits(only("streams", 2), tries=1) == 0
        bench.settle("new 3", only("streams", 2))
        assert await bench.admits(only("streams", 2), tries=1) == 1

    async def test_a_call_is_settled_at_the_rate_it_was_admitted_at(self, bench: Bench) -> None:
        before, after = Limits("pro", tokens=Rate(6, 600)), Limits("pro", tokens=Rate(12, 600))
        await bench.store.admit(demand := make_demand("one", before))
        await bench.admit("two", after, tokens=10)
        bench.store.settle(demand, 0, 0)
        assert await bench.left(after) == (0, 590)

    async def test_a_limit_that_came_later_counts_from_then_on(self, bench: Bench) -> None:
        await bench.admit("one", Limits("none"))
        assert await bench.admits(SLOW, tries=2) == 2
        bench.settle("one", Limits("none"), used=(50, 50))
        assert await bench.left() == (2, 400)
        assert (await bench.use(wall=WALL)).micro_usd == 200
