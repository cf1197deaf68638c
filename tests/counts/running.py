"""`gateway serve`, started by a program that counts."""

import asyncio
import contextlib
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

from tests.processes.served import ROOT, Served


@contextlib.asynccontextmanager
async def running(*command: str, **environ: str) -> AsyncIterator[Served]:
    """Until it listens, however long that takes."""
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environ, stdout=PIPE)
    served = Served(process)
    try:
        while not served.told("listening"):
            assert process.returncode is None, f"{command} ended with {process.returncode}"
            await asyncio.sleep(0.02)
        yield served
    finally:
        await served.close()


async def until_idle(*pids: int) -> None:
    """Until all of these processes sleep, of which the first is woken by us and the others by one another.

    All their threads: under valgrind one of them runs at a time, and the others sleep meanwhile.
    """
    while not all(_is_asleep(pid) for pid in (*pids, *pids)):
        await asyncio.sleep(0.0005)


async def until_stopped(pid: int) -> None:
    while _state(pid) != "T":
        await asyncio.sleep(0.0005)


def _is_asleep(pid: int) -> bool:
    return all(_state(int(thread.name)) == "S" for thread in Path(f"/proc/{pid}/task").iterdir())


def _state(pid: int) -> str:
    """R runs, S sleeps, t is held by a debugger, T is stopped. A thread's, too."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
