"""Collected only with one of the options below: it is no part of `make test`."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("realllm", "tests with a real LLM server")
    group.addoption("--realllm-python", metavar="PYTHON", help="a Python that has requirements.txt: starts serve.py")
    group.addoption("--realllm-url", metavar="URL", help="a llama.cpp server that is running, up to and with /v1")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = config.getoption("realllm_python", None) or config.getoption("realllm_url", None)
    return None if asked else True
