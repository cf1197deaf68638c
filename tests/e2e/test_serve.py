"""`gateway serve` as a process: it listens, is checked, drains, and ends."""

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator import Gate, Simulator, Wait
from tests.e2e.raw import RawClient, chat, post, unchunked
from tests.e2e.test_cli import ROOT
from tests.simulator.wire import Parsed


@dataclass
class Served:
    """A running `gateway serve`."""

    process: Process
    port: int = 0

    async def until(self, event: str) -> dict[str, Any]:
        """The next log line of that name."""
        assert self.process.stdout is not None
        async with asyncio.timeout(10):
            async for line in self.process.stdout:
                if (told := json.loads(line))["event"] == event:
                    return told
        raise AssertionError(f"it ended without {event!r}")

    async def ended(self) -> int:
        async with asyncio.timeout(10):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def command(*arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *arguments, cwd=ROOT, env={}, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def served(tmp_path: Path, two_upstreams: str) -> AsyncIterator[Served]:
    """Its port is `--listen`'s: the file's is taken."""
    file = tmp_path / "routes.yaml"
    file.write_text(two_upstreams.replace('"127.0.0.1:0"', '"127.0.0.1:1"'))
    async with command("serve", "--config", str(file), "--listen", "127.0.0.1:0") as process:
        served = Served(process)
        told = await served.until("listening")
        served.port = told["port"]
        yield served


async def open_stream(served: Served, model: str) -> tuple[RawClient, bytes]:
    client = RawClient(served.port)
    await client.send(post(chat(model), headers="Connection: close\r\n"))
    return client, await client.until(b'"delta":{"content":')


async def healthcheck(served: Served) -> int | None:
    async with command("healthcheck", "--listen", f"127.0.0.1:{served.port}") as process:
        return await process.wait()


async def test_it_serves_and_is_ready(served: Served) -> None:
    client, begun = await open_stream(served, "fast")
    rest, _ = await client.rest()
    payload, complete = unchunked((begun + rest).partition(b"\r\n\r\n")[2])
    assert payload.endswith(b"data: [DONE]\n\n")
    assert complete
    assert (await served.until("call"))["outcome"] == "ok"
    assert await healthcheck(served) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_a_stream_end(served: Served, number: signal.Signals) -> None:
    client, begun = await open_stream(served, "first/sim-50tps-20tok")
    served.process.send_signal(number)
    assert (await served.until("draining"))["calls"] == 1
    assert await healthcheck(served) == 1
    rest, end = await client.rest()
    payload, complete = unchunked((begun + rest).partition(b"\r\n\r\n")[2])
    assert payload.endswith(b"data: [DONE]\n\n")
    assert (complete, end) == (True, "fin")
    assert (await served.until("call"))["outcome"] == "ok"
    assert await served.ended() == 0


async def test_a_second_signal_cuts_a_stream_and_says_so(served: Served, upstream: Simulator) -> None:
    client, begun = await open_stream(served, "first/sim-50tps-5000tok")
    served.process.send_signal(signal.SIGTERM)
    await served.until("draining")
    served.process.send_signal(signal.SIGTERM)
    rest, _ = await client.rest()
    payload, complete = unchunked((begun + rest).partition(b"\r\n\r\n")[2])
    last = json.loads(payload.rstrip().rpartition(b"data: ")[2])
    assert (last["error"]["code"], last["error"]["type"]) == ("draining", "server_error")
    assert b"[DONE]" not in payload
    assert not complete
    call = await served.until("call")
    assert (call["outcome"], call["code"]) == ("drained", "draining")
    await upstream.until_left(upstream.requests[0])
    assert await served.ended() == 0


async def test_a_second_signal_refuses_a_call_before_its_first_byte(served: Served, upstream: Simulator) -> None:
    gate = Gate()
    upstream.script = lambda request: [Wait(gate)]
    client = RawClient(served.port)
    await client.send(post(chat("first/small"), headers="Connection: close\r\n"))
    await gate.until_reached()
    served.process.send_signal(signal.SIGTERM)
    await served.until("draining")
    served.process.send_signal(signal.SIGTERM)
    seen, _ = await client.rest()
    answer = Parsed(seen)
    assert (answer.status, answer.json["error"]["code"]) == (503, "draining")
    assert await served.ended() == 0


async def test_a_new_key_works_once_its_line_is_pasted(tmp_path: Path, two_upstreams: str) -> None:
    async with command("keys", "new", "--name", "pasted") as process:
        told, _ = await process.communicate()
    key, *_, line = told.decode().splitlines()
    file = tmp_path / "routes.yaml"
    file.write_text(f"{two_upstreams.rstrip()}\n{line}\n")
    async with command("serve", "--config", str(file)) as process:
        served = Served(process)
        port = (await served.until("listening"))["port"]
        client = RawClient(port)
        await client.send(f"GET /v1/key HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\nConnection: close\r\n\r\n".encode())
        seen, _ = await client.rest()
    assert Parsed(seen).json["name"] == "pasted"
