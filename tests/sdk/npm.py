"""The process that runs `node/cases.mjs`, or another file of cases."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import KEY

FOLDER = Path(__file__).parent / "node"


class Npm:
    """Runs one case at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    async def run(self, name: str, url: str, *, key: str = KEY, retries: int = 0, **asked: Any) -> dict[str, Any]:
        """What the case of that name says; what it asks for is `asked`."""
        line = json.dumps({"name": name, "url": url, "key": key, "retries": retries, "asked": asked})
        return json.loads(await asyncio.to_thread(self._exchange, line))

    def _exchange(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextmanager
def started(file: str = "cases.mjs") -> Iterator[Npm]:
    """Skips the test if there is no node or no SDK, but fails it in CI."""
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules").is_dir():
        missing = "needs node, and `npm ci` in tests/sdk/node"
        if os.environ.get("CI"):  # noqa: TID251
            pytest.fail(missing)
        pytest.skip(missing)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([node, file], cwd=FOLDER, text=True, **pipes) as process:
        yield Npm(process)
        process.kill()
