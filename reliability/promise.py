"""What a promise is, and what comes of trying it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """`folder` is for the files of one promise; `environ` is what its processes get."""

    quick: bool
    folder: Path
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured, and what was asked for."""

    what: str
    measured: str
    asked: str
    kept: bool


Promise = Callable[[Run], Awaitable[list[Figure]]]


def none(what: str, count: int, of: str) -> Figure:
    """Kept if there were none; `of` says how many there could have been."""
    return Figure(what, f"{count:,} of {of}", "0", count == 0)


def most(what: str, measured: float, limit: float, unit: str) -> Figure:
    """Kept if no more than `limit`."""
    return Figure(what, f"{measured:.3g} {unit}".rstrip(), f"at most {limit:g} {unit}".rstrip(), measured <= limit)
