"""The instructions of a gateway, as valgrind's callgrind counts them: of all its threads, but not in the kernel."""

import asyncio
import contextlib
import re
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from statistics import median

from tests.counts.running import running, until_idle
from tests.processes.served import SERVE, Served

IDLE = 0.2
LOOKS = 5


class Callgrind:
    """A gateway that runs in it. `vgdb` talks to it through pipes, and may not use ptrace, which may be refused."""

    def __init__(self, served: Served, vgdb: str, folder: Path) -> None:
        self.served = served
        self._command = (vgdb, f"--pid={served.process.pid}", f"--vgdb-prefix={folder}/vgdb", "--max-invoke-ms=0")
        self._folder = folder
        self._dumps = 0
        self._dumped = 0.0
        self._by_second = 0.0

    async def begin(self, lines: int) -> None:
        """To count, when so many calls are logged; before this it runs several times as fast. The first thing to be
        counted is what an idle gateway costs: its timers tick all the time. What it does only now and then is left out.
        """
        await self.until_logged(lines)
        await self._tell("instrumentation", "on")
        await self._dump()
        idle: list[float] = []
        for _ in range(LOOKS):
            await asyncio.sleep(IDLE)
            total, seconds = await self._dump()
            idle.append(total / seconds)
        self._by_second = median(idle)

    async def cost(self, work: Awaitable[None], lines: int) -> float:
        """Of this work, until so many calls more are logged; less what an idle gateway costs in that time."""
        await self.reset()
        return await self.further_cost(work, lines)

    async def lowest(self, work: Callable[[], Awaitable[None]], lines: int, looks: int) -> float:
        """The lowest cost of so many looks: without the garbage collection, which comes now and then."""
        await self.reset()
        return min([await self.further_cost(work(), lines) for _ in range(looks)])

    async def reset(self) -> None:
        """What was done so far counts for nothing."""
        await self._dump()

    async def further_cost(self, work: Awaitable[None], lines: int) -> float:
        """As `cost`, of work that comes right behind other work that was counted, or a reset."""
        before = len(self.served.told("call"))
        await work
        await self.until_logged(before + lines)
        total, seconds = await self._dump()
        return total - self._by_second * seconds

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nothing is counted meanwhile, and it runs several times as fast."""
        await self._tell("instrumentation", "off")
        yield
        await self._tell("instrumentation", "on")

    async def until_logged(self, lines: int) -> None:
        """As many calls, since it was started."""
        while len(self.served.told("call")) < lines:
            await asyncio.sleep(0.002)
        await until_idle(self.served.process.pid)

    async def _dump(self) -> tuple[int, float]:
        """Instructions, and seconds, since the last one."""
        await self._tell("dump")
        now, before = time.monotonic(), self._dumped
        self._dumped = now
        self._dumps += 1
        text = (self._folder / f"callgrind.{self._dumps}").read_text()
        [total] = re.findall(r"^totals: (\d+)", text, re.MULTILINE)
        return int(total), now - before

    async def _tell(self, *words: str) -> None:
        process = await asyncio.create_subprocess_exec(*self._command, *words, stdout=DEVNULL, stderr=DEVNULL)
        assert await process.wait() == 0, words


@contextlib.asynccontextmanager
async def counted(valgrind: str, vgdb: str, folder: Path, routes: Path) -> AsyncIterator[Callgrind]:
    command = (
        valgrind,
        "--quiet",
        "--tool=callgrind",
        "--instr-atstart=no",
        f"--callgrind-out-file={folder}/callgrind",
        f"--vgdb-prefix={folder}/vgdb",
        sys.executable,
        *SERVE,
        str(routes),
    )
    async with running(*command, PYTHONHASHSEED="0") as served:
        yield Callgrind(served, vgdb, folder)
