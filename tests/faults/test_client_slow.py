"""Clients that take or send hardly anything: they get what they can take, wait for nothing, and hold nobody up."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.simulator import Request, Send, Step, chunked, event, sse_answer
from tests.catalogue import fault
from tests.e2e.raw import unchunked
from tests.faults.rig import LAST, Client, Rig, ask, until

EVENT = event({"choices": [{"index": 0, "delta": {"content": "x" * 8000}, "finish_reason": None}]})
DONE = b"data: [DONE]\n\n"
HELD_BY_SOCKETS = 16_000_000  # what the two connections on the way take without anybody reading, at most


class Flood:
    """A stream of so many events, as fast as it is read; `sent` counts its bytes."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.sent = 0

    def __call__(self, request: Request) -> Iterator[Step]:
        yield sse_answer([])[0]
        for _ in range(self.events):
            self.sent += len(EVENT)
            yield Send(chunked(EVENT))
        yield Send(chunked(DONE) + b"0\r\n\r\n")

    @property
    def payload(self) -> bytes:
        return EVENT * self.events + DONE


@fault("C05")
async def test_c05_a_client_that_reads_a_kilobyte_at_a_time_gets_all_of_it_or_a_cut(rig: Rig) -> None:
    """A cut is seen: what came is the stream as far as it went, the error event at most, and no terminal chunk."""
    await rig.start(server="write_timeout: 500ms")
    rig.first.script = flood = Flood(150)
    client = rig.client(receive_buffer=4096)
    await client.send(ask("first/a"))
    loop = asyncio.get_running_loop()
    while not rig.gateway.calls():
        client.seen += await loop.sock_recv(client.socket, 1024)
        await asyncio.sleep(0.002)
    with contextlib.suppress(ConnectionResetError):
        await client.rest()
    [call] = rig.gateway.calls()
    payload, complete = unchunked(bytes(client.seen).partition(b"\r\n\r\n")[2])
    assert complete == (call["outcome"] == "ok")
    assert call["outcome"] in ("ok", "client_gone")
    begun, error, _ = payload.partition(b'data: {"error"')
    assert not (complete and error)
    whole = flood.payload
    assert whole[: len(begun)] == begun, f"{len(begun)} bytes are not those that were sent"
    assert len(begun) == len(whole) or not complete


@fault("C05")
async def test_c05_a_client_that_reads_slowly_but_steadily_is_not_cut(rig: Rig) -> None:
    """The whole takes longer than its `write_timeout`."""
    await rig.start(server="write_timeout: 1500ms")
    rig.first.script = flood = Flood(1_500)
    client = rig.client(receive_buffer=65_536)
    await client.send(ask("first/a"))
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(client.socket, 131_072):
        client.seen += data
        await asyncio.sleep(0.02)
    with rig.blocking():
        assert unchunked(bytes(client.seen).partition(b"\r\n\r\n")[2]) == (flood.payload, True)
    call = await rig.gateway.last_call()
    assert call["outcome"] == "ok"
    assert call["total_ms"] > 1_500


@fault("C06")
async def test_c06_clients_that_stop_reading_are_cut_and_hold_nothing(rig: Rig) -> None:
    """The upstream was held back until then, and is left. Clients are looked at four times in a `write_timeout`."""
    await rig.start(server="write_timeout: 400ms")
    rig.first.script = flood = Flood(100_000)
    clients = [rig.client(receive_buffer=4096) for _ in range(4)]
    for client in clients:
        await client.send(ask("first/a"))
        await client.until(b"x" * 1000)
    await rig.gateway.last_call(len(clients))
    calls = rig.gateway.calls()
    assert {(call["outcome"], call["status"], call["code"]) for call in calls} == {
        ("client_gone", 499, "client_stalled")
    }
    assert flood.sent < len(clients) * HELD_BY_SOCKETS
    for request in rig.first.requests:
        async with asyncio.timeout(5):
            assert (await rig.first.until_left(request)).by_peer
    await rig.check_quiet()
    for client in clients:
        seen = bytes(client.seen) + await _what_is_left(client)
        assert not unchunked(seen.partition(b"\r\n\r\n")[2])[1]


async def _what_is_left(client: Client) -> bytes:
    """A cut whose bytes the client never read may be a reset, which takes them along."""
    try:
        return (await client.rest())[0]
    except ConnectionResetError:
        return b""


@contextlib.asynccontextmanager
async def dripping(clients: list[Client], drip: bytes) -> AsyncIterator[None]:
    """Each of them, connected, sends that, again and again, until its connection ends."""
    loop = asyncio.get_running_loop()

    async def drip_on(client: Client) -> None:
        with contextlib.suppress(OSError):
            while True:
                await loop.sock_sendall(client.socket, drip)
                await asyncio.sleep(0.02)

    tasks = [loop.create_task(drip_on(client), name="drip") for client in clients]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@fault("C07")
async def test_c07_heads_that_come_line_by_line_are_cut_and_others_are_served_meanwhile(rig: Rig) -> None:
    """`header_timeout` is for the whole head, whatever comes of it meanwhile. None of them is a request."""
    await rig.start(server="header_timeout: 500ms")
    slow = [rig.client() for _ in range(200)]
    for client in slow:
        await client.send(b"POST /v1/chat/completions HTTP/1.1\r\n")
    async with dripping(slow, b"X-Line: a\r\n"):
        good = [await rig.ask("first/a") for _ in range(20)]
        ends = [await client.rest() for client in slow]
    assert [answer.status for answer in good] == [200] * 20
    assert {seen for seen, _ in ends} == {b""}
    assert len(rig.gateway.calls()) == len(good)


@fault("C08")
@pytest.mark.parametrize("drip", [b"", b" "], ids=["nothing", "byte by byte"])
async def test_c08_a_body_that_does_not_come_in_time_is_refused_and_its_connection_closed(
    rig: Rig, drip: bytes
) -> None:
    await rig.start(server="body_timeout: 300ms")
    whole = ask("first/a", headers="")
    length = len(whole.partition(b"\r\n\r\n")[2])
    client = rig.client()
    await client.send(re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % (length + 10_000), whole))
    async with dripping([client], drip):
        answer = await client.answer()
    assert (answer.error, answer.end) == ((408, "request_timeout"), "fin")
    assert answer.header("connection") == "close"
    call = await rig.gateway.last_call()
    assert (call["outcome"], call["status"], call["code"]) == ("refused", 408, "request_timeout")
    assert not rig.first.requests
    assert rig.metric("client_disconnects_total", phase="before") == 0


@fault("C08")
async def test_c08_a_slow_body_that_is_whole_in_time_is_served(rig: Rig) -> None:
    await rig.start(server="body_timeout: 10s")
    client = rig.client()
    request = ask("first/a", headers=LAST)
    for at in range(0, len(request), 16):
        await client.send(request[at : at + 16])
        await asyncio.sleep(0)
    assert (await client.answer()).status == 200
    await until(rig.gateway.calls, "no call")
