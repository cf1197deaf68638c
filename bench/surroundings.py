"""What every measurement needs around it: the upstream, a Redis, a folder, and a core for the load."""

import asyncio
import contextlib
import gc
import os
import resource
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from bench.contestants import Place, redis_program, start_redis
from bench.process import listens
from bench.upstream import Script
from bench.wheel import Wheel
from gateway.simulator import Simulator

_DESCRIPTORS = 65_536


@contextlib.asynccontextmanager
async def surroundings(environ: Mapping[str, str]) -> AsyncIterator[tuple[Place, Script]]:
    """This process is the upstream and the clients, on the last core it may use; contestants get the first.

    Raises NotReady if Redis is installed and does not start.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    gc.collect()
    gc.freeze()
    gc.disable()  # between rounds only
    script = Script(Wheel(asyncio.get_running_loop()))
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(_folder())
        simulator = await stack.enter_async_context(Simulator(script, name="bench", remember=False))
        place = Place(folder, simulator.port, environ, cores[0], cores[-1])
        if redis_program():
            redis = start_redis(folder, environ, cores[-1])
            stack.push_async_callback(redis.stop)
            await redis.until(listens, 10)
            place = replace(place, redis=f"redis://127.0.0.1:{redis.port}/0")
        yield place, script


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker may be another user
        yield folder


def allow_descriptors() -> int:
    """As many as this process may have, for those it starts, too; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed
