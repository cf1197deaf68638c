"""/healthz answers in time while the gateway is saturated, and while thousands of clients connect and say nothing."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from bench.contestants import ROOT
from bench.surroundings import allow_descriptors
from reliability.client import Client, ask, get, post
from reliability.load import Load
from reliability.promise import Figure, Run, most, none
from reliability.serving import Place, Serving, Settings, place

CLIENTS = 64
SILENT = 5_000
FEW_DESCRIPTORS = 4_096
STREAMS = 20
LONG = "first/sim-20tps-10000tok"
HEADER_TIMEOUT = 10
P95_MS = 100.0
RECOVERED_WITHIN = 5.0


async def liveness(run: Run) -> list[Figure]:
    allow_descriptors()
    seconds = 5.0 if run.quick else 30.0
    async with place(run) as here:
        async with here.gateway(Settings(server=", header_timeout: 300s")) as gateway:
            figures = [await _saturated(run, gateway, seconds), await _beside_silence(run, gateway, seconds)]
        return [*figures, *await _without_descriptors(here)]


async def _saturated(run: Run, gateway: Serving, seconds: float) -> Figure:
    load = Load(gateway.port, "first/small")
    async with load.running(CLIENTS):
        await load.until(CLIENTS)
        p95 = await _probed(run, gateway, seconds)
    return most(f"/healthz p95, {CLIENTS} clients in closed loops", p95, P95_MS, "ms")


async def _beside_silence(run: Run, gateway: Serving, seconds: float) -> Figure:
    async with silence(gateway, SILENT):
        p95 = await _probed(run, gateway, seconds)
    return most(f"/healthz p95, {SILENT:,} silent connections", p95, P95_MS, "ms")


async def _without_descriptors(here: Place) -> list[Figure]:
    """One worker, fewer descriptors than connections: streams go on, and it is over when the silent ones are cut."""
    settings = Settings(workers=1, server=f", header_timeout: {HEADER_TIMEOUT}s", descriptors=FEW_DESCRIPTORS)
    async with here.gateway(settings) as gateway:
        streams = [Client(gateway.port) for _ in range(STREAMS)]
        readers = [(await client.send(post(LONG, stream=True)))[0] for client in streams]
        for reader in readers:
            await reader.readuntil(b'"content":')
        async with silence(gateway, SILENT):
            for reader in readers:
                await _events(reader, 40)
            lost = sum(reader.at_eof() for reader in readers)
            recovered = await _recovered(gateway)
            await asyncio.gather(*(_events(reader, 10) for reader in readers))
        lines = gateway.log_lines()
        alive = gateway.process.alive
        for client in streams:
            client.leave()
    what = f"{SILENT:,} silent connections, {FEW_DESCRIPTORS:,} descriptors"
    return [
        none(f"{what}: streams cut", lost, str(STREAMS)),
        Figure(f"{what}: crashed", "no" if alive else "yes", "no", alive),
        Figure(f"{what}: log lines", str(lines), "at most 100", lines <= 100),
        most(f"{what}: served again after", recovered, HEADER_TIMEOUT + RECOVERED_WITHIN, "s"),
    ]


async def _events(reader: asyncio.StreamReader, count: int) -> None:
    """Raises IncompleteReadError if the stream ends, TimeoutError if it stands still."""
    async with asyncio.timeout(10):
        for _ in range(count):
            await reader.readuntil(b'"content":')


async def _recovered(gateway: Serving) -> float:
    """Seconds from now until twenty calls in a row are answered."""
    loop = asyncio.get_running_loop()
    began, good, since = loop.time(), 0, loop.time()
    while good < 20 and loop.time() - began < 60:
        if not good:
            since = loop.time()
        try:
            async with asyncio.timeout(1):
                good = good + 1 if (await ask(gateway.port, get("/healthz"))).status == 200 else 0
        except (OSError, EOFError, TimeoutError):
            good = 0
            await asyncio.sleep(0.05)
    return since - began


@contextlib.asynccontextmanager
async def silence(gateway: Serving, count: int) -> AsyncIterator[None]:
    """So many connections that say nothing."""
    loop = asyncio.get_running_loop()
    opened: list[asyncio.Transport] = []
    try:
        for _ in range(count):
            transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", gateway.port)
            opened.append(transport)
        yield
    finally:
        for transport in opened:
            transport.abort()


async def _probed(run: Run, gateway: Serving, seconds: float) -> float:
    words = ["-m", "reliability.probe", str(gateway.port), str(seconds)]
    environ = {**run.environ, "PYTHONPATH": str(ROOT)}
    probe = await asyncio.create_subprocess_exec(sys.executable, *words, env=environ, stdout=asyncio.subprocess.PIPE)
    said, _ = await probe.communicate()
    return float(said)
