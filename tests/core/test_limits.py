from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.limits import MINUTE, Budget, Limits, Period, Rate

PER_MINUTE = st.one_of(st.integers(1, 10_000), st.integers(1, 10_000_000))
BURSTS = st.integers(1, 10_000_000)


class TestRate:
    @pytest.mark.parametrize(
        ("per_minute", "units", "cost"),
        [
            pytest.param(60, 1, 1_000_000, id="a second each"),
            pytest.param(60, 90, 90_000_000, id="more than a minute's"),
            pytest.param(7, 1, 8_571_429, id="rounded up"),
            pytest.param(7, 2, 17_142_858, id="rounded up once, not for each unit"),
            pytest.param(7, 7, 60_000_000, id="exact where it divides"),
            pytest.param(2_000_000, 1, 30, id="millions a minute"),
            pytest.param(120_000_000, 1, 1, id="less than a microsecond is one"),
            pytest.param(60, 0, 0, id="nothing"),
        ],
    )
    def test_a_unit_costs_the_time_it_takes_to_come_back(self, per_minute: int, units: int, cost: int) -> None:
        assert Rate(per_minute, per_minute).cost(units) == cost

    @given(per_minute=PER_MINUTE, units=st.integers(0, 10_000_000))
    def test_a_cost_is_never_too_low_and_less_than_a_microsecond_too_high(self, per_minute: int, units: int) -> None:
        exact = Fraction(units * MINUTE, per_minute)
        assert exact <= Rate(per_minute, per_minute).cost(units) < exact + 1

    @given(per_minute=PER_MINUTE, data=st.data())
    def test_a_full_bucket_holds_its_burst_in_single_requests_and_not_one_more(
        self, per_minute: int, data: st.DataObject
    ) -> None:
        """As long as what rounding adds to them all is less than one of them."""
        burst = data.draw(st.integers(1, MINUTE // per_minute))
        rate = Rate(per_minute, burst)
        assert burst * rate.cost(1) <= rate.capacity < (burst + 1) * rate.cost(1)

    @given(per_minute=PER_MINUTE, burst=BURSTS)
    def test_a_full_bucket_holds_its_burst_in_one_call_and_not_one_unit_more(self, per_minute: int, burst: int) -> None:
        rate = Rate(per_minute, burst)
        assert rate.cost(burst) <= rate.capacity < rate.cost(burst + 1)

    @given(per_minute=PER_MINUTE, burst=BURSTS, debt=st.integers(-MINUTE, 10 * MINUTE))
    def test_what_is_left_is_between_nothing_and_the_burst(self, per_minute: int, burst: int, debt: int) -> None:
        assert 0 <= Rate(per_minute, burst).left(debt) <= burst

    @given(per_minute=PER_MINUTE, burst=BURSTS, data=st.data())
    def test_what_is_left_could_be_taken_at_once(self, per_minute: int, burst: int, data: st.DataObject) -> None:
        rate = Rate(per_minute, burst)
        debt = data.draw(st.integers(0, rate.capacity))
        assert debt + rate.cost(rate.left(debt)) <= rate.capacity

    @pytest.mark.parametrize(
        ("debt", "left"),
        [
            pytest.param(-5, 10, id="full for some time"),
            pytest.param(0, 10, id="just full"),
            pytest.param(1, 9, id="a microsecond short of the last unit"),
            pytest.param(1_000_000, 9, id="one taken"),
            pytest.param(1_000_001, 8, id="a little more than one"),
            pytest.param(10_000_000, 0, id="empty"),
            pytest.param(99_000_000, 0, id="overdrawn"),
        ],
    )
    def test_only_whole_units_are_left(self, debt: int, left: int) -> None:
        assert Rate(per_minute=60, burst=10).left(debt) == left


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class TestPeriod:
    @pytest.mark.parametrize(
        ("period", "wall", "began", "ends"),
        [
            pytest.param(Period.DAY, "2026-11-21T21:14:25.5", "2026-11-21", "2026-11-22", id="a day"),
            pytest.param(Period.DAY, "2026-11-21", "2026-11-21", "2026-11-22", id="a day's first moment"),
            pytest.param(Period.DAY, "2026-11-21T23:59:59.999", "2026-11-21", "2026-11-22", id="a day's last moment"),
            pytest.param(Period.DAY, "2028-02-28T12:00", "2028-02-28", "2028-02-29", id="before a leap day"),
            pytest.param(Period.DAY, "2028-02-29T12:00", "2028-02-29", "2028-03-01", id="a leap day"),
            pytest.param(Period.DAY, "2026-12-31T12:00", "2026-12-31", "2027-01-01", id="the last day of a year"),
            pytest.param(Period.WEEK, "2026-11-16", "2026-11-16", "2026-11-23", id="a Monday"),
            pytest.param(Period.WEEK, "2026-11-22T23:59:59", "2026-11-16", "2026-11-23", id="a Sunday"),
            pytest.param(Period.WEEK, "2027-01-01T12:00", "2026-12-28", "2027-01-04", id="a week over a year's end"),
            pytest.param(Period.WEEK, "2028-03-01T12:00", "2028-02-28", "2028-03-06", id="a week with a leap day"),
            pytest.param(Period.MONTH, "2026-11-21T21:14", "2026-11-01", "2026-12-01", id="a month of 30 days"),
            pytest.param(Period.MONTH, "2026-10-31T23:59:59", "2026-10-01", "2026-11-01", id="a month of 31 days"),
            pytest.param(Period.MONTH, "2027-02-28T12:00", "2027-02-01", "2027-03-01", id="a February"),
            pytest.param(Period.MONTH, "2028-02-29T12:00", "2028-02-01", "2028-03-01", id="a leap year's February"),
            pytest.param(Period.MONTH, "2100-02-28T12:00", "2100-02-01", "2100-03-01", id="a century's February"),
            pytest.param(Period.MONTH, "2026-12-31T23:59:59", "2026-12-01", "2027-01-01", id="a December"),
            pytest.param(Period.MONTH, "2027-01-01", "2027-01-01", "2027-02-01", id="a new year's first moment"),
        ],
    )
    def test_it_goes_by_the_calendar_in_utc(self, period: Period, wall: str, began: str, ends: str) -> None:
        assert period.began(at(wall)).timestamp() == at(began)
        assert period.ends(at(wall)).timestamp() == at(ends)

    @given(period=st.sampled_from(Period), wall=st.floats(0, 4e9))
    def test_every_moment_is_in_exactly_one_period(self, period: Period, wall: float) -> None:
        began, ends = period.began(wall), period.ends(wall)
        assert began.timestamp() <= wall < ends.timestamp()
        assert period.began(ends.timestamp()) == ends
        assert period.ends(began.timestamp()) == ends


class TestShare:
    @pytest.mark.parametrize(
        ("processes", "requests", "tokens", "streams"),
        [
            pytest.param(1, Rate(60, 30), Rate(1000, 2000), 5, id="alone"),
            pytest.param(4, Rate(15, 7), Rate(250, 500), 1, id="rounded down: together never more than the whole"),
            pytest.param(5000, Rate(1, 1), Rate(1, 1), 1, id="at least one of each"),
        ],
    )
    def test_everything_that_comes_back_is_divided(
        self, processes: int, requests: Rate, tokens: Rate, streams: int
    ) -> None:
        budget = Budget(500_000_000, Period.MONTH)
        share = Limits("pro", Rate(60, 30), Rate(1000, 2000), 5, budget).shared_by(processes)
        assert share == Limits("pro", requests, tokens, streams, budget)

    def test_what_has_no_limit_has_none_when_shared(self) -> None:
        assert Limits("free").shared_by(8) == Limits("free")
