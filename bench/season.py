"""The rounds of one scenario: who takes part is started, warmed up, measured in turn, and stopped."""

import contextlib
import gc
import time
from collections.abc import AsyncIterator, Callable
from typing import assert_never

from bench import rounds
from bench.contestants import READY_WITHIN, Contestant, Place
from bench.fleet import Fleet, Stuck
from bench.process import NotReady, is_ready
from bench.results import Measured, Results, Series
from bench.rounds import Side
from bench.scenarios import Case, FirstEvent, Idle, Load, Plain, Scenario, Start, Streams
from bench.upstream import Script

Say = Callable[[str], None]

_WARM_UP = Plain(4, 0.2)


class Season:
    """Runs scenarios one after another, and adds what they showed to the results.

    Contestants stay from the first scenario they are in to the end, as servers do; `aclose` stops them.
    """

    def __init__(self, place: Place, script: Script, results: Results, say: Say) -> None:
        self._place = place
        self._script = script
        self._results = results
        self._say = say
        self._sides: dict[Contestant, Side | None] = {}
        self._stack = contextlib.AsyncExitStack()

    async def aclose(self) -> None:
        await self._stack.aclose()

    async def run(self, scenario: Scenario) -> None:
        series = [Series(scenario.name, case.contestant.name, case.at, []) for case in scenario.cases]
        if not scenario.fresh:
            for case in scenario.cases:
                await self._enter(case, scenario)
        for number in range(scenario.rounds):
            self._say(f"{_label(scenario)}: round {number + 1} of {scenario.rounds}")
            for case, one in zip(scenario.cases, series, strict=True):
                if scenario.fresh:
                    one.rounds.extend(await self._fresh(case, scenario))
                elif side := self._sides[case.contestant]:
                    one.rounds.extend(await self._round(side, case, scenario))
        self._results.series += [one for one in series if one.rounds]

    async def _enter(self, case: Case, scenario: Scenario) -> None:
        """Start the contestant, unless it was; one that can't be started is not tried again."""
        contestant = case.contestant
        if contestant in self._sides:
            return
        self._sides[contestant] = None
        try:
            side = await self._stack.enter_async_context(self._running(contestant))
        except NotReady as fault:
            if scenario.demanding:
                self._results.left_out.append(f"{scenario.name} at {case.at:,}: {fault}")
                self._say(f"left out: {self._results.left_out[-1]}")
            else:
                self._failed(case, scenario, str(fault))
            return
        if await self._round(side, Case(contestant, _WARM_UP), scenario):
            self._sides[contestant] = side

    @contextlib.asynccontextmanager
    async def _running(self, contestant: Contestant) -> AsyncIterator[Side]:
        """Raises NotReady."""
        process = contestant.start(self._place)
        try:
            if process:
                await process.until(is_ready, READY_WITHIN)
            fleet = Fleet(process.port if process else self._place.upstream)
            try:
                yield Side(process, fleet)
            finally:
                fleet.close()
        finally:
            if process:
                await process.stop()

    async def _fresh(self, case: Case, scenario: Scenario) -> list[Measured]:
        begin = time.monotonic()
        try:
            async with self._running(case.contestant) as side:
                if isinstance(case.load, Start):
                    return [Measured(ready_s=round(time.monotonic() - begin, 3))]
                return await self._round(side, case, scenario)
        except NotReady as fault:
            self._failed(case, scenario, str(fault))
            return []

    async def _round(self, side: Side, case: Case, scenario: Scenario) -> list[Measured]:
        """One, or none if it failed altogether."""
        gc.collect()
        try:
            measured = await self._measured(side, case.load)
        except (Stuck, OSError) as fault:
            self._script.end()
            side.fleet.close()
            self._failed(case, scenario, str(fault))
            return []
        if side.process:
            if not side.process.alive:
                self._failed(case, scenario, f"died: {side.process.says()}")
            side.process.forget_log()
        for fault_, count in measured.faults.items():
            self._failed(case, scenario, f"{count} x {fault_}")
        return [measured]

    async def _measured(self, side: Side, load: Load) -> Measured:
        match load:
            case Plain():
                return await rounds.plain(side, load)
            case FirstEvent():
                return await rounds.first_event(side, self._script, load)
            case Streams():
                return await rounds.streams(side, self._script, load)
            case Idle():
                return await rounds.idle(side, self._script, load)
            case Start():
                raise TypeError("a start is measured by starting")
            case _:
                assert_never(load)

    def _failed(self, case: Case, scenario: Scenario, why: str) -> None:
        at = f" at {case.at}" if case.at else ""
        self._results.failures.append(f"{scenario.name}{at}: {case.contestant.name}: {why}")
        self._say(f"FAILED: {self._results.failures[-1]}")


def _label(scenario: Scenario) -> str:
    points = {case.at for case in scenario.cases}
    return f"{scenario.name} {points.pop()}" if len(points) == 1 and 0 not in points else scenario.name
