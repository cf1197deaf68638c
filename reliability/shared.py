"""A Redis that is frozen, killed and started again while gateways run on it."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator

from bench.contestants import redis_program
from bench.process import Command, Process, free_port, listens
from gateway.simulator import Simulator
from reliability.promise import Run
from reliability.serving import STARTED_WITHIN, Place


class Redis:
    """Always on the same port. Killed, it keeps nothing."""

    def __init__(self, run: Run) -> None:
        self.port = free_port()
        self._run = run
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Raises NotReady."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "dir": str(self._run.folder)}
        words = [
            redis_program() or "redis-server",
            *(word for name in options for word in (f"--{name}", options[name])),
        ]
        log, cores = self._run.folder / "redis.log", frozenset(os.sched_getaffinity(0))
        self._process = Process(Command(words, self._run.environ, log, cores), self.port)
        await self._process.until(listens, STARTED_WITHIN)

    async def stop(self) -> None:
        if self._process is not None:
            self.thaw()
            await self._process.stop()

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def freeze(self) -> None:
        """It accepts connections, and answers nobody."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.alive:
            os.kill(self._process.pids()[0], number)


@contextlib.asynccontextmanager
async def place_of_one_redis(run: Run) -> AsyncIterator[tuple[Place, Redis]]:
    """As `serving.place`. Raises NotReady if Redis does not start."""
    redis = Redis(run)
    async with Simulator(name="first", remember=False) as first, Simulator(name="second", remember=False) as second:
        await redis.start()
        try:
            yield Place(run, first, second, redis.url), redis
        finally:
            await redis.stop()
