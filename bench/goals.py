"""What the gateway is to reach, each goal with the figure it is held against."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.results import (
    Figure,
    Results,
    Series,
    cpu_per_call,
    cpu_per_event,
    difference,
    first_byte_p50,
    kb_per_stream,
    lag_p99,
    median,
    ratio,
    ready_s,
    sustained,
)

GATEWAY, REDIS, TWO = "gateway", "gateway redis", "gateway redis 2 workers"
TRANSLATING = "gateway messages"


@dataclass(frozen=True, slots=True)
class Goal:
    """`measured` is None if it was not measured; the goal is met up to `most`. `unit` follows the number."""

    what: str
    measured: float | None
    most: float
    unit: str

    @property
    def met(self) -> bool | None:
        return None if self.measured is None else self.measured <= self.most


def goals(results: Results) -> Iterator[Goal]:
    def between(scenario: str, one: str, other: str, figure: Figure, how: Callable[..., float | None]) -> float | None:
        return how(results.find(scenario, one), results.find(scenario, other), figure)

    def found(scenario: str, figure: Figure) -> float | None:
        return median(results.find(scenario, GATEWAY), figure)

    to_nginx, to_bare, to_one = "x nginx", "x bare", "x one worker"
    cpu = between("streams", GATEWAY, "nginx", cpu_per_event, ratio)
    yield Goal("CPU per relayed event, 400 streams x 50/s", cpu, 1.2, to_nginx)
    lag = between("streams", GATEWAY, "nginx", lag_p99, ratio)
    yield Goal("event lag p99, 400 streams x 50/s", lag, 2, to_nginx)
    cpu = between("translated", TRANSLATING, GATEWAY, cpu_per_event, ratio)
    yield Goal("CPU per translated event, Messages at chat completions, 100 streams x 50/s", cpu, 3, "x passed through")
    for name, store, most_cpu, most_ms in ((GATEWAY, "memory", 0.45, 0.4), (REDIS, "Redis", 0.65, 0.7)):
        cpu = between("plain", name, "bare", cpu_per_call, ratio)
        yield Goal(f"CPU per plain call, closed loop of 32, {store}", cpu, most_cpu, to_bare)
        for scenario, kind in (("plain-1", "plain"), ("first-event", "stream")):
            added = between(scenario, name, "direct", first_byte_p50, difference)
            what = f"added time to first byte p50, one {kind} call at a time, {store}"
            yield Goal(what, None if added is None else added / 1000, most_ms, "ms")
    yield Goal("memory per open stream, 2,000 idle streams", found("memory", kb_per_stream), 24, "KB")
    yield Goal("events lost, duplicated or reordered", _events_wrong(results), 0, "")
    come = found("streams-1000", sustained)
    yield Goal("1,000 streams x 30/s: events that fell behind", None if come is None else max(0, 1 - come), 0.02, "")
    lag = found("streams-1000", lag_p99)
    yield Goal("1,000 streams x 30/s: lag p99", None if lag is None else lag / 1000, 100, "ms")
    for scenario, figure, unit in (("plain", cpu_per_call, "plain call"), ("streams", cpu_per_event, "event")):
        two = between(f"workers-{scenario}", TWO, REDIS, figure, ratio)
        yield Goal(f"2 workers, CPU per {unit}", two, 1.1, to_one)
    yield Goal("start to ready", found("start", ready_s), 0.7, "s")


def _events_wrong(results: Results) -> float | None:
    """Of all the gateway's streams, idle ones too."""
    ours = [series for series in results.series if series.contestant.startswith(GATEWAY) and _has_events(series)]
    wrong = ("lost", "duplicated", "reordered")
    if not ours:
        return None
    return sum(measured.faults.get(what, 0) for series in ours for measured in series.rounds for what in wrong)


def _has_events(series: Series) -> bool:
    return any(measured.events for measured in series.rounds)
