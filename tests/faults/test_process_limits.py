"""What the kernel grants a process runs out: descriptors, memory, the queue of new connections."""

import asyncio
import resource
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.app import App
from gateway.config.load import parse
from gateway.edge.server import BACKLOG
from gateway.observe.logs import LineWriter
from tests.catalogue import fault
from tests.e2e.conftest import closed_sockets
from tests.e2e.raw import RawClient, chat, post
from tests.processes.served import SERVE, Served, started
from tests.simulator.wire import Parsed

__all__ = ["closed_sockets"]

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
DESCRIPTORS = 64
MEMORY = 256 << 20
MEGABYTE = 1 << 20
ESTABLISHED, SYN_SENT = 1, 2  # linux/tcp_states.h


@pytest.fixture
async def served(two_upstreams: str, tmp_path: Path) -> AsyncIterator[Served]:
    file = tmp_path / "routes.yaml"
    file.write_text(two_upstreams.replace('"127.0.0.1:0"', '"127.0.0.1:0", max_body_bytes: 1MiB'))
    async with started(*SERVE, str(file), workers=1) as served:
        yield served


async def call(port: int, **fields: object) -> Parsed:
    client = RawClient(port)
    await client.send(post(chat("first/small", stream=False, **fields), headers="Connection: close\r\n"))
    return Parsed((await client.rest())[0])


def open_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def ask(client: RawClient) -> str:
    """Whether it was answered, or its connection closed."""
    try:
        await client.send(GET)
        return "answered" if b"ok\n" in await client.until(b"ok\n") else ""
    except (ConnectionError, AssertionError):
        return "closed"


@fault("P06")
async def test_p06_without_descriptors_new_connections_are_closed_and_those_there_go_on(served: Served) -> None:
    """At once, so that a client tries another gateway, and without a word in the log."""
    pid = served.process.pid
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    clients = [RawClient(served.port) for _ in range(2 * DESCRIPTORS)]
    outcomes = [await ask(client) for client in clients]
    answered = [client for client, what in zip(clients, outcomes, strict=True) if what == "answered"]
    assert DESCRIPTORS // 2 < len(answered) < DESCRIPTORS
    assert set(outcomes) == {"answered", "closed"}
    assert open_descriptors(pid) >= DESCRIPTORS - 1
    assert await ask(answered[0]) == "answered"
    await answered[0].send(post(chat("first/small", stream=False)))
    refused = Parsed(await answered[0].until(b"}}"))
    assert (refused.status, refused.json["error"]["code"]) == (502, "upstream_unreachable")  # type: ignore[index]
    for client in answered:
        client.leave()
    async with asyncio.timeout(5):
        while open_descriptors(pid) > DESCRIPTORS // 2:
            await asyncio.sleep(0.01)
    assert [(await call(served.port)).status for _ in range(20)] == [200] * 20
    await served.until("call", 21)
    assert {line["event"] for line in served.lines} == {"listening", "call"}


@fault("P07")
async def test_p07_bodies_as_many_and_as_large_as_there_is_memory_for_kill_nobody(served: Served) -> None:
    """Three times `max_body_bytes` for each call under way, beside what the process has anyway (docs/operations.md)."""
    pid = served.process.pid
    resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))
    within, over = "x" * (MEGABYTE - 1024), "x" * (MEGABYTE + 1024)
    answers = await asyncio.gather(*(call(served.port, padding=text) for text in (within, over) for _ in range(24)))
    assert [answer.status for answer in answers] == [200] * 24 + [413] * 24
    assert (await call(served.port)).status == 200
    assert served.process.returncode is None
    await served.until("call", len(answers) + 1)
    assert {line["event"] for line in served.lines} == {"listening", "call"}


def tcp_state(client: RawClient) -> int:
    return client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def queue_length(listener: socket.socket) -> int:
    """How many connections the kernel queues for it: `tcpi_sacked` of a listener (tcp(7), TCP_INFO)."""
    length: int = struct.unpack_from("I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32), 28)[0]
    return length


def most_queued() -> int:
    return int(Path("/proc/sys/net/core/somaxconn").read_text())


@fault("P14")
async def test_p14_a_client_whose_connection_found_the_queue_full_tries_again_and_is_served(
    two_upstreams: str, lines: list[bytes]
) -> None:
    """The kernel drops its SYN, and sends it again after a second; a reset, or a 5xx, would end it."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        listener.setblocking(False)
        clients = [RawClient(listener.getsockname()[1]) for _ in range(8)]
        asking = [loop.create_task(ask(client), name="client") for client in clients]
        async with asyncio.timeout(5):
            while {tcp_state(client) for client in clients} != {ESTABLISHED, SYN_SENT}:
                await asyncio.sleep(0.01)
        app = App(parse(two_upstreams.encode(), "f", {}), LineWriter(lines.append))
        await app.start(listener)
        assert await asyncio.gather(*asking) == ["answered"] * 8
        assert queue_length(listener) == min(BACKLOG, most_queued())
        await app.stop(0.0)
