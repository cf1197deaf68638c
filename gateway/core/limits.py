"""What a caller may use, what a call takes of it, and what the store answers.

Tokens and money are whole numbers, money in micro-USD; what a bucket holds is counted in microseconds of its refill
(GCRA: the token bucket that fits in one number).
"""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache

import msgspec

MINUTE = 60_000_000  # in microseconds, as buckets count
DAY = 86_400  # in seconds, as the wall clock counts

# A call may use more tokens than it reserved; its caller never waits for longer than so many whole buckets take.
OVERDRAFT = 10


class Limit(enum.StrEnum):
    """What refused a call; the value is the label in metrics and the field in logs."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    STREAMS = "streams"
    BUDGET = "budget"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Rate:
    """`per_minute` units a minute, at most `burst` at once: in t seconds at most burst + per_minute x t / 60."""

    per_minute: int
    burst: int

    @cached_property
    def capacity(self) -> int:
        """Microseconds from empty to full: every unit of the burst at the price of one, but never room for one more."""
        return min(self.burst * self.cost(1), self.cost(self.burst + 1) - 1)

    def cost(self, units: int) -> int:
        """Microseconds of refill that `units` take, rounded up: the promise is an upper bound."""
        return -(-units * MINUTE // self.per_minute)

    def ever_holds(self, units: int) -> bool:
        """Whether a full bucket does; if not, no wait would help."""
        return self.cost(units) <= self.capacity

    def left(self, debt: int) -> int:
        """Whole units that a bucket still holds that is full again in `debt` microseconds."""
        free = self.capacity - debt
        return min(self.burst, free * self.per_minute // MINUTE) if free > 0 else 0


class Period(enum.StrEnum):
    """Of a budget, by the calendar in UTC; a week begins on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def began(self, wall: float) -> datetime:
        """The first moment of the period that holds `wall` (seconds since 1970)."""
        midnight = datetime.fromtimestamp(wall, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        match self:
            case Period.DAY:
                return midnight
            case Period.WEEK:
                return midnight - timedelta(days=midnight.weekday())
            case Period.MONTH:
                return midnight.replace(day=1)

    def ends(self, wall: float) -> datetime:
        """The first moment of the next one."""
        began = self.began(wall)
        match self:
            case Period.DAY:
                return began + timedelta(days=1)
            case Period.WEEK:
                return began + timedelta(days=7)
            case Period.MONTH:
                return (began + timedelta(days=32)).replace(day=1)

    def label(self, wall: float) -> str:
        """The period that holds `wall`, unlike any other: `month-2026-11-01`."""
        return _label_of_day(self, int(wall // DAY))


@lru_cache(maxsize=64)
def _label_of_day(period: Period, day: int) -> str:
    return f"{period}-{period.began(day * DAY):%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Budget:
    micro_usd: int
    period: Period


@dataclass(frozen=True, slots=True)
class Limits:
    """What a caller may use; None is no limit."""

    name: str
    requests: Rate | None = None
    tokens: Rate | None = None
    streams: int | None = None
    budget: Budget | None = None

    def shared_by(self, processes: int) -> "Limits":
        """What one of `processes` may let through when none of them knows of the others: at least 1 of each."""

        def share(rate: Rate | None) -> Rate | None:
            return rate and Rate(max(1, rate.per_minute // processes), max(1, rate.burst // processes))

        streams = None if self.streams is None else max(1, self.streams // processes)
        return Limits(self.name, share(self.requests), share(self.tokens), streams, self.budget)


class Demand(msgspec.Struct, frozen=True):
    """What one call asks of its caller's limits: one request, a lease, `tokens` and `micro_usd` reserved.

    `key` is the caller's id, `wall` the wall-clock seconds that say which period of the budget it is in.
    """

    call_id: str
    key: str
    limits: Limits
    tokens: int
    micro_usd: int
    wall: float

    def fits(self, limits: Limits) -> bool:
        """Whether its tokens fit into a full bucket."""
        return limits.tokens is None or limits.tokens.ever_holds(self.tokens)


class Use(msgspec.Struct, frozen=True):
    """How far a caller's limits are used: microseconds until each bucket is full (0 = full), calls running, micro-USD.

    What has no limit is 0.
    """

    requests: int = 0
    tokens: int = 0
    streams: int = 0
    micro_usd: int = 0


class Verdict(msgspec.Struct, frozen=True):
    """The store's answer: `use` is as of after an admission, or as it stands where `admitted` is False.

    `limits` are those it was held to: the demand's own, or this process's share of them while `degraded`.
    """

    admitted: bool
    use: Use
    limits: Limits
    degraded: bool = False
