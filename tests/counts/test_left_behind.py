"""A call that has ended is forgotten: nothing is left to the garbage collector, and no memory is kept."""

import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

from gateway.simulator import Simulator
from tests.counts import bounds
from tests.counts.bounds import compare
from tests.counts.calls import Client, Script, routes, written
from tests.counts.running import running
from tests.processes.served import Served

WEIGHED = ("-m", "tests.counts.weighed")
ROUNDS = 6
CALLS, STREAMS = 500, 300
EVENTS = 1


async def left_behind(served: Served, run: Callable[[int], Awaitable[None]], calls: int) -> dict[str, float]:
    """By call. Of memory the least of all rounds: a leak is in each, pools and the wheel of timers fill in some."""
    weighed = []
    for number in range(ROUNDS):
        await run(calls)
        served.send(signal.SIGUSR1)
        weighed.append(await served.until("weighed", number + 1))
    cycles: Counter[str] = sum((Counter(each["cycles"]) for each in weighed[1:]), Counter())
    sys.stdout.write(f"in cycles: {dict(cycles)}\n")
    grown = min(after["blocks"] - before["blocks"] for before, after in pairwise(weighed))
    return {"objects in cycles": cycles.total() / (calls * (ROUNDS - 1)), "blocks": grown / calls}


async def test_by_plain_calls(tmp_path: Path, upstream: Simulator) -> None:
    command = (sys.executable, *WEIGHED, str(written(tmp_path, routes(upstream.url))))
    async with running(*command) as served, Client.to(served.port) as client:
        compare("left behind by a plain call", await left_behind(served, client.plain, CALLS), bounds.LEFT_BEHIND)


async def test_by_streams(tmp_path: Path, upstream: Simulator, script: Script) -> None:
    command = (sys.executable, *WEIGHED, str(written(tmp_path, routes(upstream.url))))
    async with running(*command) as served, Client.to(served.port) as client:

        async def streams(times: int) -> None:
            for _ in range(times):
                await client.stream(script, EVENTS)

        compare("left behind by a stream", await left_behind(served, streams, STREAMS), bounds.LEFT_BEHIND)
