"""Collected only with one of the options below: it is no part of `make test`."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("realllm", "tests with a real LLM server")
    group.addoption("--realllm-python", metavar="PYTHON", help="a Python that has requirements.txt: starts serve.py")
    group.addoption("--realllm-url", metavar="URL", help="a serve.py that is running, up to and with /v1")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = config.getoption("realllm_python", None) or config.getoption("realllm_url", None)
    return None if asked else True


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The server's base URL; one answer is generated at a time."""
    if given := request.config.getoption("realllm_url"):
        yield given
        return
    command = [os.path.abspath(request.config.getoption("realllm_python")), "serve.py", "0", "1"]  # noqa: PTH100
    with subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        listening = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)/?\n", said)
        assert listening, said
        yield f"{listening[1]}/v1"
        process.kill()
