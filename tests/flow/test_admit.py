"""What a call asks of its caller's limits, what it is told when they refuse, and what its lease is settled with."""

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from msgspec import structs

from gateway.core.call import Endpoint
from gateway.core.errors import (
    InsufficientQuota,
    LimiterUnavailable,
    Refusal,
    RequestsExhausted,
    StreamsExhausted,
    TokensExhausted,
)
from gateway.core.limits import Budget, Demand, Limit, Limits, Period, Rate, Use, Verdict
from gateway.core.outcome import Record, Usage
from gateway.core.route import LONGEST_ANSWER, Plan, Price
from gateway.flow.admit import STREAM_WAIT, Admission
from gateway.store.memory import MemoryStore
from tests.flow.parts import (
    LIMITS,
    FakeDownstream,
    FakeStore,
)
from tests.values import make_ask, make_call, make_caller, make_target

SECOND = 1_000_000
WALL = 1.8e9
NO_RETRY = {"x-should-retry": "false"}


class RefusingStore(FakeStore):
    """Answers with one verdict."""

    def __init__(
        self, use: Use, limits: Limits | None = None, *, admitted: bool = False, degraded: bool = False
    ) -> None:
        super().__init__()
        self.answer = (admitted, use, limits, degraded)

    async def admit(self, demand: Demand) -> Verdict:
        self.demands.append(demand)
        admitted, use, limits, degraded = self.answer
        return Verdict(admitted, use, limits or demand.limits, degraded)


def make_record(limits: Limits | None = LIMITS, **ask: Any) -> Record:
    """A call of 10 prompt and at most 20 completion tokens, planned for a tier of two models."""
    cheap = make_target("cheap", price=Price(input=1.0, output=2.0))
    dear = make_target("dear", price=Price(input=3.0, output=4.0))
    record = Record(make_call())
    record.caller = make_caller(limits=limits)
    record.ask = make_ask("fast", **{"prompt_tokens": 10, "max_tokens": 20, **ask})
    record.plan = Plan("fast", None, cheap, (cheap, dear))
    return record


def make_admission(store: FakeStore | MemoryStore) -> Admission:
    return Admission(store, Random(1), lambda: WALL)


async def demanded(record: Record) -> Demand:
    store = FakeStore()
    with await make_admission(store).admit(record, FakeDownstream()):
        pass
    (demand,) = store.demands
    return demand


async def refusal(store: FakeStore, record: Record, downstream: FakeDownstream | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await make_admission(store).admit(record, downstream or FakeDownstream())
    assert not store.settled
    return caught.value


class TestDemand:
    async def test_it_is_keyed_by_the_call_and_counted_for_the_caller(self) -> None:
        record = make_record()
        demand = await demanded(record)
        assert (demand.call_id, demand.key, demand.wall) == (record.call.id, "caller-1", WALL)
        assert demand.limits is LIMITS

    @pytest.mark.parametrize(
        ("ask", "tokens"),
        [
            pytest.param({}, 30, id="what the caller set"),
            pytest.param({"n": 3}, 70, id="so many choices"),
            pytest.param({"max_tokens": 0}, 10, id="none wanted"),
            pytest.param({"max_tokens": None}, 10 + LONGEST_ANSWER, id="nothing set anywhere"),
        ],
    )
    async def test_the_prompt_and_the_longest_answer_are_reserved(self, ask: dict[str, Any], tokens: int) -> None:
        assert (await demanded(make_record(**ask))).tokens == tokens

    async def test_without_a_word_from_the_caller_the_longest_of_the_plans_models_counts(self) -> None:
        record = make_record(max_tokens=None)
        short, long = make_target(max_output_tokens=100), make_target(max_output_tokens=500)
        record.plan = Plan("fast", None, short, (short, long))
        assert (await demanded(record)).tokens == 510

    async def test_what_the_gateway_itself_sends_as_a_limit_is_one(self) -> None:
        record = make_record(max_tokens=None)
        target = make_target(max_output_tokens=500, defaults={"max_completion_tokens": 50})
        record.plan = Plan("fast", None, target, (target,))
        assert (await demanded(record)).tokens == 60

    async def test_embeddings_have_a_prompt_only(self) -> None:
        record = make_record()
        record.call = make_call(endpoint=Endpoint.EMBEDDINGS)
        assert (await demanded(record)).tokens == 10

    async def test_a_budget_reserves_the_dearest_price_of_the_plan(self) -> None:
        assert (await demanded(make_record())).micro_usd == 10 * 3 + 20 * 4

    async def test_without_a_budget_no_money_is_reserved(self) -> None:
        assert (await demanded(make_record(replace(LIMITS, budget=None)))).micro_usd == 0

    async def test_fractions_of_a_micro_dollar_are_rounded_up(self) -> None:
        record = make_record(prompt_tokens=1, max_tokens=0)
        cheap = make_target(price=Price(input=0.05))
        record.plan = Plan("fast", None, cheap, (cheap,))
        assert (await demanded(record)).micro_usd == 1

    async def test_a_caller_without_limits_asks_for_nothing(self) -> None:
        store, downstream = FakeStore(), FakeDownstream()
        with await make_admission(store).admit(make_record(None), downstream):
            pass
        assert (store.demands, store.settled, downstream.extra) == ([], [], [])


class TestRefusal:
    """Buckets of 60 requests (one a second) and 1000 tokens (ten a second); the call wants 30 tokens, 110 micro-USD."""

    LIMITS = Limits("pro", Rate(60, 60), Rate(600, 1000), 5, Budget(1000, Period.MONTH))
    FULL = Use(streams=5)

    @pytest.mark.parametrize(
        ("use", "limit", "error"),
        [
            pytest.param(Use(requests=60 * SECOND), Limit.REQUESTS, RequestsExhausted, id="requests"),
            pytest.param(Use(tokens=100 * SECOND), Limit.TOKENS, TokensExhausted, id="tokens"),
            pytest.param(Use(streams=5), Limit.STREAMS, StreamsExhausted, id="streams"),
            pytest.param(Use(micro_usd=891), Limit.BUDGET, InsufficientQuota, id="budget"),
            pytest.param(
                Use(60 * SECOND, 100 * SECOND, 5, 1000),
                Limit.BUDGET,
                InsufficientQuota,
                id="all: the budget lasts longest",
            ),
            pytest.param(
                Use(60 * SECOND, 97 * SECOND + SECOND // 2, 5),
                Limit.REQUESTS,
                RequestsExhausted,
                id="the longer wait: requests",
            ),
            pytest.param(
                Use(60 * SECOND, 100 * SECOND, 5), Limit.TOKENS, TokensExhausted, id="the longer wait: tokens"
            ),
        ],
    )
    async def test_the_limit_that_lasts_longest_is_told(self, use: Use, limit: Limit, error: type[Refusal]) -> None:
        record = make_record(self.LIMITS)
        told = await refusal(RefusingStore(use), record)
        assert type(told) is error
        assert record.limit is limit

    @pytest.mark.parametrize(
        ("use", "text", "headers"),
        [
            pytest.param(
                Use(requests=60 * SECOND),
                "Rate limit reached for fast on requests per min (RPM): Limit 60, Used 60, Requested 1. "
                "Please try again in 1s.",
                {"retry-after": "1", "retry-after-ms": "1000"},
                id="requests",
            ),
            pytest.param(
                Use(requests=59_146_000),
                "Rate limit reached for fast on requests per min (RPM): Limit 60, Used 60, Requested 1. "
                "Please try again in 0.146s.",
                {"retry-after": "1", "retry-after-ms": "146"},
                id="requests, a fraction",
            ),
            pytest.param(
                Use(tokens=99 * SECOND),
                "Rate limit reached for fast on tokens per min (TPM): Limit 600, Used 990, Requested 30. "
                "Please try again in 2s.",
                {"retry-after": "2", "retry-after-ms": "2000"},
                id="tokens",
            ),
            pytest.param(
                Use(tokens=199 * SECOND),
                "Rate limit reached for fast on tokens per min (TPM): Limit 600, Used 1000, Requested 30. "
                "Please try again in 102s.",
                {"retry-after": "102", "retry-after-ms": "102000", "x-should-retry": "false"},
                id="tokens, overdrawn by more than a minute",
            ),
        ],
    )
    async def test_a_rate_tells_what_is_used_and_how_long_to_wait(
        self, use: Use, text: str, headers: dict[str, str]
    ) -> None:
        told = await refusal(RefusingStore(use), make_record(self.LIMITS))
        assert told.status == 429
        assert (told.code, told.message) == ("rate_limit_exceeded", text)
        assert dict(told.headers) == headers

    async def test_a_direct_model_is_told_by_its_name(self) -> None:
        record = make_record(self.LIMITS)
        assert record.plan is not None
        record.plan = structs.replace(record.plan, tier=None)
        assert " for cheap on " in (await refusal(RefusingStore(Use(requests=60 * SECOND)), record)).message

    async def test_streams_come_free_at_any_moment_so_the_wait_is_short_and_scattered(self) -> None:
        store = RefusingStore(self.FULL)
        admission = make_admission(store)
        waits = set()
        for _ in range(20):
            with pytest.raises(StreamsExhausted) as caught:
                await admission.admit(make_record(self.LIMITS), FakeDownstream())
            waits.add(int(dict(caught.value.headers)["retry-after-ms"]) / 1000)
        assert len(waits) > 10
        assert all(STREAM_WAIT[0] <= wait <= STREAM_WAIT[1] + 0.001 for wait in waits)

    async def test_a_spent_budget_is_not_worth_a_retry(self) -> None:
        told = await refusal(RefusingStore(Use(micro_usd=1000)), make_record(self.LIMITS))
        assert (told.status, told.type, told.code) == (429, "insufficient_quota", "insufficient_quota")
        assert dict(told.headers) == NO_RETRY

    async def test_the_numbers_go_on_the_answer_all_the_same(self) -> None:
        downstream = FakeDownstream()
        await refusal(RefusingStore(Use(60 * SECOND, 50 * SECOND)), make_record(self.LIMITS), downstream)
        told = dict(downstream.extra)
        assert told["x-ratelimit-remaining-requests"] == "0"
        assert told["x-ratelimit-reset-requests"] == "1m0s"
        assert told["x-ratelimit-remaining-tokens"] == "500"

    async def test_what_can_never_pass_is_refused_whatever_there_is(self) -> None:
        store, record = FakeStore(), make_record(self.LIMITS, max_tokens=991)
        told = await refusal(store, record)
        assert (told.status, told.type, told.code) == (429, "tokens", "rate_limit_exceeded")
        assert told.message.startswith(
            "Request too large for fast on tokens per min (TPM): Limit 1000, Requested 1001."
        )
        assert dict(told.headers) == NO_RETRY
        assert record.limit is Limit.TOO_LARGE
        assert not store.demands

    async def test_what_fills_the_bucket_to_the_brim_may_ask(self) -> None:
        assert (await demanded(make_record(self.LIMITS, max_tokens=990))).tokens == 1000

    async def test_a_limiter_that_is_away_is_a_503_that_says_when_to_come_back(self) -> None:
        downstream, record = FakeDownstream(), make_record(self.LIMITS)
        told = await refusal(FakeStore(LimiterUnavailable()), record, downstream)
        assert (told.status, told.code) == (503, "limiter_unavailable")
        assert dict(told.headers) == {"retry-after": "1", "retry-after-ms": "1000", "x-gateway-degraded": "limiter"}
        assert record.limit is Limit.UNAVAILABLE


class TestAdmitted:
    async def test_the_numbers_after_the_admission_go_on_the_answer(self) -> None:
        downstream = FakeDownstream()
        store = RefusingStore(Use(2 * SECOND, 3 * SECOND), admitted=True)
        with await make_admission(store).admit(make_record(TestRefusal.LIMITS), downstream):
            pass
        told = dict(downstream.extra)
        assert (told["x-ratelimit-remaining-requests"], told["x-ratelimit-reset-requests"]) == ("58", "2s")
        assert (told["x-ratelimit-remaining-tokens"], told["x-ratelimit-reset-tokens"]) == ("970", "3s")
        assert "x-gateway-degraded" not in told

    async def test_a_share_of_the_limits_is_told_as_such(self) -> None:
        downstream = FakeDownstream()
        store = RefusingStore(Use(), LIMITS.shared_by(4), admitted=True, degraded=True)
        with await make_admission(store).admit(make_record(), downstream):
            pass
        told = dict(downstream.extra)
        assert (told["x-ratelimit-limit-requests"], told["x-gateway-degraded"]) == ("15", "limiter")

    async def test_what_no_share_could_hold_is_a_503_that_says_so_once(self) -> None:
        downstream, record = FakeDownstream(), make_record(max_tokens=LIMITS.tokens.burst // 2)
        told = await refusal(RefusingStore(Use(), LIMITS.shared_by(4), degraded=True), record, downstream)
        assert (told.status, told.code, record.limit) == (503, "limiter_unavailable", Limit.UNAVAILABLE)
        names = [name for name, _ in (*told.headers, *downstream.extra)]
        assert names.count("x-gateway-degraded") == names.count("retry-after") == 1

    async def test_a_refusal_while_degraded_goes_by_the_share(self) -> None:
        share = TestRefusal.LIMITS.shared_by(4)
        told = await refusal(
            RefusingStore(Use(requests=60 * SECOND), share, degraded=True), make_record(TestRefusal.LIMITS)
        )
        assert "Limit 15, Used 15, Requested 1." in told.message

    @pytest.mark.parametrize(
        ("usage", "tokens", "micro_usd"),
        [
            pytest.param(None, 0, 0, id="nothing was served"),
            pytest.param(Usage(7, 3), 10, 7 * 3 + 3 * 4, id="the provider's usage at the price of who served"),
            pytest.param(Usage(0, 0), 0, 0, id="an empty answer"),
            pytest.param(Usage(5, 2, source="estimated"), 7, 23, id="an estimate"),
        ],
    )
    async def test_the_lease_is_settled_with_what_was_used(
        self, usage: Usage | None, tokens: int, micro_usd: int
    ) -> None:
        store, record = FakeStore(), make_record()
        with await make_admission(store).admit(record, FakeDownstream()):
            assert record.plan is not None
            record.target = record.plan.targets[1]
            record.usage = usage
            assert not store.settled
        assert store.settled == [(store.demands[0], tokens, micro_usd)]

    @pytest.mark.parametrize("error", [RuntimeError("expected"), asyncio.CancelledError()], ids=["a bug", "a cancel"])
    async def test_it_is_settled_whatever_ends_the_call(self, error: BaseException) -> None:
        store = FakeStore()
        with pytest.raises(type(error)), await make_admission(store).admit(make_record(), FakeDownstream()):
            raise error
        assert [(tokens, money) for _, tokens, money in store.settled] == [(0, 0)]

    async def test_use_is_asked_for_the_caller(self) -> None:
        store = MemoryStore(lambda: 0.0)
        admission = make_admission(store)
        with await admission.admit(make_record(), FakeDownstream()):
            use = await admission.use(make_caller(limits=LIMITS))
        assert (use.requests, use.streams, use.micro_usd) == (SECOND, 1, 110)

    async def test_a_caller_without_limits_uses_nothing(self) -> None:
        assert await make_admission(FakeStore()).use(make_caller()) == Use()
