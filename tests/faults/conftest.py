"""The rig, whose teardown asserts what holds after every fault (I-1, I-6, I-8, I-10, I-11, I-14)."""

from collections.abc import AsyncIterator

import pytest

from gateway.simulator import Simulator
from tests.conftest import StartGateway
from tests.e2e.raw import RawClient
from tests.faults.rig import Rig
from tests.faults.watch import LoopWatch, nothing_left_behind


@pytest.fixture
async def baseline() -> AsyncIterator[None]:
    """Made first, so that it looks when the gateway and its upstreams are gone."""
    async with nothing_left_behind():
        yield
        while RawClient.opened:
            RawClient.opened.pop().close()


@pytest.fixture
async def rig(
    baseline: None, upstream: Simulator, second: Simulator, start_gateway: StartGateway
) -> AsyncIterator[Rig]:
    watch = LoopWatch()
    rig = Rig(start_gateway, upstream, second, watch)
    yield rig
    watch.stop()
    await rig.check()
    watch.check()
