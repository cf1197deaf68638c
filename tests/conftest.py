"""The gateway as production starts it (uvloop, real sockets, no test server), with simulated upstreams before it."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
import uvloop

from gateway.app import App
from gateway.config.load import parse
from gateway.observe.logs import LineWriter, configure
from gateway.simulator import Simulator
from tests import catalogue

KEY = "sk-gw-" + "k" * 43
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}


def pytest_configure(config: pytest.Config) -> None:
    catalogue.register(config)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@dataclass
class Gateway:
    """A running gateway: where it is, the app itself, and its log lines so far."""

    app: App
    lines: list[bytes] = field(repr=False)

    @property
    def port(self) -> int:
        return self.app.address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def log(self) -> list[dict[str, Any]]:
        """Every line so far; a call's line is there once its Record was put."""
        self.app.recorder.flush()
        return [json.loads(line) for line in self.lines]

    def calls(self) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["event"] == "call"]

    async def last_call(self, count: int = 1) -> dict[str, Any]:
        """The line of the `count`-th call, waited for: a call that a client left ends a moment later."""
        async with asyncio.timeout(5):
            while len(self.calls()) < count:
                await asyncio.sleep(0.01)
        return self.calls()[count - 1]


class _Lines(LineWriter):
    """A writer without a thread: tests read the lines at once."""

    def __init__(self, lines: list[bytes]) -> None:
        self.dropped = 0
        self.lines = lines

    def put(self, line: bytes) -> None:
        self.lines.append(line)


@pytest.fixture(autouse=True)
def lines() -> Iterator[list[bytes]]:
    """The log; a test fails if an exception was logged that nobody handled."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    writer = _Lines([])
    configure(writer)
    yield writer.lines
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
    unhandled = [line for line in writer.lines if b'"level":"error"' in line and b'"expected' not in line]
    assert not unhandled


StartGateway = Callable[..., Awaitable[Gateway]]


@pytest.fixture
async def start_gateway(lines: list[bytes]) -> AsyncIterator[StartGateway]:
    """`await start_gateway(yaml)`; `server.listen` is any free port unless the text says otherwise."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(text: str, environ: dict[str, str] | None = None) -> Gateway:
            if "server:" not in text:
                text = 'server: {listen: "127.0.0.1:0"}\n' + text
            app = App(parse(text.encode(), "test.yaml", environ or {}), _Lines(lines))
            await app.start()
            stack.push_async_callback(app.stop, 0.0)
            return Gateway(app, lines)

        yield start


@pytest.fixture
async def upstream() -> AsyncIterator[Simulator]:
    async with Simulator(name="first") as simulator:
        yield simulator


@pytest.fixture
async def second() -> AsyncIterator[Simulator]:
    async with Simulator(name="second") as simulator:
        yield simulator


@pytest.fixture
def two_upstreams(upstream: Simulator, second: Simulator) -> str:
    """A configuration over both: any model `first/…` or `second/…`, and the tier `fast` over the two."""
    return f"""
server: {{listen: "127.0.0.1:0"}}
upstreams:
  first: {{base_url: "{upstream.url}"}}
  second: {{base_url: "{second.url}"}}
model_defaults: {{max_retries: 0}}
models:
  "first/*": {{upstream: first, name: "*"}}
  "second/*": {{upstream: second, name: "*"}}
  embed: {{upstream: first, kind: embeddings}}
tiers:
  fast: [first/small, second/small]
complexity: {{simple: fast, medium: fast, complex: fast}}
aliases: {{gpt-4o-mini: fast}}
keys:
  - {{name: tester, key: {KEY}}}
"""
