"""What a limiter should do, written to be read: one key, exact fractions, a thing a field.

Debts are microseconds until a bucket is full; a store keeps whole ones, and may round each event by less than one.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from gateway.core.limits import MINUTE, OVERDRAFT, Demand, Limits, Period, Rate, Use

NOTHING = Fraction(0)


@dataclass
class Bucket:
    """`uneven` counts events that are no whole number of microseconds."""

    lacking: Fraction = NOTHING
    since: int = 0
    uneven: int = 0

    def debt(self, now: int) -> Fraction:
        """A full bucket stays full."""
        return max(NOTHING, self.lacking - (now - self.since))

    def take(self, now: int, refill: Fraction) -> None:
        """Less than nothing is given back."""
        self.lacking, self.since = self.debt(now) + refill, now
        self.uneven += refill.denominator != 1

    def lack_at_most(self, now: int, most: Fraction) -> None:
        self.lacking, self.since = min(self.debt(now), most), now
        self.uneven += most.denominator != 1


@dataclass(frozen=True)
class Held:
    """A running call: what it reserved, and which period pays."""

    demand: Demand
    period: tuple[Period, datetime] | None


@dataclass
class Reference:
    """One key's limits. `now` is in microseconds."""

    now: int = 0
    requests: Bucket = field(default_factory=Bucket)
    tokens: Bucket = field(default_factory=Bucket)
    spent: list[tuple[tuple[Period, datetime], int]] = field(default_factory=list)
    running: dict[str, Held] = field(default_factory=dict)

    def may(self, demand: Demand) -> bool | None:
        """Whether a call gets in, None where rounding may decide either way.

        What lacks more than a whole bucket of requests lacks a whole one from now on: who was let off a slower rate
        does not go on paying for it.
        """
        limits = demand.limits
        if limits.requests is not None:
            self.requests.lack_at_most(self.now, whole(limits.requests))
        if limits.tokens is not None:
            self.tokens.lack_at_most(self.now, OVERDRAFT * Fraction(limits.tokens.capacity))
        answers = [
            self._fits(self.requests, limits.requests, 1),
            self._fits(self.tokens, limits.tokens, demand.tokens),
            limits.streams is None or len(self.running) < limits.streams,
            limits.budget is None or self._spent(demand) + demand.micro_usd <= limits.budget.micro_usd,
        ]
        if False in answers:
            return False
        return None if None in answers else True

    def admit(self, demand: Demand) -> None:
        limits = demand.limits
        if limits.requests is not None:
            self.requests.take(self.now, price(limits.requests, 1))
        if limits.tokens is not None:
            self.tokens.take(self.now, price(limits.tokens, demand.tokens))
        period = _period(demand)
        if period is not None:
            self.spent.append((period, demand.micro_usd))
        self.running[demand.call_id] = Held(demand, period)

    def settle(self, call: str, tokens: int, micro_usd: int) -> None:
        held = self.running.pop(call)
        rate = held.demand.limits.tokens
        if rate is not None:
            self.tokens.take(self.now, price(rate, tokens) - price(rate, held.demand.tokens))
        if held.period is not None:
            self.spent.append((held.period, micro_usd - held.demand.micro_usd))

    def use(self, limits: Limits, wall: float) -> Use:
        """Debts are rounded up: a store's are at most `slack` away."""
        requests, tokens, asked = NOTHING, NOTHING, Demand("", "", limits, 0, 0, wall)
        if limits.requests is not None:
            requests = min(self.requests.debt(self.now), whole(limits.requests))
        if limits.tokens is not None:
            tokens = min(self.tokens.debt(self.now), OVERDRAFT * Fraction(limits.tokens.capacity))
        return Use(
            requests=math.ceil(requests),
            tokens=math.ceil(tokens),
            streams=len(self.running) if limits.streams is not None else 0,
            micro_usd=self._spent(asked) if limits.budget else 0,
        )

    def slack(self) -> int:
        """Microseconds that rounding may have moved a bucket's debt by now."""
        return self.requests.uneven + self.tokens.uneven

    def _fits(self, bucket: Bucket, rate: Rate | None, units: int) -> bool | None:
        if rate is None:
            return True
        room = whole(rate) - bucket.debt(self.now) - price(rate, units)
        slack = self.slack() + (0 if price(rate, 1).denominator == 1 else rate.burst + 1)
        return None if -slack <= room < slack else room >= 0

    def _spent(self, demand: Demand) -> int:
        period = _period(demand)
        return sum(micro_usd for paid_by, micro_usd in self.spent if paid_by == period)


def price(rate: Rate, units: int) -> Fraction:
    return Fraction(units * MINUTE, rate.per_minute)


def whole(rate: Rate) -> Fraction:
    return price(rate, rate.burst)


def _period(demand: Demand) -> tuple[Period, datetime] | None:
    budget = demand.limits.budget
    return None if budget is None else (budget.period, budget.period.began(demand.wall))
