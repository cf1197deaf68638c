"""SIGUSR2: all workers are replaced, one after another, and no client notices."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.catalogue import fault
from tests.processes.conftest import Configure
from tests.processes.crash import CRASHED
from tests.processes.load import Load
from tests.processes.served import SERVE, Served, started, until_gone


@pytest.fixture
def file(configure: Configure) -> Path:
    return configure()


@pytest.fixture
async def served(file: Path) -> AsyncIterator[Served]:
    async with started(*SERVE, str(file), workers=2) as served:
        yield served


@fault("P04")
async def test_p04_a_rolling_restart_under_load_fails_no_call_and_cuts_no_stream(served: Served) -> None:
    load = Load(served.port)
    running = asyncio.get_running_loop().create_task(load.run(16), name="load")
    before = served.pids
    for rounds in (1, 2):
        served.send(signal.SIGUSR2)
        await served.until("worker replaced", 2 * rounds)
    for pid in before:
        await until_gone(pid)
    load.stopped = True
    await running
    assert (load.failed, load.cut) == ([], 0)
    assert load.served > 100
    assert not set(before) & set(served.pids)
    assert served.told("worker died") == []
    assert {line["exit_code"] for line in served.told("worker ended")} == {0}
    served.send(signal.SIGINT)
    assert await served.ended() == 0


async def test_the_counters_of_replaced_workers_stay(served: Served) -> None:
    load = Load(served.port)
    running = asyncio.get_running_loop().create_task(load.run(8), name="load")
    served.send(signal.SIGUSR2)
    await served.until("worker replaced", 2)
    load.stopped = True
    await running
    await served.until("worker ended", 2)
    assert await served.counted("requests_total", load.served) == load.served
    async with asyncio.timeout(10):
        while await served.metric("active_streams"):  # which each worker writes down once a second
            await asyncio.sleep(0.05)


async def test_workers_are_replaced_while_the_file_is_gone(served: Served, file: Path) -> None:
    """By such that have what was valid last, also if nobody reloaded that: workers had only started with it."""
    add_line(file, "# newer")
    served.send(signal.SIGUSR2)
    await served.until("worker replaced", 2)
    take_away(file)
    served.send(signal.SIGUSR2)
    await served.until("worker replaced", 4)
    await served.until("listening", 6)
    versions = [line["config_version"] for line in served.told("listening")]
    assert versions[0] == versions[1] != versions[2]
    assert versions[2:] == [versions[2]] * 4
    async with asyncio.timeout(5):
        while await served.metric("config_last_reload_successful") != 0:
            await asyncio.sleep(0.02)
    faults = {line["detail"] for line in served.told("configuration fault")}
    assert faults == {f"{file}: cannot be read: No such file or directory"}
    assert served.told("worker not replaced") == []


def add_line(file: Path, text: str) -> None:
    with file.open("a") as end:
        end.write(f"{text}\n")


def take_away(file: Path) -> None:
    file.unlink()


async def test_a_worker_whose_successor_cannot_start_stays(file: Path) -> None:
    arguments = ("-m", "tests.processes.supervise", "--crash", "2", str(file))
    async with started(*arguments, workers=2) as served:
        served.send(signal.SIGUSR2)
        assert (await served.until("worker not replaced"))["exit_code"] == CRASHED
        assert len(served.told("worker started")) == 3
        assert (await served.get("/readyz")).status == 200
        assert served.told("draining") == []


async def test_it_may_be_told_to_end_while_it_replaces_workers(served: Served) -> None:
    served.send(signal.SIGUSR2)
    await served.until("worker started", 3)
    served.send(signal.SIGTERM)
    assert await served.ended() == 0
    assert len(served.told("worker ended")) == 3
