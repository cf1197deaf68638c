"""Limits in the memory of one process: the embedded default, and what a process falls back on."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from gateway.core.limits import OVERDRAFT, Demand, Limits, Rate, Use, Verdict
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
        requests, tokens, budget = limits.requests, limits.tokens, limits.budget
        now = int(self._clock() * 1_000_000)
        period = None if budget is None else budget.period.label(demand.wall)
        use = _use(account, limits, period, now)
        admitted = demand.call_id in account.running
        if not admitted:
            tokens_cost = 0 if tokens is None else tokens.cost(demand.tokens)
            after = Use(
                0 if requests is None else use.requests + requests.cost(1),
                use.tokens + tokens_cost,
                0 if limits.streams is None else use.streams + 1,
                0 if budget is None else use.micro_usd + demand.micro_usd,
            )
            if _is_within(after, limits):
                admitted, use = True, after
                account.running[demand.call_id] = _Held(tokens, tokens_cost, demand.micro_usd, period)
                if period is not None:
                    account.spend(period, demand.micro_usd)
        if requests is not None:
            account.requests = now + use.requests
        if tokens is not None:
            account.tokens = now + use.tokens
        return Verdict(admitted, use, limits)

    def settle(self, demand: Demand, tokens: int, micro_usd: int) -> None:
        account = self._accounts.get(demand.key)
        held = account.running.pop(demand.call_id, None) if account else None
        if account is None or held is None:
            return
        if held.rate is not None:
            now = int(self._clock() * 1_000_000)
            account.tokens = max(account.tokens, now) + held.rate.cost(tokens) - held.cost
        if held.period is not None:
            account.spend(held.period, micro_usd - held.micro_usd)

    async def use(self, key: str, limits: Limits, wall: float) -> Use:
        period = None if limits.budget is None else limits.budget.period.label(wall)
        return _use(self._accounts.get(key, _Account()), limits, period, int(self._clock() * 1_000_000))


def _use(account: _Account, limits: Limits, period: str | None, now: int) -> Use:
    """What has no limit is 0. Who was let off a slower rate does not go on paying for it."""
    requests = tokens = 0
    if limits.requests is not None and account.requests > now:
        requests = min(limits.requests.capacity, account.requests - now)
    if limits.tokens is not None and account.tokens > now:
        tokens = min(OVERDRAFT * limits.tokens.capacity, account.tokens - now)
    return Use(
        requests,
        tokens,
        0 if limits.streams is None else len(account.running),
        0 if period is None else account.spent.get(period, 0),
    )


def _is_within(use: Use, limits: Limits) -> bool:
    return (
        (limits.requests is None or use.requests <= limits.requests.capacity)
        and (limits.tokens is None or use.tokens <= limits.tokens.capacity)
        and (limits.streams is None or use.streams <= limits.streams)
        and (limits.budget is None or use.micro_usd <= limits.budget.micro_usd)
    )
