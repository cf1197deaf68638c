"""The end of an answer: waited for while the client takes some of it, and no longer."""

import asyncio
from typing import cast

import pytest

from gateway.core.errors import ClientStalled
from gateway.edge.downstream import HttpDownstream
from gateway.state.timers import Wheel

TIMEOUT = 10.0


class FullTransport:
    """What `waiting` says is still to be sent. As uvloop's, it can't be asked for anything once it is `closed`."""

    def __init__(self) -> None:
        self.waiting = 0
        self.aborted = False
        self.closed = False

    def is_closing(self) -> bool:
        return self.aborted or self.closed

    def write(self, data: bytes) -> None:
        self.waiting += len(data)

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def set_write_buffer_limits(self, high: int) -> None:
        if self.closed:
            raise RuntimeError

    def abort(self) -> None:
        self.aborted = True


class Ending:
    """An answer of which nothing was taken yet, and the wait for it to be."""

    def __init__(self) -> None:
        self.wheel = Wheel(0.0)
        self.transport = FullTransport()
        self.downstream = HttpDownstream(cast(asyncio.Transport, self.transport), self.wheel, TIMEOUT, http10=False)
        self.downstream.answer(200, (), b"x" * 1000)
        self.task = asyncio.get_running_loop().create_task(self.downstream.drained(), name="drained")

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.wheel.tick(self.wheel.now + seconds)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_a_client_that_takes_none_of_it_is_cut() -> None:
    ending = Ending()
    await ending.pass_time(TIMEOUT - 1)
    assert not ending.task.done()
    await ending.pass_time(2)
    assert ending.task.done()
    with pytest.raises(ClientStalled):
        await ending.task
    assert ending.transport.aborted


async def test_one_that_takes_some_of_it_is_waited_for() -> None:
    ending = Ending()
    await ending.pass_time(0)
    for _ in range(3):
        ending.transport.waiting -= 100
        await ending.pass_time(TIMEOUT + 1)
        assert not ending.task.done()
    ending.transport.waiting = 0
    ending.downstream.resume_writing()
    await ending.task
    assert not ending.transport.aborted


async def test_a_client_that_leaves_meanwhile_ends_the_wait() -> None:
    ending = Ending()
    await ending.pass_time(1)
    ending.transport.closed = True
    ending.downstream.detach()
    await ending.pass_time(1)
    assert ending.task.done()
    await ending.task
