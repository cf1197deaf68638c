"""What a promise is tried on: `gateway serve` as a process, two simulated upstreams, a Redis."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bench.contestants import ROOT, start_redis
from bench.process import Command, NotReady, Process, listens, tree
from gateway.simulator import Simulator
from reliability.client import KEY, ask, get
from reliability.promise import Run

STARTED_WITHIN = 30.0
LOOK_EVERY = 0.02

_CONFIG = """\
server: {{listen: "127.0.0.1:0", workers: {workers}{server}}}
store: {{url: "{store}"{of_store}}}
upstreams:
  first: {{base_url: "{first}"}}
  second: {{base_url: "{second}"}}
model_defaults: {{max_retries: 0{of_models}}}
models:
  "first/*": {{upstream: first, name: "*"}}
  "second/*": {{upstream: second, name: "*"}}
tiers:
  fast: [first/small, second/small]
limits:
  all: {{requests_per_minute: 100000000, concurrent_streams: {streams}}}
keys:
  - {{name: tester, key: {key}, limits: all}}
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Of a gateway; texts are more fields of a section, each with a comma before it."""

    workers: int = 2
    server: str = ""
    store: str = ""
    models: str = ""
    streams: int = 1_000_000
    descriptors: int | None = None


class Serving:
    """A running gateway; its log is in a file, which is read when somebody asks."""

    def __init__(self, process: Process, log: Path, file: Path) -> None:
        self.process = process
        self.file = file
        self.calls: list[dict[str, Any]] = []
        self._lines: list[dict[str, Any]] = []
        self._log = log
        self._read = 0
        self._held = b""

    @property
    def port(self) -> int:
        return int(self.told("listening")[0]["port"])

    @property
    def parent(self) -> int:
        return self.process.pids()[0]

    @property
    def workers(self) -> list[int]:
        """Process ids of those that live; of a lone one it is the gateway's own."""
        return tree(self.parent)[1:] or [self.parent]

    def send(self, number: signal.Signals) -> None:
        os.kill(self.parent, number)

    def told(self, event: str) -> list[dict[str, Any]]:
        """Lines of that name so far; those of calls are in `calls`."""
        self.read_log()
        return [line for line in self._lines if line["event"] == event]

    def read_log(self) -> None:
        with self._log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        self._read += len(new)
        *lines, self._held = (self._held + new).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                parsed = json.loads(line)
                (self.calls if parsed["event"] == "call" else self._lines).append(parsed)

    async def until(self, event: str, count: int = 1, seconds: float = STARTED_WITHIN) -> None:
        """Raises NotReady."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self.told(event)) < count:
                    if not self.process.alive:
                        break
                    await asyncio.sleep(LOOK_EVERY)
                else:
                    return
        raise NotReady(f"the gateway never said {event!r} {count} times: {self.process.says()}")

    def log_lines(self) -> int:
        """How many there are that tell of no call."""
        self.read_log()
        return len(self._lines)

    async def until_calls(self, count: int, seconds: float = 10.0) -> None:
        """The lines of so many calls are there, which come a moment after their ends. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(self.calls) < count:
                await asyncio.sleep(LOOK_EVERY)
                self.read_log()

    def forget_calls(self) -> None:
        """Or some minutes at thousands of calls a second fill the memory, and the disk."""
        self.read_log()
        self.calls.clear()

    async def metrics(self) -> str:
        return (await ask(self.port, get("/metrics"))).body.decode()

    async def metric(self, name: str, **labels: str) -> float:
        """The sum over all series with these labels."""
        families = text_string_to_metric_families(await self.metrics())
        samples = [sample for family in families for sample in family.samples if sample.name == f"gateway_{name}"]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    async def streams_held(self) -> int:
        """How many calls the store counts as running."""
        answer = await ask(self.port, get("/v1/key"))
        return int(answer.json["limits"]["concurrent_streams"]["used"])


@dataclass(frozen=True, slots=True)
class Place:
    """Where gateways are started. Upstreams answer what a model's name asks for, unless their script is replaced."""

    run: Run
    first: Simulator
    second: Simulator
    redis: str

    def config(self, settings: Settings) -> str:
        return _CONFIG.format(
            workers=settings.workers,
            server=settings.server,
            store=self.redis,
            of_store=settings.store,
            first=self.first.url,
            second=self.second.url,
            of_models=settings.models,
            streams=settings.streams,
            key=KEY,
        )

    @contextlib.asynccontextmanager
    async def gateway(self, settings: Settings, text: str = "") -> AsyncIterator[Serving]:
        """Once all its workers are ready; `text` is the configuration instead of the settings'. Raises NotReady."""
        file, log = self.run.folder / "routes.yaml", self.run.folder / "gateway.log"
        file.write_text(text or self.config(settings))
        words = [sys.executable, "-P", "-m", "gateway", "serve", "--config", str(file)]
        if settings.descriptors is not None:
            words = ["prlimit", f"--nofile={settings.descriptors}", *words]
        environ = {**self.run.environ, "PYTHONPATH": str(ROOT)}
        process = Process(Command(words, environ, log, frozenset(os.sched_getaffinity(0))), 0)
        serving = Serving(process, log, file)
        try:
            await serving.until("listening", settings.workers)
            if settings.workers > 1:
                await serving.until("worker ready", settings.workers)
            yield serving
        finally:
            await process.stop()


@contextlib.asynccontextmanager
async def place(run: Run) -> AsyncIterator[Place]:
    """Raises NotReady if Redis does not start."""
    core = min(os.sched_getaffinity(0))
    async with Simulator(name="first", remember=False) as first, Simulator(name="second", remember=False) as second:
        redis = start_redis(run.folder, run.environ, core)
        try:
            await redis.until(listens, STARTED_WITHIN)
            yield Place(run, first, second, f"redis://127.0.0.1:{redis.port}/0")
        finally:
            await redis.stop()


def rss_mb(pids: list[int]) -> float:
    """Resident memory of them all."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def descriptors(pids: list[int]) -> int:
    """How many file descriptors they have open."""
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
