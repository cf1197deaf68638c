"""nginx and the gateway are changed under one another's hands: no call notices."""

import asyncio
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.process import free_port
from gateway.simulator import Gate, Request, Send, Simulator, Step, Wait, chunked, sse_answer
from tests.catalogue import fault
from tests.conftest import StartGateway
from tests.deploy.conftest import _end, _until_listening, localized, nginx, start_nginx
from tests.e2e.conftest import closed_sockets
from tests.e2e.raw import RawClient, chat, post, unchunked
from tests.processes.conftest import Configure, configure, redis
from tests.processes.load import Load
from tests.processes.served import SERVE, started

__all__ = ["closed_sockets", "configure", "nginx", "redis", "start_nginx"]

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
STREAMS = 100


class Master:
    """An nginx with a master process, as in production: it can be told to reload."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = 0
        self._program = program
        self._folder = folder
        self._process: Process | None = None

    async def start(self, gateway_port: int) -> None:
        self.port = free_port()
        path = localized(self._folder, self.port, gateway_port)
        switches = f"pid {self._folder}/nginx.pid; daemon off;"
        self._process = await asyncio.create_subprocess_exec(
            self._program, "-c", path, "-g", switches, stderr=DEVNULL, stdout=DEVNULL
        )
        await _until_listening(self._process, self.port)

    def workers(self) -> set[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return set(map(int, children.split()))

    async def reload(self) -> None:
        """Returns when new workers are there; the old ones end their connections."""
        assert self._process is not None
        before = self.workers()
        self._process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while not self.workers() - before:
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        if self._process is not None:
            await _end(self._process)


@pytest.fixture
async def master(nginx: str, tmp_path: Path) -> AsyncIterator[Master]:
    master = Master(nginx, tmp_path)
    yield master
    await master.end()


@fault("N01")
async def test_n01_a_reload_of_nginx_cuts_none_of_a_hundred_streams(
    start_gateway: StartGateway, master: Master, two_upstreams: str, upstream: Simulator
) -> None:
    gate = Gate()

    def held(request: Request) -> list[Step]:
        head, *rest = sse_answer([STOP], done=True)
        return [head, Send(chunked(EVENT)), Wait(gate), *rest]

    upstream.script = held
    gateway = await start_gateway(two_upstreams)
    await master.start(gateway.port)
    clients = [RawClient(master.port) for _ in range(STREAMS)]
    for client in clients:
        await client.send(post(chat("first/small"), headers="Connection: close\r\n"))
    begun = [await client.until(EVENT) for client in clients]
    await master.reload()
    late = RawClient(master.port)
    await late.send(post(chat("first/small"), headers="Connection: close\r\n"))
    begun.append(await late.until(EVENT))
    gate.open()
    for client, start in zip([*clients, late], begun, strict=True):
        payload, complete = unchunked((start + (await client.rest())[0]).partition(b"\r\n\r\n")[2])
        assert (payload.endswith(b"data: [DONE]\n\n"), complete) == (True, True)
    await gateway.last_call(STREAMS + 1)
    assert {call["outcome"] for call in gateway.calls()} == {"ok"}


@fault("N05")
async def test_n05_nginx_that_keeps_connections_to_workers_that_are_replaced_gives_no_502(
    configure: Configure, master: Master
) -> None:
    async with started(*SERVE, str(configure()), workers=2) as served:
        await master.start(served.port)
        load = Load(master.port)
        running = asyncio.get_running_loop().create_task(load.run(12), name="load")
        served.send(signal.SIGUSR2)
        await served.until("worker replaced", 2)
        await served.until("worker ended", 2)
        load.stopped = True
        await running
    assert (load.failed, load.cut) == ([], 0)
    assert load.served > 50
