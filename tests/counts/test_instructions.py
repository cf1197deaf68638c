"""Instructions of a plain call and of an event, with all that is done for them later: the log line, the metrics."""

from pathlib import Path

import pytest

from gateway.simulator import Simulator
from tests.counts.bounds import compare, instructions
from tests.counts.callgrind import counted
from tests.counts.calls import Client, Script, routes, written

WARM_UP = 60
SHORT, LONG = 20, 120
EVENTS = 1020


@pytest.mark.timeout(180)
async def test_instructions(valgrind: str, vgdb: str, tmp_path: Path, upstream: Simulator, script: Script) -> None:
    """The difference between two lengths, so that whatever does not grow with them cancels out."""
    file = written(tmp_path, routes(upstream.url))
    async with counted(valgrind, vgdb, tmp_path, file) as callgrind, Client.to(callgrind.served.port) as client:
        await client.plain(WARM_UP)
        await client.stream(script, WARM_UP)
        await callgrind.begin(WARM_UP + 1)
        few, many = [await callgrind.cost(client.plain(calls), calls) for calls in (SHORT, LONG)]
        short, long = [await callgrind.cost(client.stream(script, events), 1) for events in (SHORT, EVENTS)]
    measured = {"by plain call": (many - few) / (LONG - SHORT), "by event": (long - short) / (EVENTS - SHORT)}
    compare("instructions", measured, instructions())
