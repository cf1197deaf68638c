"""A plugin of pytest: the first failure ends the process.

A gateway without a protection leaves things behind that a teardown would wait for, and pytest-timeout does not look at
the teardown of a test that failed.
"""

import os

import pytest


class FirstFailure:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            terminal = self._config.get_terminal_writer()
            terminal.line()
            terminal.line(report.longreprtext)
            terminal.line(f"{'FAILED' if report.when == 'call' else 'ERROR'} {report.nodeid}")
            terminal.flush()
            os._exit(pytest.ExitCode.TESTS_FAILED)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(FirstFailure(config))
