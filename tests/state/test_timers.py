from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state.timers import TICK, Wheel


class Bench:
    """A wheel set by hand, and what ran on it, with the time it ran at."""

    def __init__(self, now: float = 1000.0) -> None:
        self.wheel = Wheel(now)
        self.ran: list[tuple[object, float]] = []

    def note(self, name: object) -> Callable[[], None]:
        return lambda: self.ran.append((name, self.wheel.now))

    @property
    def names(self) -> list[object]:
        return [name for name, _ in self.ran]


def test_now_is_the_time_of_the_last_tick() -> None:
    wheel = Wheel(5.0)
    assert wheel.now == 5.0
    wheel.tick(7.25)
    assert wheel.now == 7.25


@pytest.mark.parametrize("start", [0.0, 1000.0, 1_234_567.891, 9e8])
@pytest.mark.parametrize("wait", [0.0, 0.01, TICK, 0.07, 1.0, 59.99, 3600.0])
def test_a_timer_runs_once_never_early_and_at_most_two_ticks_late(start: float, wait: float) -> None:
    bench = Bench(start)
    due = start + wait
    bench.wheel.at(due, bench.note("a"))
    bench.wheel.tick(due - 0.001)
    if wait:
        assert bench.ran == []
    bench.wheel.tick(due + 2 * TICK)
    assert bench.names == ["a"]
    bench.wheel.tick(due + 100)
    assert bench.names == ["a"]


def test_a_time_in_the_past_is_the_next_tick() -> None:
    bench = Bench()
    bench.wheel.at(3.0, bench.note("a"))
    assert bench.ran == []
    bench.wheel.tick(1000.0 + 1.5 * TICK)
    assert bench.names == ["a"]


def test_a_cancelled_timer_does_not_run() -> None:
    bench = Bench()
    timer = bench.wheel.at(1001.0, bench.note("a"))
    bench.wheel.at(1001.0, bench.note("b"))
    timer.cancel()
    timer.cancel()
    bench.wheel.tick(1002.0)
    assert bench.names == ["b"]


def test_to_cancel_one_that_ran_is_harmless() -> None:
    bench = Bench()
    timer = bench.wheel.at(1001.0, bench.note("a"))
    bench.wheel.tick(1002.0)
    timer.cancel()
    bench.wheel.at(1003.0, bench.note("b"))
    timer.cancel()
    bench.wheel.tick(1004.0)
    assert bench.names == ["a", "b"]


@pytest.mark.parametrize("gap", [1.0, 3600.0, 1e6], ids=["a second", "an hour", "eleven days"])
def test_after_a_gap_everything_due_runs_in_order_of_its_time(gap: float) -> None:
    bench = Bench()
    for wait in (0.9, 0.1, 0.5, 0.3, 0.7):
        bench.wheel.at(1000.0 + wait, bench.note(wait))
    bench.wheel.at(1000.0 + gap + 1, bench.note("later"))
    bench.wheel.tick(1000.0 + gap)
    assert bench.names == [0.1, 0.3, 0.5, 0.7, 0.9]
    bench.wheel.tick(1000.0 + gap + 2)
    assert bench.names[-1] == "later"


def test_a_gap_costs_the_timers_in_it_and_not_its_ticks() -> None:
    """A year has 630 million ticks: counted one by one, this would take a minute."""
    bench = Bench()
    bench.wheel.at(1001.0, bench.note("a"))
    bench.wheel.tick(1000.0 + 365 * 86400)
    assert bench.names == ["a"]


def test_a_callback_may_set_a_timer_and_it_waits_for_a_later_tick() -> None:
    bench = Bench()

    def again() -> None:
        bench.note("again")()
        bench.wheel.at(bench.wheel.now, again)

    bench.wheel.at(1000.1, again)
    for tick in range(1, 8):
        bench.wheel.tick(1000.0 + tick * TICK * 1.01)
    assert 3 <= len(bench.ran) <= 6
    assert len({when for _, when in bench.ran}) == len(bench.ran)


def test_a_callback_may_cancel_one_that_is_due_in_the_same_tick() -> None:
    bench = Bench()

    def cancel() -> None:
        same_slot.cancel()
        later_slot.cancel()

    bench.wheel.at(1000.01, cancel)
    same_slot = bench.wheel.at(1000.01, bench.note("same slot"))
    later_slot = bench.wheel.at(1000.5, bench.note("later slot"))
    bench.wheel.at(1000.5, bench.note("stays"))
    bench.wheel.tick(1001.0)
    assert bench.names == ["stays"]


def test_ticks_closer_than_a_slot_run_nothing_twice_and_lose_nothing() -> None:
    bench = Bench()
    for i in range(100):
        bench.wheel.at(1000.0 + i / 100, bench.note(i))
    for i in range(2000):
        bench.wheel.tick(1000.0 + i / 1000)
    assert sorted(bench.names, key=str) == sorted(range(100), key=str)


@given(
    st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=20),
    st.lists(st.floats(0.001, 2), min_size=1, max_size=20),
)
def test_whatever_the_ticks_each_timer_runs_once_and_not_early(
    timers: list[tuple[float, bool]], steps: list[float]
) -> None:
    bench = Bench()
    for number, (wait, cancelled) in enumerate(timers):
        timer = bench.wheel.at(1000.0 + wait, bench.note(number))
        if cancelled:
            timer.cancel()
    now = 1000.0
    for step in [*steps, 10.0]:
        now += step
        bench.wheel.tick(now)
    due = {number: 1000.0 + wait for number, (wait, cancelled) in enumerate(timers) if not cancelled}
    assert len(bench.ran) == len(due)
    ran_at = dict(bench.ran)
    assert ran_at.keys() == due.keys()
    assert all(ran_at[number] >= when for number, when in due.items())


def test_a_callback_that_raises_is_reported_and_stops_nobody() -> None:
    def bug() -> None:
        raise ZeroDivisionError

    reported: list[Exception] = []
    wheel = Wheel(1000.0, reported.append)
    ran: list[str] = []
    wheel.at(1001.0, bug)
    wheel.at(1001.0, lambda: ran.append("same slot"))
    wheel.at(1002.0, lambda: ran.append("later"))
    wheel.tick(1003.0)
    assert ran == ["same slot", "later"]
    assert [type(error) for error in reported] == [ZeroDivisionError]
