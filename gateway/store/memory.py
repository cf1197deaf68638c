"""Limits in the memory of one process: the embedded default, and what a process falls back on."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from gateway.core.limits import OVERDRAFT, Budget, Demand, Limits, Rate, Use, Verdict
from gateway.core.settings import StoreSettings


class _Held(msgspec.Struct, frozen=True):
    """What a running call reserved: of which bucket, how much of it, and money of which period."""

    rate: Rate | None
    cost: int
    micro_usd: int
    period: str | None


@dataclass(slots=True)
class _Account:
    """One key's: when each bucket is full again (microseconds), its running calls, what was spent in which period."""

    requests: int = 0
    tokens: int = 0
    running: dict[str, _Held] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)

    def spend(self, period: str, micro_usd: int) -> None:
        """Only the last two periods are kept: a call may end in the one after its own."""
        self.spent[period] = self.spent.get(period, 0) + micro_usd
        if len(self.spent) > 2:
            del self.spent[min(self.spent)]


class MemoryStore:
    """Fits `ports.Store`. `clock` gives monotonic seconds."""

    ready = True

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._accounts: dict[str, _Account] = {}

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109
        """Nothing is under way."""

    def take(self, settings: StoreSettings) -> None:
        """None of them matters here."""

    async def admit(self, demand: Demand) -> Verdict:
        return self.decide(demand, demand.limits)

    def decide(self, demand: Demand, limits: Limits) -> Verdict:
        """`limits` may be a share of the demand's own."""
        account = self._accounts.get(demand.key)
        if account is None:
            account = self._accounts[demand.key] = _Account()
        now = self._now()
        use = _use(account, limits, demand.wall, now)
        if demand.call_id in account.running:
            return Verdict(True, use, limits)
        requests, tokens, budget = limits.requests, limits.tokens, limits.budget
        requests_debt = use.requests + (requests.cost(1) if requests else 0)
        tokens_cost = tokens.cost(demand.tokens) if tokens else 0
        if (
            (requests and requests_debt > requests.capacity)
            or (tokens and use.tokens + tokens_cost > tokens.capacity)
            or (limits.streams is not None and use.streams >= limits.streams)
            or (budget and use.micro_usd + demand.micro_usd > budget.micro_usd)
        ):
            return Verdict(False, use, limits)
        if requests:
            account.requests = now + requests_debt
        if tokens:
            account.tokens = now + use.tokens + tokens_cost
        period = _period(budget, demand.wall)
        account.running[demand.call_id] = _Held(tokens, tokens_cost, demand.micro_usd, period)
        if period is not None:
            account.spend(period, demand.micro_usd)
        return Verdict(True, _taken(use, limits, requests_debt, tokens_cost, demand.micro_usd), limits)

    def settle(self, demand: Demand, tokens: int, micro_usd: int) -> None:
        account = self._accounts.get(demand.key)
        held = account.running.pop(demand.call_id, None) if account else None
        if account is None or held is None:
            return
        if held.rate is not None:
            account.tokens = max(account.tokens, self._now()) + held.rate.cost(tokens) - held.cost
        if held.period is not None:
            account.spend(held.period, micro_usd - held.micro_usd)

    async def use(self, key: str, limits: Limits, wall: float) -> Use:
        return _use(self._accounts.get(key, _Account()), limits, wall, self._now())

    def _now(self) -> int:
        return int(self._clock() * 1_000_000)


def _period(budget: Budget | None, wall: float) -> str | None:
    return None if budget is None else budget.period.label(wall)


def _debt(full: int, most: int, now: int) -> int:
    """Microseconds until a bucket is full. Who was let off a slower rate does not go on paying for it."""
    left = full - now
    if left <= 0:
        return 0
    return min(most, left)


def _taken(use: Use, limits: Limits, requests_debt: int, tokens_cost: int, micro_usd: int) -> Use:
    """How it stands after the admission; what has no limit stays 0."""
    return Use(
        requests_debt,
        use.tokens + tokens_cost,
        use.streams + 1 if limits.streams is not None else 0,
        use.micro_usd + micro_usd if limits.budget is not None else 0,
    )


def _use(account: _Account, limits: Limits, wall: float, now: int) -> Use:
    period = _period(limits.budget, wall)
    return Use(
        requests=_debt(account.requests, limits.requests.capacity, now) if limits.requests else 0,
        tokens=_debt(account.tokens, OVERDRAFT * limits.tokens.capacity, now) if limits.tokens else 0,
        streams=len(account.running) if limits.streams is not None else 0,
        micro_usd=account.spent.get(period, 0) if period is not None else 0,
    )
