"""table.md: the goals beside the figures, then every figure, and what they were measured on."""

from collections.abc import Iterable, Iterator

from bench.goals import goals
from bench.machine import Machine
from bench.results import (
    Figure,
    Results,
    Series,
    cpu_per_call,
    cpu_per_event,
    first_byte_p50,
    idle_mb,
    kb_per_stream,
    lag_p50,
    lag_p99,
    latency_p50,
    latency_p99,
    load_busy,
    median,
    ready_s,
)

TITLES = {
    "plain": "plain calls, closed loop of 32",
    "plain-1": "plain calls, one at a time",
    "plain-paced": "plain calls, 200/s",
    "first-event": "streams of one event, one at a time",
    "streams": "400 streams x 50 events/s",
    "streams-1000": "1,000 streams x 30 events/s",
    "translated": "100 streams x 50 events/s, chat completions passed on, and as Messages",
    "streams-number": "against the number of streams",
    "memory": "2,000 idle streams",
    "workers-plain": "plain calls, closed loop of 32, 1 and 2 workers",
    "workers-streams": "400 streams x 50 events/s, 1 and 2 workers",
    "bodies": "against the size of the request's body, in bytes",
    "keys": "against the number of keys",
    "models": "against the number of models",
    "start": "from start to ready",
}
_READING = """\
Figures are medians of rounds in turn; ratios and differences are medians of each round's. *Load's core* is the share of
its core that the load took: all of it in a closed loop; where that is near 1 in a paced one, lags are partly its own.
"""
_COLUMNS: dict[str, tuple[Figure, int]] = {
    "CPU µs per call": (cpu_per_call, 1),
    "CPU µs per event": (cpu_per_event, 1),
    "first byte p50 µs": (first_byte_p50, 0),
    "latency p50 µs": (latency_p50, 0),
    "latency p99 µs": (latency_p99, 0),
    "lag p50 µs": (lag_p50, 0),
    "lag p99 µs": (lag_p99, 0),
    "KB per stream": (kb_per_stream, 1),
    "idle MB": (idle_mb, 0),
    "ready after s": (ready_s, 2),
    "load's core": (load_busy, 2),
}


def table(results: Results) -> str:
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Results) -> Iterator[str]:
    if results.quick:
        yield "**A smoke run: these figures mean nothing.**\n"
    if results.failures:
        yield "**Something failed, see the end.**\n"
    yield from _goals(results)
    yield ""
    yield from _machine(results.machine)
    yield (
        f"The load and the upstream by themselves, on one core: {results.plain_per_second:,} plain calls/s, "
        f"{results.events_per_second:,} events/s.\n"
    )
    yield _READING
    for scenario in dict.fromkeys(series.scenario for series in results.series):
        yield from _scenario(results, scenario)
    for title, notes in (("Left out", results.left_out), ("Failed", results.failures)):
        if notes:
            yield f"### {title}\n"
            yield from (f"* {note}" for note in notes)
            yield ""


def _goals(results: Results) -> Iterator[str]:
    yield from _rows(["figure", "measured", "goal, at most", "met"], [])
    for goal in goals(results):
        met = {True: "yes", False: "**no**", None: "-"}[goal.met]
        unit = f" {goal.unit}" if goal.unit else ""
        measured = "not measured" if goal.measured is None else f"{_number(goal.measured)}{unit}"
        yield _row([goal.what, measured, f"{goal.most:g}{unit}", met])


def _machine(machine: Machine) -> Iterator[str]:
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    yield (
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gb} GB, {machine.kernel}; {machine.python}, "
        f"{versions}; commit {machine.commit}, {machine.date}.\n"
    )


def _scenario(results: Results, scenario: str) -> Iterator[str]:
    """Medians of rounds; the columns are those that say anything."""
    series = [one for one in results.series if one.scenario == scenario]
    columns = {name: kind for name, kind in _COLUMNS.items() if any(median(one, kind[0]) is not None for one in series)}
    yield f"### {TITLES.get(scenario, scenario)}\n"
    curve = any(one.at for one in series)
    yield from _rows([*(["at"] if curve else []), "", *columns], [_cells(one, columns, curve=curve) for one in series])
    yield ""


def _cells(series: Series, columns: dict[str, tuple[Figure, int]], *, curve: bool) -> list[str]:
    values = ((median(series, figure), digits) for figure, digits in columns.values())
    figures = ["-" if value is None else f"{value:,.{digits}f}" for value, digits in values]
    return [*([f"{series.at:,}"] if curve else []), series.contestant, *figures]


def _rows(titles: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield _row(titles)
    yield _row(["---", *("--:" for _ in titles[1:])])
    yield from (_row(row) for row in rows)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
