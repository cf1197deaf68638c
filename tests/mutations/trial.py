"""One protection tried: a copy of the checkout, the edit made in it, and the tests that must turn red."""

import enum
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.mutations.protection import Moved, Protection

PARTS = ("gateway", "tests", "config", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("node_modules", ".*")
# Of a test, and of pytest with all that it is given: the tests of a protection take seconds.
TEST_TIMEOUT = 15
TIMEOUT = 60.0
# What it writes.
HUNG = "++ Timeout ++"


class Verdict(enum.Enum):
    """What became of the tests while the protection was off. Only red is proof that they can fail."""

    RED = "red"
    HANG = "red, by a hang"
    SURVIVED = "SURVIVED"
    MOVED = "MOVED"
    NOT_RUN = "NOT RUN"


PROOF = (Verdict.RED, Verdict.HANG)


@dataclass(frozen=True, slots=True)
class Run:
    """What pytest said; `code` is None if it had to be killed."""

    code: int | None
    output: str

    @property
    def verdict(self) -> Verdict:
        if self.code is None:
            return Verdict.HANG
        match self.code:
            case pytest.ExitCode.OK:
                return Verdict.SURVIVED
            case pytest.ExitCode.TESTS_FAILED:
                return Verdict.HANG if HUNG in self.output else Verdict.RED
            case _:
                return Verdict.NOT_RUN

    @property
    def failed(self) -> str:
        """The test that turned red, or the last line if none did."""
        last = (self.output.strip().splitlines() or [""])[-1]
        return "a test did not end" if HUNG in last else last.removeprefix("FAILED ")


@dataclass(frozen=True, slots=True)
class Tried:
    """`said` is the test that turned red, or why there is none."""

    protection: Protection
    verdict: Verdict
    said: str
    seconds: float


def copy(source: Path, target: Path) -> None:
    """The parts of the checkout that tests need."""
    for name in PARTS:
        part = source / name
        if part.is_dir():
            shutil.copytree(part, target / name, ignore=LEFT_OUT)
        else:
            shutil.copy2(part, target / name)


def run(root: Path, tests: Iterable[str], timeout: float) -> Run:
    """Those of the copy at `root`, by the same interpreter, up to the first that fails. In seconds."""
    quiet = ("-q", "--tb=short", "--no-header", "-p", "no:cacheprovider", f"--basetemp={root / 'tmp'}")
    ending = ("-p", "tests.mutations.first_failure", f"--timeout={TEST_TIMEOUT}", "--timeout-method=thread")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *quiet, *ending, *tests],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return Run(None, "pytest did not end")
    else:
        return Run(process.returncode, output)
    finally:
        with suppress(ProcessLookupError):  # what it started and did not end, too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def attempt(base: Path, protection: Protection) -> Tried:
    """In a copy of the copy at `base`, which has been run, so that nothing is compiled anew but what is edited."""
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        root = Path(folder)
        copy(base, root)
        try:
            protection.switch_off(root)
        except Moved as moved:
            return Tried(protection, Verdict.MOVED, str(moved), 0.0)
        ran = run(root, protection.tests, TIMEOUT)
    return Tried(protection, ran.verdict, ran.failed, time.monotonic() - began)
