"""results/table.md: promise, figure, what was asked, and what it was measured on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.machine import Machine
from reliability.promise import Figure

_TITLES = ("promise", "figure", "asked", "kept")


def table(figures: Mapping[str, Sequence[Figure]], machine: Machine, *, quick: bool) -> str:
    return "\n".join(_lines(figures, machine, quick)) + "\n"


def _lines(figures: Mapping[str, Sequence[Figure]], machine: Machine, quick: bool) -> Iterator[str]:
    if quick:
        yield "**A quick run: shorter, and with less of everything than what is promised.**\n"
    yield _row(_TITLES)
    yield _row("---" for _ in _TITLES)
    for found in figures.values():
        for figure in found:
            yield _row((figure.what, figure.measured, figure.asked, "yes" if figure.kept else "**no**"))
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    yield (
        f"\n{machine.processor}, {machine.cores} cores, {machine.memory_gb} GB, {machine.kernel}; {machine.python}, "
        f"{versions}; commit {machine.commit}, {machine.date}. Each by `python -m reliability NAME`: "
        f"{', '.join(figures)}."
    )


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
