"""What the clients saw in a round, and what becomes of it: counts, and percentiles of times."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Of many times, in microseconds."""

    p50: float
    p99: float


@dataclass(slots=True)
class Tally:
    """Times are in ns. `first_bytes` are from the request sent to the first byte of the answer's body."""

    calls: int = 0
    events: int = 0
    first_bytes: "array[int]" = field(default_factory=lambda: array("q"))
    latencies: "array[int]" = field(default_factory=lambda: array("q"))
    lags: "array[int]" = field(default_factory=lambda: array("q"))
    faults: Counter[str] = field(default_factory=Counter)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest rank, of at least one."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def spread(times: Sequence[int]) -> Spread | None:
    """Of times in ns; None if there are none."""
    if not times:
        return None
    ordered = sorted(times)
    return Spread(*(round(percentile(ordered, percent) / 1000, 1) for percent in (50, 99)))
