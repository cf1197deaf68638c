"""The whole benchmark: where the load saturates, then every scenario that was asked for."""

import statistics
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from bench import rounds
from bench.contestants import Place
from bench.fleet import Fleet
from bench.machine import describe
from bench.results import Results
from bench.rounds import Side
from bench.scenarios import Plain, Scenario, Streams, missing, quick, scenarios, too_many
from bench.season import Say, Season
from bench.surroundings import allow_descriptors, surroundings
from bench.upstream import Script

_TOO_MUCH = Streams(400, 200)  # 80,000 events/s


@dataclass(frozen=True, slots=True)
class Choice:
    """Scenarios by how their names begin, or all; `rounds` instead of their own."""

    only: tuple[str, ...] = ()
    quick: bool = False
    rounds: int | None = None


async def run(choice: Choice, environ: Mapping[str, str], say: Say) -> Results:
    """Raises NotReady if the surroundings could not be started; whatever else fails is in the results."""
    results = Results(machine=describe(environ), quick=choice.quick)
    descriptors = allow_descriptors()
    async with surroundings(environ) as (place, script):
        if place.core == place.load_core:
            results.left_out.append("a core of its own for what is measured: there is only one, shared with the load")
        await _saturate(place, script, results, quickly=choice.quick)
        say(f"alone: {results.plain_per_second:.0f} calls/s, {results.events_per_second:.0f} events/s")
        async with aclosing(Season(place, script, results, say)) as season:
            for scenario in scenarios():
                if _is_chosen(scenario, choice) and (chosen := _adapted(scenario, choice, descriptors, results)):
                    await season.run(chosen)
    return results


def _is_chosen(scenario: Scenario, choice: Choice) -> bool:
    return not choice.only or scenario.name.startswith(choice.only)


def _adapted(scenario: Scenario, choice: Choice, descriptors: int, results: Results) -> Scenario | None:
    """Without what this machine cannot do, which is noted; None if nothing is left."""
    if choice.quick:
        scenario = quick(scenario)
    if choice.rounds:
        scenario = replace(scenario, rounds=choice.rounds)
    cases = []
    for case in scenario.cases:
        why = None
        if program := missing(case.contestant):
            why = f"{case.contestant.name}: {program} is not installed"
        elif too_many(case.load, descriptors):
            why = f"{scenario.name} {case.at or ''}: {descriptors} file descriptors are too few (`ulimit -Hn`)"
        if why is None:
            cases.append(case)
        elif why not in results.left_out:
            results.left_out.append(why)
    return replace(scenario, cases=tuple(cases)) if cases else None


async def _saturate(place: Place, script: Script, results: Results, *, quickly: bool) -> None:
    """The load straight at the upstream, both on one core: faster than this it cannot drive anything."""
    fleet = Fleet(place.upstream)
    side = Side(None, fleet)
    times, seconds = (1, 0.2) if quickly else (3, 1.0)
    plain = [await rounds.plain(side, Plain(32, seconds)) for _ in range(times)]
    streams = [await rounds.streams(side, script, replace(_TOO_MUCH, seconds=seconds)) for _ in range(times)]
    fleet.close()
    results.plain_per_second = round(statistics.median(measured.calls / measured.seconds for measured in plain))
    results.events_per_second = round(statistics.median(measured.events / measured.seconds for measured in streams))
