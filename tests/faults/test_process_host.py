"""The host runs out of disk or ports, or lets nothing be written at all; each in a namespace of its own."""

import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.process import free_port
from tests.catalogue import fault, unable
from tests.conftest import KEY
from tests.e2e.conftest import closed_sockets
from tests.e2e.raw import RawClient, chat, post
from tests.faults.namespace import MOUNTS, NETWORK, unshared
from tests.processes.conftest import Configure, configure, redis
from tests.processes.served import ROOT, total
from tests.simulator.wire import Parsed

__all__ = ["closed_sockets", "configure", "redis"]

NEEDS = "needs root, or user namespaces"
SERVE = 'exec "$0" -m gateway serve --config "$1" --listen "$2"'
# Everything is on these file systems: a container with a read-only root has the last one as a tmpfs of its own.
READ_ONLY = 'for at in / /tmp "$3"; do mountpoint -q "$at" && { mount -o remount,bind,ro "$at" || exit 1; }; done'
FULL = 64


@contextlib.asynccontextmanager
async def serving(script: str, file: Path, *words: str) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """The port of a gateway that the script, which knows file, address and words as $1 …, has become; once ready."""
    inside, port = unshared(MOUNTS), free_port()
    assert inside is not None
    process = await asyncio.create_subprocess_exec(
        *(*inside, "sh", "-c", script, sys.executable, str(file), f"127.0.0.1:{port}", *words),
        cwd=ROOT, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdout=DEVNULL, stderr=PIPE,
    )  # fmt: skip
    try:
        await until_ready(process, port)
        yield port, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await process.wait()


async def until_ready(process: asyncio.subprocess.Process, port: int) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(15):
        while True:
            assert process.returncode is None, (await process.stderr.read()).decode()
            with contextlib.suppress(OSError):
                if (await answer(port, get("/readyz"))).status == 200:
                    return
            await asyncio.sleep(0.02)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {KEY}\r\nConnection: close\r\n\r\n".encode()


async def answer(port: int, request: bytes) -> Parsed:
    client = RawClient(port)
    await client.send(request)
    return Parsed((await client.rest())[0])


async def call(port: int, model: str = "first/small") -> int:
    return (await answer(port, post(chat(model, stream=False), headers="Connection: close\r\n"))).status


async def metric(port: int, name: str) -> float:
    return total((await answer(port, get("/metrics"))).body, name)


@pytest.fixture
def file(two_upstreams: str, tmp_path: Path) -> Path:
    file = tmp_path / "routes.yaml"
    file.write_text(two_upstreams)
    return file


@fault("P08")
async def test_p08_a_disk_that_is_full_of_log_costs_lines_which_are_counted_and_no_call(
    request: pytest.FixtureRequest, file: Path, tmp_path: Path
) -> None:
    if unshared(MOUNTS) is None:
        unable(request, "P08", NEEDS)
        return
    (logs := tmp_path / "logs").mkdir()
    script = f'mount -t tmpfs -o size={FULL}k none "$3" && {SERVE} >"$3/log"'
    async with serving(script, file, str(logs)) as (port, _):
        async with asyncio.timeout(15):
            while not await metric(port, "log_lines_dropped_total"):
                assert [await call(port) for _ in range(20)] == [200] * 20
        assert await metric(port, "requests_total") >= FULL * 1024 / 1000, "a line is no longer than that"


@fault("P08")
async def test_p08_a_disk_that_is_full_of_metrics_costs_no_call_and_what_was_counted_is_told_once_there_is_room(
    request: pytest.FixtureRequest, configure: Configure, tmp_path: Path
) -> None:
    """Metrics are files that are written as memory: where the disk has no room for a page, that would be a SIGBUS."""
    if unshared(MOUNTS) is None:
        unable(request, "P08", NEEDS)
        return
    script = f'mount -t tmpfs -o size=20m none /dev/shm && {SERVE} >"$3"'
    file, log = configure(), tmp_path / "log"
    models = "".join(f"  m{number}: {{upstream: first}}\n" for number in range(40))
    file.write_text(file.read_text().replace("\nmodels:\n", f"\nmodels:\n{models}"))
    async with serving(script, file, str(log)) as (port, process):
        async with asyncio.timeout(15):
            while log.read_text().count('"event":"worker ready"') < 2:
                await asyncio.sleep(0.02)
        assert await call(port) == 200
        shared = Path(f"/proc/{process.pid}/root/dev/shm")
        with contextlib.suppress(OSError), (shared / "rest").open("wb", buffering=0) as rest:
            while True:
                rest.write(b"x" * 4096)
        for _ in range(3):
            assert [await call(port, f"m{number}") for number in range(40)] == [200] * 40
        assert await metric(port, "worker_restarts_total") == 0
        (shared / "rest").unlink()
        async with asyncio.timeout(10):
            while await metric(port, "requests_total") < 121:
                assert [await call(port, f"m{number}") for number in range(40)] == [200] * 40
        assert await metric(port, "worker_restarts_total") == 0


@fault("P18")
@pytest.mark.parametrize("workers", [1, 2])
async def test_p18_it_starts_and_serves_where_nothing_can_be_written(
    request: pytest.FixtureRequest, configure: Configure, tmp_path: Path, workers: int
) -> None:
    """Two workers share files in /dev/shm, which is a tmpfs also in a container whose root can't be written."""
    if unshared(MOUNTS) is None:
        unable(request, "P18", NEEDS)
        return
    no_writing = f'{READ_ONLY}; touch "$3/x" || touch /x || touch x || '
    script = no_writing + ("" if workers == 1 else "mount -t tmpfs none /dev/shm && ") + SERVE
    async with serving(script, configure(workers=workers), str(tmp_path)) as (port, _):
        assert [await call(port) for _ in range(5)] == [200] * 5
        async with asyncio.timeout(5):
            while await metric(port, "requests_total") < 5:
                await asyncio.sleep(0.02)


@fault("P13")
def test_p13_without_a_free_port_a_call_is_a_502_and_those_there_go_on(request: pytest.FixtureRequest) -> None:
    inside = unshared(NETWORK)
    if inside is None or shutil.which("ip") is None:
        unable(request, "P13", NEEDS)
        return
    ran = subprocess.run(
        [*inside, sys.executable, "-m", "tests.faults.scarce_ports"],
        cwd=ROOT, capture_output=True, timeout=40, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr.decode()
    seen = json.loads(ran.stdout)
    assert seen["without"] == [[502, "upstream_unreachable"]] * 3
    assert all(seen["whole"])
    assert seen["after"] == [[200, None]] * len(seen["whole"])
