"""The two catalogues that the gateway is held to: which test proves which row, and how many hold.

`fault` and `bad_input` are marks, for a test or for one of its parameters.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import pytest

SIZES = {
    "faults": {"U": 52, "C": 14, "R": 24, "P": 18, "K": 16, "N": 10},
    "bad inputs": {"B": 150},
}
ROWS = {
    name: [f"{letter}{number:02}" for letter, count in sizes.items() for number in range(1, count + 1)]
    for name, sizes in SIZES.items()
}
_KNOWN = {row for rows in ROWS.values() for row in rows}


def fault(*rows: str) -> pytest.MarkDecorator:
    """The test proves these rows."""
    return pytest.mark.catalogue(*rows)


bad_input = fault


def unable(request: pytest.FixtureRequest, row: str, reason: str) -> None:
    """The row can't be tried on this machine; the summary names it."""
    request.node.user_properties.append(("unable", f"{row}: {reason}"))


class Catalogue:
    """The plugin. A row holds if a test that is marked with it passed and none failed."""

    def __init__(self, config: pytest.Config) -> None:
        self._whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not (
            config.option.keyword or config.option.markexpr or config.option.collectonly or config.option.lf
        )
        self._outcomes: defaultdict[str, set[str]] = defaultdict(set)
        self._unable: set[str] = set()

    @pytest.hookimpl
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        for row in _rows_of(item):
            assert row in _KNOWN, f"{item.nodeid}: no row {row}"
            item.user_properties.append(("row", row))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "row" and (report.when == "call" or report.outcome == "failed"):
                self._outcomes[str(value)].add(report.outcome)
            elif name == "unable":
                self._unable.add(str(value))

    @property
    def missing(self) -> dict[str, list[str]]:
        return {name: [row for row in rows if self._outcomes[row] != {"passed"}] for name, rows in ROWS.items()}

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A row without a test fails a run of the whole suite."""
        if self._whole and not hasattr(session.config, "workerinput") and any(self.missing.values()):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._outcomes:
            return
        missing = self.missing
        counts = [f"{name} {len(rows) - len(missing[name])}/{len(rows)}" for name, rows in ROWS.items()]
        terminalreporter.write_line(", ".join(counts))
        if self._whole:
            for name, rows in missing.items():
                if rows:
                    terminalreporter.write_line(f"{name} that do not hold: {' '.join(rows)}")
        for row in sorted(self._unable):
            terminalreporter.write_line(f"not tried here: {row}")


def _rows_of(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("catalogue"):
        rows: Iterable[str] = mark.args
        yield from rows


def register(config: pytest.Config) -> None:
    """The plugin, once."""
    config.addinivalue_line("markers", "catalogue(*rows): proves these rows of the catalogues")
    config.pluginmanager.register(Catalogue(config))
