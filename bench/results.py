"""What the benchmark found, as it stands in results.json."""

import statistics
from collections.abc import Callable, Iterable

import msgspec

from bench.machine import Machine
from bench.tally import Spread


class Measured(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One round of one contestant. CPU is its own, in microseconds;
    `busy` and `load_busy` are shares of a core.

    `wanted` is how many events a second there should be.
    """

    calls: int = 0
    events: int = 0
    seconds: float = 0.0
    wanted: float | None = None
    cpu_us_per_call: float | None = None
    cpu_us_per_event: float | None = None
    busy: float | None = None
    load_busy: float | None = None
    first_byte_us: Spread | None = None
    latency_us: Spread | None = None
    lag_us: Spread | None = None
    kb_per_stream: float | None = None
    idle_mb: float | None = None
    ready_s: float | None = None
    faults: dict[str, int] = {}


class Series(msgspec.Struct, frozen=True):
    """The rounds of one contestant in one scenario; `at` is where on the curve, if it is one."""

    scenario: str
    contestant: str
    at: int
    rounds: list[Measured]


Figure = Callable[[Measured], float | None]


def cpu_per_call(measured: Measured) -> float | None:
    return measured.cpu_us_per_call


def cpu_per_event(measured: Measured) -> float | None:
    return measured.cpu_us_per_event


def lag_p50(measured: Measured) -> float | None:
    return measured.lag_us.p50 if measured.lag_us else None


def lag_p99(measured: Measured) -> float | None:
    return measured.lag_us.p99 if measured.lag_us else None


def first_byte_p50(measured: Measured) -> float | None:
    return measured.first_byte_us.p50 if measured.first_byte_us else None


def latency_p50(measured: Measured) -> float | None:
    return measured.latency_us.p50 if measured.latency_us else None


def latency_p99(measured: Measured) -> float | None:
    return measured.latency_us.p99 if measured.latency_us else None


def kb_per_stream(measured: Measured) -> float | None:
    return measured.kb_per_stream


def idle_mb(measured: Measured) -> float | None:
    return measured.idle_mb


def ready_s(measured: Measured) -> float | None:
    return measured.ready_s


def load_busy(measured: Measured) -> float | None:
    return measured.load_busy


def sustained(measured: Measured) -> float | None:
    """Events that came, of those that there should be."""
    return measured.events / measured.seconds / measured.wanted if measured.wanted else None


class Results(msgspec.Struct, kw_only=True):
    """`plain_per_second`, `events_per_second`: where the load and the upstream saturate by themselves."""

    machine: Machine
    quick: bool
    plain_per_second: float = 0.0
    events_per_second: float = 0.0
    series: list[Series] = []
    left_out: list[str] = []
    failures: list[str] = []

    def find(self, scenario: str, contestant: str, at: int | None = None) -> Series | None:
        matching = (
            s for s in self.series if (s.scenario, s.contestant) == (scenario, contestant) and at in (None, s.at)
        )
        return next(matching, None)

    def points(self, scenario: str, contestant: str, figure: Figure) -> list[tuple[int, float]]:
        """The curve: medians by `at`."""
        curve = [s for s in self.series if (s.scenario, s.contestant) == (scenario, contestant)]
        found = [(series.at, median(series, figure)) for series in curve]
        return sorted((at, value) for at, value in found if value is not None)

    def contestants(self, scenario: str) -> list[str]:
        return list(dict.fromkeys(series.contestant for series in self.series if series.scenario == scenario))


def median(series: Series | None, figure: Figure) -> float | None:
    values = _known(figure(round_) for round_ in series.rounds) if series else []
    return statistics.median(values) if values else None


def ratio(series: Series | None, to: Series | None, figure: Figure) -> float | None:
    """The median of the rounds' ratios: rounds of the same number ran one after the other."""
    return _of_pairs(series, to, figure, lambda one, other: one / other if other else None)


def difference(series: Series | None, to: Series | None, figure: Figure) -> float | None:
    """The median of the rounds' differences."""
    return _of_pairs(series, to, figure, lambda one, other: one - other)


def _of_pairs(
    series: Series | None, to: Series | None, figure: Figure, pair: Callable[[float, float], float | None]
) -> float | None:
    if series is None or to is None:
        return None
    pairs = [(figure(one), figure(other)) for one, other in zip(series.rounds, to.rounds, strict=False)]
    values = _known(pair(one, other) for one, other in pairs if one is not None and other is not None)
    return statistics.median(values) if values else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
