"""`gateway serve` as a process with children, and what can be seen of them from outside."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import KEY
from tests.e2e.raw import RawClient
from tests.simulator.wire import Parsed

ROOT = Path(__file__).parents[2]
SERVE = ("-m", "gateway", "serve", "--config")


class Served:
    """A running supervisor, or a lone worker; its log is read all the time."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._more = asyncio.Condition()
        self._reading = asyncio.get_running_loop().create_task(self._read(), name="read the log")

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._more:
                self.lines.append(json.loads(line))
                self._more.notify_all()

    def told(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    async def until(self, event: str, count: int = 1) -> dict[str, Any]:
        """The `count`-th line of that name."""
        try:
            async with asyncio.timeout(15), self._more:
                await self._more.wait_for(lambda: len(self.told(event)) >= count)
        except TimeoutError:
            told = [line for line in self.lines if line["event"] != "call"][-20:]
            raise AssertionError(f"no {event!r} in {told}") from None
        return self.told(event)[count - 1]

    @property
    def port(self) -> int:
        return int(self.told("listening")[0]["port"])

    @property
    def pids(self) -> list[int]:
        """Of the workers in their slots, slot after slot."""
        return [pid for _, pid in sorted({line["slot"]: line["pid"] for line in self.told("worker started")}.items())]

    @property
    def started(self) -> list[int]:
        """The pid of every worker that there ever was."""
        return [line["pid"] for line in self.told("worker started")]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, and all of its log is there."""
        async with asyncio.timeout(15):
            code = await self.process.wait()
            await self._reading
        return code

    async def close(self) -> None:
        """Whatever still runs is killed, or the log would not end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        for pid in filter(is_alive, self.started):
            os.kill(pid, signal.SIGKILL)
        await self.process.wait()
        await self._reading

    async def get(self, path: str) -> Parsed:
        """On a connection of its own, so any worker may answer."""
        client = RawClient(self.port)
        await client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {KEY}\r\nConnection: close\r\n\r\n".encode())
        return Parsed((await client.rest())[0])

    async def metric(self, name: str, **labels: str) -> float:
        """The sum over all series with these labels."""
        answer = await self.get("/metrics")
        assert answer.status == 200
        return total(answer.body, name, **labels)

    async def counted(self, name: str, count: float) -> float:
        """The metric once it is at least `count`: another worker's Records are in its files a tick later."""
        for _ in range(100):
            if (counted := await self.metric(name)) >= count:
                break
            await asyncio.sleep(0.02)
        return counted


def total(text: bytes, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(text.decode())
    samples = [sample for family in families for sample in family.samples if sample.name == f"gateway_{name}"]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


@contextlib.asynccontextmanager
async def started(*arguments: str, workers: int, **environ: str) -> AsyncIterator[Served]:
    """Python with these arguments, once that many workers listen and, if there are several, their parent knows."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=environ, stdout=PIPE, stderr=PIPE
    )
    served = Served(process)
    try:
        if workers:
            await served.until("listening", workers)
        if workers > 1:
            await served.until("worker ready", workers)
        yield served
    finally:
        await served.close()


def sockets_of(pid: int) -> int:
    """How many a process has open."""
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(entry.readlink()))
    return sum(link.startswith("socket:") for link in links)


def is_alive(pid: int) -> bool:
    """A zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(15):
        while is_alive(pid):
            await asyncio.sleep(0.02)
