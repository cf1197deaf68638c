"""Who makes calls while the shared store fails: the same few limits, policies and bounds for all tests of faults."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.core.errors import LimiterUnavailable
from gateway.core.limits import Budget, Limits, Period, Rate, Verdict
from gateway.core.settings import OnError
from tests.store.bench import Meter, StartedStore, make_demand
from tests.store.conftest import running
from tests.waits import timed

TIMEOUT = 0.1
RECOVERY = 5.0
TTL = 1.5

LIMITS = Limits("pro", Rate(60, 40), Rate(60, 40_000), 30)
BUDGETED = Limits("paid", Rate(60, 40), budget=Budget(10**9, Period.MONTH))
# One of four processes: two replicas with two workers each.
SHARE = LIMITS.shared_by(4)


@dataclass
class Caller:
    """Makes calls, and keeps how long each one waited."""

    store: StartedStore
    meter: Meter
    waits: list[float]
    made: int = 0

    async def call(self, limits: Limits = LIMITS, key: str = "key") -> Verdict:
        """One call from beginning to end. Raises LimiterUnavailable."""
        self.made += 1
        demand = make_demand(f"call {self.made}", limits, key=key)
        verdict = await self.admit(demand.call_id, limits, key)
        if verdict.admitted:
            self.store.settle(demand, 100, 100)
        return verdict

    async def admit(self, call: str, limits: Limits = LIMITS, key: str = "key") -> Verdict:
        with timed(self.waits, TIMEOUT):
            return await self.store.admit(make_demand(call, limits, key=key))

    def end(self, call: str, tokens: int = 100, limits: Limits = LIMITS) -> None:
        self.store.settle(make_demand(call, limits), tokens, tokens)

    async def streams(self, key: str = "key") -> int:
        return (await self.store.use(key, LIMITS, make_demand("").wall)).streams

    async def is_degraded(self) -> bool:
        """Asked with a call of a caller that nothing else is about, held to nothing."""
        try:
            return (await self.call(Limits("none"), "somebody")).degraded
        except LimiterUnavailable:
            return True

    async def is_back(self) -> bool:
        return not await self.is_degraded()

    async def assert_policy(self, policy: OnError) -> None:
        """A call is refused, or gets what this process may give; a budget is never spent unseen."""
        with pytest.raises(LimiterUnavailable):
            await self.call(BUDGETED, "budgeted")
        if policy is OnError.DENY:
            with pytest.raises(LimiterUnavailable):
                await self.call()
        else:
            verdict = await self.call()
            assert (verdict.degraded, verdict.limits) == (True, SHARE)


@contextlib.asynccontextmanager
async def calling(
    url: str, policy: OnError = OnError.LOCAL, *, patience: float = TIMEOUT, lease_ttl: float = TTL
) -> AsyncIterator[Caller]:
    meter = Meter()
    changes = {"timeout": patience, "lease_ttl": lease_ttl, "on_error": policy, "replicas": 4}
    async with running(url, meter, **changes) as store:
        yield Caller(store, meter, [])


def told(lines: list[bytes], level: str) -> list[str]:
    found = [json.loads(line) for line in lines]
    return [line["event"] for line in found if line["level"] == level]
