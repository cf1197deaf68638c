"""All upstreams are down: hardly any request is tried at one, and it is over soon after they are back."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable

from gateway.simulator import Request, Simulator, Step, error_answer
from gateway.simulator.server import Script
from reliability.client import ask, post
from reliability.promise import Figure, Run, most
from reliability.serving import Place, Serving, Settings, place

PER_SECOND = 50
RECOVERED_WITHIN = 5.0
WATCHED = 8.0
ATTEMPTS = 1.1
DOCUMENTED = {"502", "503", "504"}


class Failing:
    """Answers 503 while it is `down`, and counts the requests that reach it."""

    def __init__(self, script: Script) -> None:
        self.down = False
        self.requests = 0
        self._script = script

    def __call__(self, request: Request) -> Iterable[Step]:
        self.requests += 1
        return error_answer(503, "Down.") if self.down else self._script(request)


class Calls:
    """So many a second, each on a connection of its own, whatever becomes of the others."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.statuses: Counter[str] = Counter()
        self.last_failure = 0.0

    async def run(self, seconds: float) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds * PER_SECOND)):
                await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
                group.create_task(self._call(number % 2 == 0), name=f"call {number}")

    async def _call(self, stream: bool) -> None:
        try:
            status = str((await ask(self._port, post("fast", stream=stream))).status)
        except (OSError, EOFError) as error:
            status = repr(error)
        self.statuses[status] += 1
        if status != "200":
            self.last_failure = time.monotonic()


async def outage(run: Run) -> list[Figure]:
    seconds = 5.0 if run.quick else 30.0
    figures: list[Figure] = []
    async with place(run) as here:
        async with here.gateway(Settings()) as gateway:
            figures += await _errors(here, gateway, seconds)
        async with here.gateway(Settings()) as gateway:
            figures += await _refused(here, gateway, seconds)
    return figures


async def _errors(here: Place, gateway: Serving, seconds: float) -> list[Figure]:
    """They answer, with 503; attempts are counted where they arrive."""
    scripts = [_failing(simulator) for simulator in (here.first, here.second)]
    await Calls(gateway.port).run(1.0)
    before = sum(script.requests for script in scripts)
    for script in scripts:
        script.down = True
    down = Calls(gateway.port)
    await down.run(seconds)
    attempts = sum(script.requests for script in scripts) - before
    for script in scripts:
        script.down = False
    return [*_told("answer 503", down, attempts), await _recovery("answer 503", gateway)]


async def _refused(here: Place, gateway: Serving, seconds: float) -> list[Figure]:
    """Nobody listens on their ports; the gateway counts its attempts."""
    await Calls(gateway.port).run(1.0)
    await asyncio.sleep(1.5)  # the counters of both workers are in their files
    before = await gateway.metric("attempts_total")
    ports = [simulator.port for simulator in (here.first, here.second)]
    await asyncio.gather(here.first.close(), here.second.close())
    down = Calls(gateway.port)
    await down.run(seconds)
    await asyncio.sleep(0.5)
    attempts = int(await gateway.metric("attempts_total") - before)
    for simulator, port in zip((here.first, here.second), ports, strict=True):
        await simulator.start(port=port)
    return [*_told("refuse connections", down, attempts), await _recovery("refuse connections", gateway)]


def _failing(simulator: Simulator) -> Failing:
    script = Failing(simulator.script)
    simulator.script = script
    return script


def _told(how: str, down: Calls, attempts: int) -> list[Figure]:
    requests = down.statuses.total()
    odd = sum(count for status, count in down.statuses.items() if status not in DOCUMENTED)
    return [
        most(f"upstreams {how}, {requests} requests: attempts per request", attempts / requests, ATTEMPTS, ""),
        Figure(f"upstreams {how}: requests not answered with 502, 503 or 504", str(odd), "0", odd == 0),
    ]


async def _recovery(how: str, gateway: Serving) -> Figure:
    back = time.monotonic()
    calls = Calls(gateway.port)
    await calls.run(WATCHED)
    late = max(0.0, calls.last_failure - back)
    return most(f"upstreams {how}, then are back: last failed request after", late, RECOVERED_WITHIN, "s")
