"""One gateway and one nginx for each module; `settings` may be overridden by a module for its own gateway.

A module has `pytestmark = pytest.mark.asyncio(loop_scope="module")`, rows, and `await front.run(row, way)`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from bench.process import free_port
from gateway.app import App
from gateway.config.load import parse
from gateway.observe.logs import LineWriter
from gateway.simulator import Simulator
from tests.bad_inputs.ways import Front, config
from tests.conftest import Gateway
from tests.deploy.conftest import installed, localized
from tests.e2e.conftest import closed_sockets

__all__ = ["closed_sockets"]


class _Lines(LineWriter):
    """Puts the lines of calls to those of the test that runs."""

    def __init__(self) -> None:
        self.dropped = 0
        self.lines: list[bytes] = []

    def put(self, line: bytes) -> None:
        self.lines.append(line)


@dataclass
class _House:
    app: App
    writer: _Lines
    upstream: Simulator
    nginx_port: int


@pytest.fixture(scope="module")
def settings() -> str:
    """Of the server, as `name: value, name: value`."""
    return ""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(settings: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_House]:
    writer = _Lines()
    async with Simulator(name="first") as upstream:
        app = App(parse(config(upstream, settings).encode(), "test.yaml", {}), writer)
        await app.start()
        port = free_port()
        path = localized(tmp_path_factory.mktemp("nginx"), port, app.address[1])
        switches = f"pid {path.parent}/nginx.pid; daemon off; master_process off;"
        process = await asyncio.create_subprocess_exec(
            installed("nginx"), "-c", path, "-g", switches, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(15):
                while not await _listens(port):
                    assert process.returncode is None, "nginx did not start"
            yield _House(app, writer, upstream, port)
        finally:
            process.terminate()
            await process.wait()
            await app.stop(0.0)


@pytest.fixture
def front(house: _House, lines: list[bytes]) -> Front:
    house.writer.lines = lines
    house.upstream.requests.clear()
    return Front(Gateway(house.app, lines), house.nginx_port, house.upstream, lines)


async def _listens(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        return True
    await asyncio.sleep(0.01)
    return False
