"""An upstream that waits for its client, and the programs that count."""

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.simulator import Simulator
from tests.counts.calls import Script
from tests.deploy.conftest import installed
from tests.redis_server import RedisServer


@pytest.fixture(scope="package")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def upstream(script: Script) -> AsyncIterator[Simulator]:
    async with Simulator(script, remember=False) as simulator:
        yield simulator


@pytest.fixture
def strace() -> str:
    return installed("strace")


@pytest.fixture(scope="package")
def valgrind() -> str:
    return installed("valgrind")


@pytest.fixture(scope="package")
def vgdb() -> str:
    return installed("vgdb")
