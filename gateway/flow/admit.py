"""Limits: one atomic step over everything the caller is held to, and a lease until the call ends."""

from contextlib import AbstractContextManager, nullcontext, suppress
from random import Random
from types import TracebackType
from typing import Self

from gateway.core.call import Caller, Endpoint
from gateway.core.clock import Clock
from gateway.core.errors import (
    Inexpressible,
    InsufficientQuota,
    LimiterUnavailable,
    Refusal,
    RequestsExhausted,
    StreamsExhausted,
    TokensExhausted,
)
from gateway.core.limits import Demand, Limit, Rate, Use, Verdict
from gateway.core.outcome import Record
from gateway.core.ports import Downstream, Store
from gateway.wire.headers import MIN_COOLDOWN, retry_headers
from gateway.wire.ratelimits import DEGRADED, exhausted, headers, too_large

# A lease may come free at any moment; jitter keeps a crowd from coming back as one.
STREAM_WAIT = (0.5, 2.0)
# Who answers at length; the others' answers take no tokens, or none that a caller could bound.
ANSWERS = (Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES)
NO_RETRY = ("x-should-retry", "false")

_NOTHING_HELD = nullcontext()
_TRUE = b"true"


class Lease:
    """A call's hold on its caller's limits; leaving the block settles it without waiting."""

    __slots__ = ("_demand", "_record", "_store")

    def __init__(self, store: Store, demand: Demand, record: Record) -> None:
        self._store = store
        self._demand = demand
        self._record = record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        usage, target = self._record.usage, self._record.target
        if usage is None:
            self._store.settle(self._demand, 0, 0)
        else:
            micro_usd = usage.micro_usd(target.model.price) if target else 0
            self._store.settle(self._demand, usage.prompt + usage.completion, micro_usd)


class Admission:
    """Where limits are asked for. `wall` gives seconds since 1970."""

    def __init__(self, store: Store, random: Random, wall: Clock) -> None:
        self._store = store
        self._random = random
        self._wall = wall

    @property
    def ready(self) -> bool:
        return self._store.ready

    async def admit(self, record: Record, downstream: Downstream) -> AbstractContextManager[object]:
        """The lease to hold while the call runs; its numbers go on whatever is answered.

        Raises a Refusal, which charges nothing.
        """
        demand = _demand(record, self._wall())
        if demand is None:
            return _NOTHING_HELD
        if not demand.fits(demand.limits):
            record.limit = Limit.TOO_LARGE
            with suppress(LimiterUnavailable):
                use = await self._store.use(demand.key, demand.limits, demand.wall)
                downstream.add_headers(headers(Verdict(False, use, demand.limits)))
            raise TokensExhausted(too_large(_model(record), demand), headers=(NO_RETRY,))
        try:
            verdict = await self._store.admit(demand)
        except LimiterUnavailable:
            record.limit = Limit.UNAVAILABLE
            raise _unavailable() from None
        downstream.add_headers(headers(verdict))
        if not verdict.admitted:
            record.limit, refusal = self._refusal(_model(record), demand, verdict)
            raise refusal
        return Lease(self._store, demand, record)

    async def use(self, caller: Caller) -> Use:
        """How far the caller's limits are used. Raises LimiterUnavailable."""
        if caller.limits is None:
            return Use()
        try:
            return await self._store.use(caller.id, caller.limits, self._wall())
        except LimiterUnavailable:
            raise _unavailable() from None

    def _refusal(self, model: str, demand: Demand, verdict: Verdict) -> tuple[Limit, Refusal]:
        limits, use = verdict.limits, verdict.use
        if not demand.fits(limits):  # not even into all of this process's share
            return Limit.UNAVAILABLE, LimiterUnavailable(headers=retry_headers(MIN_COOLDOWN))
        if limits.budget is not None and use.micro_usd + demand.micro_usd > limits.budget.micro_usd:
            return Limit.BUDGET, InsufficientQuota(headers=(NO_RETRY,))
        requests_wait = _wait(limits.requests, use.requests, 1)
        tokens_wait = _wait(limits.tokens, use.tokens, demand.tokens)
        if limits.requests is not None and requests_wait > 0 and requests_wait >= tokens_wait:
            text = exhausted(model, "requests per min (RPM)", limits.requests, use.requests, 1, requests_wait)
            return Limit.REQUESTS, RequestsExhausted(text, headers=retry_headers(requests_wait / 1e6))
        if limits.tokens is not None and tokens_wait > 0:
            text = exhausted(model, "tokens per min (TPM)", limits.tokens, use.tokens, demand.tokens, tokens_wait)
            return Limit.TOKENS, TokensExhausted(text, headers=retry_headers(tokens_wait / 1e6))
        return Limit.STREAMS, StreamsExhausted(headers=retry_headers(self._random.uniform(*STREAM_WAIT)))


def _demand(record: Record, wall: float) -> Demand | None:
    """None for a caller without limits."""
    caller, ask, plan = record.caller, record.ask, record.plan
    assert caller is not None
    assert ask is not None
    assert plan is not None
    limits = caller.limits
    if limits is None:
        return None
    if bytes(ask.fields.get("background", b"")) == _TRUE:  # it would go on, and be paid, after its call has ended
        raise Inexpressible("Calls in the background cannot be held to the limits of the key.", param="background")
    completion = 0
    if record.call.endpoint in ANSWERS:
        longest = ask.max_tokens
        if longest is None:
            longest = max([target.model.longest_answer for target in plan.targets])
        completion = ask.n * longest
    micro_usd = 0
    if limits.budget is not None:
        for target in plan.targets:
            if (price := target.model.price) is not None:
                micro_usd = max(micro_usd, price.micro_usd(ask.prompt_tokens, completion))
    return Demand(record.call.id, caller.id, limits, ask.prompt_tokens + completion, micro_usd, wall)


def _unavailable() -> LimiterUnavailable:
    return LimiterUnavailable(headers=(DEGRADED, *retry_headers(MIN_COOLDOWN)))


def _model(record: Record) -> str:
    assert record.plan is not None
    return record.plan.tier or record.plan.targets[0].name


def _wait(rate: Rate | None, debt: int, units: int) -> int:
    """Microseconds until the bucket holds so many."""
    return 0 if rate is None else max(0, debt + rate.cost(units) - rate.capacity)
