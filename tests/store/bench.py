"""A store under test with its time: set by hand, or a real server's, which is waited for."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from msgspec import structs

from gateway.core.limits import Budget, Demand, Limits, Period, Rate, Use, Verdict
from gateway.core.ports import Store

WALL = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()

# A minute of real time passes in no test: what was taken from these stays taken.
SLOW = Limits("pro", Rate(4, 4), Rate(6, 600), 4, Budget(400, Period.MONTH))


class StartedStore(Store, Protocol):
    async def start(self) -> None: ...

    async def stop(self, timeout: float) -> None: ...  # noqa: ASYNC109


class HandClock:
    """Seconds since an hour after some beginning, moved by hand in whole microseconds."""

    def __init__(self) -> None:
        self.microseconds = 3_600_000_000

    def __call__(self) -> float:
        """In the middle of the microsecond, so that a float's rounding can't tell of another one."""
        return (self.microseconds + 0.5) / 1e6


@dataclass
class Meter:
    """A StoreMeter that keeps everything."""

    trips: list[tuple[str, float]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    states: list[bool] = field(default_factory=list)

    def trip(self, op: str, seconds: float) -> None:
        self.trips.append((op, seconds))

    def error(self, op: str, kind: str) -> None:
        self.errors.append((op, kind))

    def degraded(self, value: bool) -> None:
        self.states.append(value)

    @property
    def kinds(self) -> set[str]:
        return {kind for _, kind in self.errors}


@dataclass
class Bench:
    """`elapse` lets so many microseconds pass in the store's own time; `exact` says that no others do."""

    store: StartedStore
    elapse: Callable[[int], Coroutine[None, None, None]]
    exact: bool
    admitted: int = 0

    async def admit(self, call: str, limits: Limits = SLOW, **fields: Any) -> Verdict:
        return await self.store.admit(make_demand(call, limits, **fields))

    async def admits(self, limits: Limits, tries: int, **fields: Any) -> int:
        """How many of so many new calls get in, one after another."""
        got_in = 0
        for _ in range(tries):
            self.admitted += 1
            got_in += (await self.admit(f"new {self.admitted}", limits, **fields)).admitted
        return got_in

    def settle(self, call: str, limits: Limits = SLOW, *, used: tuple[int, int] = (0, 0), **fields: Any) -> None:
        """`used` is tokens and micro-USD; what else is given is as it was on admission."""
        self.store.settle(make_demand(call, limits, **fields), *used)

    async def use(self, limits: Limits = SLOW, key: str = "key", wall: float = WALL) -> Use:
        return await self.store.use(key, limits, wall)

    async def left(self, limits: Limits = SLOW, key: str = "key") -> tuple[int, int]:
        """Requests and tokens; use rates that give nothing back while the test runs."""
        use = await self.use(limits, key)
        requests, tokens = limits.requests, limits.tokens
        return requests.left(use.requests) if requests else 0, tokens.left(use.tokens) if tokens else 0


def make_demand(call: str, limits: Limits = SLOW, **fields: Any) -> Demand:
    return structs.replace(Demand(call, "key", limits, 100, 100, WALL), **fields)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Polls: what is waited for happens in another process."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def until_async(condition: Callable[[], Awaitable[object]], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.005)
