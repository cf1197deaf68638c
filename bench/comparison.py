"""The gateway of this checkout against that of another, in turn: for whoever changes the hot path."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from bench.contestants import Gateway
from bench.machine import describe
from bench.results import (
    Figure,
    Results,
    cpu_per_call,
    cpu_per_event,
    first_byte_p50,
    kb_per_stream,
    lag_p50,
    lag_p99,
    latency_p50,
    latency_p99,
    median,
    ratio,
    ready_s,
)
from bench.scenarios import STREAMS, Case, FirstEvent, Idle, Load, Plain, Scenario, Start, Streams
from bench.season import Say, Season
from bench.surroundings import allow_descriptors, surroundings

LOADS: dict[str, Load] = {
    "plain": Plain(32),
    "plain-1": Plain(1, 0.6),
    "first-event": FirstEvent(0.6),
    "streams": STREAMS,
    "streams-1000": Streams(1000, 30),
    "memory": Idle(2000),
    "start": Start(),
}
_FIGURES: dict[str, Figure] = {
    "CPU µs per call": cpu_per_call,
    "CPU µs per event": cpu_per_event,
    "first byte p50 µs": first_byte_p50,
    "latency p50 µs": latency_p50,
    "latency p99 µs": latency_p99,
    "lag p50 µs": lag_p50,
    "lag p99 µs": lag_p99,
    "KB per stream": kb_per_stream,
    "ready after s": ready_s,
}


@dataclass(frozen=True, slots=True)
class Contest:
    """`against` is the folder that holds the other `gateway/`; `scenario` one of LOADS."""

    against: Path
    scenario: str
    rounds: int


async def run(contest: Contest, environ: Mapping[str, str], say: Say) -> tuple[str, list[str]]:
    """The text that tells what was found, and what failed. Raises NotReady."""
    results = Results(machine=describe(environ), quick=False)
    load = LOADS[contest.scenario]
    this, other = Gateway("this"), Gateway("other", package=contest.against)
    allow_descriptors()
    async with surroundings(environ) as (place, script):
        fresh = isinstance(load, Idle | Start)
        scenario = Scenario(contest.scenario, (Case(this, load), Case(other, load)), contest.rounds, fresh)
        async with aclosing(Season(place, script, results, say)) as season:
            await season.run(scenario)
    return _text(contest, results), results.failures


def _text(contest: Contest, results: Results) -> str:
    this, other = (results.find(contest.scenario, name) for name in ("this", "other"))
    lines = [f"{contest.scenario}: medians of {contest.rounds} rounds in turn, against {contest.against}"]
    for name, figure in _FIGURES.items():
        values = median(this, figure), median(other, figure), ratio(this, other, figure)
        if None not in values:
            lines.append("{:18} this {:9.2f}   other {:9.2f}   median ratio {:.3f}".format(name, *values))
    return "\n".join([*lines, *(f"FAILED: {failure}" for failure in results.failures)])
