"""Sockets that tests leave open are closed after each."""

from collections.abc import Iterator

import pytest

from tests.e2e.raw import RawClient


@pytest.fixture(autouse=True)
def closed_sockets() -> Iterator[None]:
    yield
    while RawClient.opened:
        RawClient.opened.pop().close()
