"""Each store beside the reference limiter, on a clock set by hand: the same steps, the same answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway.core.limits import Budget, Demand, Limits, Period, Rate, Verdict
from tests.store.bench import WALL, Bench
from tests.store.conftest import run_fakeredis, run_memory
from tests.store.reference import Reference

OpenBench = Callable[[], AbstractAsyncContextManager[Bench]]

LIMITS = (
    Limits("divides", Rate(60, 4), Rate(600, 500), 3, Budget(1000, Period.MONTH)),
    Limits("does not", Rate(7, 3), Rate(7001, 400), 4, Budget(700, Period.MONTH)),
    Limits("requests only", requests=Rate(50, 5)),
    Limits("tokens only", tokens=Rate(12_345, 777)),
    Limits("streams and money", streams=2, budget=Budget(300, Period.MONTH)),
    Limits("none"),
)
PAUSES = st.one_of(st.integers(0, 3_000_000), st.integers(0, 120_000_000), st.sampled_from((1, 3_600_000_000)))
PICKS = st.integers(0, 20)


class Machine(RuleBasedStateMachine):
    """One key. `opened` is what to hold beside the reference; each run has its own store, loop and time."""

    opened: OpenBench

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.context = type(self).opened()
        self.bench = self.runner.run(self.context.__aenter__())
        self.reference = Reference()
        self.limits = LIMITS[0]
        self.wall = WALL
        self.calls = 0
        self.told_wait = 0
        self.admitted: list[int] = []

    def teardown(self) -> None:
        self.runner.run(self.context.__aexit__(None, None, None))
        self.runner.close()

    @rule(tokens=st.integers(0, 500), micro_usd=st.integers(0, 400))
    def a_call_comes(self, tokens: int, micro_usd: int) -> None:
        self.calls += 1
        self._admit(Demand(f"call {self.calls}", "key", self.limits, tokens, micro_usd, self.wall))

    @rule(tokens=st.integers(0, 200), count=st.integers(2, 8))
    def some_come_at_once(self, tokens: int, count: int) -> None:
        for _ in range(count):
            self.a_call_comes(tokens, tokens)

    @rule(pick=PICKS)
    def a_running_call_is_asked_for_again(self, pick: int) -> None:
        call = self._picked(pick)
        if call is not None and (demand := self.reference.running[call].demand).limits is self.limits:
            self.reference.may(demand)
            assert self.runner.run(self.bench.store.admit(demand)).admitted

    @rule(pick=PICKS, tokens=st.integers(0, 800), micro_usd=st.integers(0, 600))
    def a_call_ends(self, pick: int, tokens: int, micro_usd: int) -> None:
        call = self._picked(pick)
        if call is not None:
            self._settle(call, tokens, micro_usd)

    @rule()
    def all_end(self) -> None:
        for call in sorted(self.reference.running):
            self._settle(call, 0, 0)

    @rule(microseconds=PAUSES)
    def time_passes(self, microseconds: int) -> None:
        self._elapse(microseconds)

    @rule(tenths=st.integers(1, 10), of_tokens=st.booleans())
    def a_bucket_fills_up_in_part(self, tenths: int, of_tokens: bool) -> None:
        use = self.reference.use(self.limits, self.wall)
        self._elapse((use.tokens if of_tokens else use.requests) * tenths // 10)

    @rule(early=st.sampled_from((0, 1)))
    def the_told_wait_passes(self, early: int) -> None:
        """But for a microsecond, or all of it."""
        early = min(early, self.told_wait)
        self._elapse(self.told_wait - early)
        self.told_wait = early

    @rule(limits=st.sampled_from(LIMITS))
    def the_limits_change(self, limits: Limits) -> None:
        self.limits = limits
        self.told_wait = 0
        self.admitted = []

    @rule()
    def the_budgets_period_ends(self) -> None:
        self.wall = (Period.MONTH.ends(self.wall) + timedelta(hours=1)).timestamp()

    @invariant()
    def the_numbers_agree(self) -> None:
        use = self.runner.run(self.bench.store.use("key", self.limits, self.wall))
        expected, slack = self.reference.use(self.limits, self.wall), self.reference.slack()
        assert abs(use.requests - expected.requests) <= slack
        assert abs(use.tokens - expected.tokens) <= slack
        assert (use.streams, use.micro_usd) == (expected.streams, expected.micro_usd)

    @invariant()
    def no_interval_lets_more_in_than_burst_and_rate(self) -> None:
        rate = self.limits.requests
        if rate is None:
            return
        for first, last in combinations(range(len(self.admitted)), 2):
            seconds = self.admitted[last] - self.admitted[first]
            slack = self.reference.slack() + rate.burst + 1
            assert last - first + 1 <= rate.burst + (seconds + slack) * rate.per_minute / 60_000_000

    def _admit(self, demand: Demand) -> None:
        expected = self.reference.may(demand)
        verdict = self.runner.run(self.bench.store.admit(demand))
        assert expected is None or verdict.admitted is expected
        if verdict.admitted:
            self.reference.admit(demand)
            self.admitted.append(self.reference.now)
        else:
            self._remember_wait(verdict)

    def _remember_wait(self, verdict: Verdict) -> None:
        rate = verdict.limits.requests
        self.told_wait = max(0, verdict.use.requests + rate.cost(1) - rate.capacity) if rate else 0

    def _picked(self, pick: int) -> str | None:
        running = list(self.reference.running)
        return running[pick % len(running)] if running else None

    def _settle(self, call: str, tokens: int, micro_usd: int) -> None:
        self.bench.store.settle(self.reference.running[call].demand, tokens, micro_usd)
        self.reference.settle(call, tokens, micro_usd)

    def _elapse(self, microseconds: int) -> None:
        self.runner.run(self.bench.elapse(microseconds))
        self.reference.now += microseconds


@asynccontextmanager
async def memory() -> AsyncIterator[Bench]:
    async with run_memory() as bench:
        yield bench


@asynccontextmanager
async def fakeredis() -> AsyncIterator[Bench]:
    async with run_fakeredis() as bench:
        yield bench


@pytest.mark.parametrize(
    ("opened", "examples"), [pytest.param(memory, 150, id="memory"), pytest.param(fakeredis, 40, id="fakeredis")]
)
def test_a_store_answers_as_the_reference_does(opened: OpenBench, examples: int) -> None:
    machine = type("StoreBesideReference", (Machine,), {"opened": staticmethod(opened)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
