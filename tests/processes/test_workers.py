"""Several workers behind one port: they share it, and what happens to one is nothing to the others."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.catalogue import fault
from tests.e2e.raw import RawClient, chat, post, unchunked
from tests.processes.conftest import Configure
from tests.processes.load import Load
from tests.processes.served import SERVE, Served, sockets_of, started, total, until_gone

STREAM = "first/sim-50tps-75tok"


@pytest.fixture
async def served(configure: Configure) -> AsyncIterator[Served]:
    async with started(*SERVE, str(configure()), workers=2) as served:
        yield served


async def open_streams(served: Served, count: int) -> list[tuple[RawClient, bytes]]:
    """All of them have sent their first event."""
    clients = [RawClient(served.port) for _ in range(count)]
    for client in clients:
        await client.send(post(chat(STREAM), headers="Connection: close\r\n"))
    return [(client, await client.until(b'"delta":{"content":')) for client in clients]


async def payload_of(client: RawClient, begun: bytes) -> tuple[bytes, bool]:
    """What came in all, and whether it was complete."""
    rest, _ = await client.rest()
    return unchunked((begun + rest).partition(b"\r\n\r\n")[2])


async def test_connections_are_spread_over_all_workers(served: Served) -> None:
    before = [sockets_of(pid) for pid in served.pids]
    clients = [RawClient(served.port) for _ in range(40)]
    for client in clients:
        await client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.until(b"ok\n")
    taken = [sockets_of(pid) - count for pid, count in zip(served.pids, before, strict=True)]
    assert {line["pid"] for line in served.told("listening")} == set(served.pids), "each says which one it is"
    assert sum(taken) == 40
    assert min(taken) >= 5


@fault("P01")
async def test_p01_a_killed_worker_cuts_its_own_streams_only_and_is_restarted_within_a_second(served: Served) -> None:
    victim, other = served.pids
    before = sockets_of(victim)
    streams = await open_streams(served, 20)
    its_own = (sockets_of(victim) - before) // 2  # each has one to its client and one to the upstream
    os.kill(victim, signal.SIGKILL)
    payloads = [await payload_of(client, begun) for client, begun in streams]
    cut = [payload for payload, complete in payloads if not complete]
    assert 0 < len(cut) == its_own < 20
    assert not any(b"[DONE]" in payload or b'"error"' in payload for payload in cut)
    assert all(payload.endswith(b"data: [DONE]\n\n") for payload, complete in payloads if complete)
    died = await served.until("worker died")
    assert (died["slot"], died["pid"], died["signal"]) == (0, victim, "SIGKILL")
    assert died["restart_in"] <= 1.0
    await served.until("listening", 3)
    assert served.pids[0] != victim
    assert served.pids[1] == other
    assert await served.metric("worker_restarts_total", reason="died") == 1


async def test_counters_go_on_where_a_killed_worker_left_them_and_its_gauges_go(served: Served) -> None:
    streams = await open_streams(served, 8)
    async with asyncio.timeout(5):
        while await served.metric("active_streams") != 8:
            await asyncio.sleep(0.05)
    for client, begun in streams:
        await payload_of(client, begun)
    assert await served.counted("requests_total", 8) == 8
    for pid in served.pids:
        os.kill(pid, signal.SIGKILL)
    await served.until("listening", 4)
    assert await served.metric("requests_total") == 8
    assert await served.metric("active_streams") == 0
    await payload_of(*(await open_streams(served, 1))[0])
    assert await served.counted("requests_total", 9) == 9


async def test_metrics_are_of_all_workers_and_whole_while_calls_run(served: Served) -> None:
    load = Load(served.port, "first/small")
    running = asyncio.get_running_loop().create_task(load.run(8), name="load")
    counts: list[float] = []
    while len(counts) < 25:
        answer = await served.get("/metrics")
        assert answer.status == 200
        counts.append(total(answer.body, "requests_total"))
    load.stopped = True
    await running
    assert (load.failed, load.cut) == ([], 0)
    assert counts == sorted(counts)
    assert await served.counted("requests_total", load.served) == load.served
    assert await served.metric("event_loop_lag_seconds_count") > 0
    assert await served.metric("build_info") == 1


@fault("P05")
async def test_p05_when_the_parent_is_killed_the_workers_drain_and_the_port_is_free(served: Served) -> None:
    streams = await open_streams(served, 4)
    port, pids = served.port, served.pids
    served.process.kill()
    for client, begun in streams:
        payload, complete = await payload_of(client, begun)
        assert (payload.endswith(b"data: [DONE]\n\n"), complete) == (True, True)
    for pid in pids:
        await until_gone(pid)
    assert await served.process.wait() == -signal.SIGKILL
    with free_at(port):
        pass


def free_at(port: int) -> socket.socket:
    """Without sharing: it raises if anybody listens."""
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", port))
    return probe


@fault("P02")
async def test_p02_a_stuck_worker_is_killed_and_restarted(configure: Configure) -> None:
    arguments = ("-m", "tests.processes.supervise", "--stuck-after", "2.5", str(configure()))
    async with started(*arguments, workers=2) as served:
        stuck, other = served.pids
        os.kill(stuck, signal.SIGSTOP)
        assert (await served.until("worker stuck"))["pid"] == stuck
        assert (await served.until("worker died"))["signal"] == "SIGKILL"
        await served.until("listening", 3)
        assert served.pids[1] == other
        assert await served.metric("worker_restarts_total", reason="stuck") == 1
        load = Load(served.port, "first/small")
        running = asyncio.get_running_loop().create_task(load.run(8), name="load")
        async with asyncio.timeout(5):
            while load.served < 16:
                await asyncio.sleep(0.01)
        load.stopped = True
        await running
        assert load.failed == []


@fault("P16")
async def test_p16_a_worker_that_dies_at_every_start_is_tried_less_and_less_often(configure: Configure) -> None:
    arguments = ("-m", "tests.processes.supervise", "--crash", "1", str(configure()))
    async with started(*arguments, workers=1) as served:
        first = served.pids[0]
        delays = [(await served.until("worker died", count))["restart_in"] for count in (1, 2, 3)]
        assert [low <= delay <= 2 * low for low, delay in zip((0.5, 1.0, 2.0), delays, strict=True)] == [True] * 3
        # its listener is closed meanwhile, so nobody waits there
        for _ in range(20):
            assert (await served.get("/healthz")).status == 200
        assert served.pids[0] == first
        assert await served.metric("worker_restarts_total", reason="start") == 3


async def test_a_fault_that_only_workers_meet_ends_the_gateway_with_its_exit_code(configure: Configure) -> None:
    arguments = ("-m", "tests.processes.supervise", "--crash", "0", str(configure()))
    async with started(*arguments, workers=0) as served:
        assert await served.ended() == 7
        assert len(served.told("worker started")) == 1
        assert served.told("no worker can start")[0]["exit_code"] == 7


async def test_a_port_that_is_taken_is_told_although_workers_could_share_it(
    served: Served, configure: Configure
) -> None:
    file = str(configure(listen=f"127.0.0.1:{served.port}"))
    async with started(*SERVE, file, workers=0) as second:
        assert await second.ended() == 1
        assert second.process.stderr is not None
        assert await second.process.stderr.read() == b"gateway: cannot serve: Address already in use\n"


async def test_a_worker_that_somebody_tells_to_end_is_replaced_while_it_drains(served: Served) -> None:
    streams = await open_streams(served, 8)
    leaver = served.pids[0]
    os.kill(leaver, signal.SIGTERM)
    await served.until("worker leaves")
    await served.until("listening", 3)
    for client, begun in streams:
        payload, complete = await payload_of(client, begun)
        assert (payload.endswith(b"data: [DONE]\n\n"), complete) == (True, True)
    assert (await served.until("worker ended"))["pid"] == leaver
    assert served.told("worker died") == []


async def test_killed_workers_are_back_with_what_was_valid_last_while_the_file_has_faults(
    configure: Configure,
) -> None:
    file = configure()
    valid = file.read_text()
    async with started(*SERVE, str(file), workers=2) as served:
        (version,) = {line["config_version"] for line in served.told("listening")}
        file.write_text("nonsense: true\n")
        for pid in served.pids:
            os.kill(pid, signal.SIGKILL)
        await served.until("worker ready", 4)
        answers = [await served.get("/v1/models") for _ in range(6)]
        assert {(answer.status, answer.headers[b"x-gateway-config-version"]) for answer in answers} == {
            (200, version.encode())
        }
        await served.until("configuration refused", 2)
        assert str(served.told("configuration fault")[0]["detail"]).startswith(f"{file}:1:1 ")
        assert await served.metric("config_last_reload_successful") == 0
        file.write_text(valid + "# repaired\n")
        served.send(signal.SIGHUP)
        await served.until("configuration reloaded", 2)
        assert await served.metric("config_last_reload_successful") == 1
        assert len(served.told("configuration refused")) == 2


async def test_the_files_that_workers_share_are_private_and_gone_at_the_end(configure: Configure) -> None:
    file = configure()
    async with started(*SERVE, str(file), workers=2) as served:
        folder = folder_of(served.pids[0])
        assert folder.stat().st_mode & 0o777 == 0o700
        counters = {path.name for path in folder.glob("counter_*")}
        assert counters == {"counter_0.db", "counter_1.db", "counter_supervisor.db"}
        kept = folder / "routes.yaml"
        assert (kept.stat().st_mode & 0o777, kept.read_text()) == (0o600, file.read_text())
        served.send(signal.SIGINT)
        assert await served.ended() == 0
    assert not folder.exists()


def folder_of(pid: int) -> Path:
    variables = dict(entry.partition("=")[::2] for entry in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return Path(variables["PROMETHEUS_MULTIPROC_DIR"])
