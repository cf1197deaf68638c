"""Streams that are larger than memory should be: the gateway holds little of them, whoever is slow."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httptools

from gateway.simulator import LAST_CHUNK, Request, Send, Step, chunked
from tests.catalogue import fault
from tests.faults.rig import Client, Rig, ask
from tests.faults.streams import CHUNKED_HEAD, DONE, STOP, content

MB = 2**20
GROWTH = 32 * MB

EVENT = content("x" * 8000)
COUNT = 8_000
PIECE = b"x" * (256 * 1024)
PIECES = 400


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Reader:
    """Takes a stream off its connection, and keeps of its payload only how much it was, its sum, and its end."""

    def __init__(self, client: Client) -> None:
        self.received = 0
        self.last = b""
        self.complete = False
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._sum = hashlib.sha256()
        self._parser = httptools.HttpResponseParser(self)

    def on_body(self, body: bytes) -> None:
        self.received += len(body)
        self._sum.update(body)
        self.last = body[-100:]

    def on_message_complete(self) -> None:
        self.complete = True

    @property
    def sum(self) -> str:
        return self._sum.hexdigest()

    async def take(self, least: int) -> bool:
        """So many bytes more, unless the connection ends: then False."""
        until = self.received + least
        async with asyncio.timeout(30):
            while self.received < until:
                data = await self._loop.sock_recv(self._client.socket, 256 * 1024)
                if not data:
                    return False
                self._parser.feed_data(data)
        return True


@fault("U48")
async def test_u48_a_fast_stream_waits_for_a_slow_client(rig: Rig) -> None:
    """64 MB, as fast as they are taken; the client pauses four times, until nothing more is sent to it."""
    sent = 0

    def flood(request: Request) -> Iterator[Step]:
        nonlocal sent
        yield CHUNKED_HEAD
        for _ in range(COUNT):
            sent += len(EVENT)
            yield Send(chunked(EVENT))
        yield Send(chunked(STOP) + chunked(DONE) + LAST_CHUNK)

    await rig.start()
    rig.first.script = flood
    client = rig.client(receive_buffer=65536)
    await client.send(ask("first/any"))
    reader = Reader(client)
    before, most = resident(), 0
    for _ in range(4):
        stood = -1
        while stood != sent:
            stood = sent
            await asyncio.sleep(0.02)
        most = max(most, resident() - before)
        assert sent - reader.received < 24 * MB, "on the way, in the sockets' buffers"
        await reader.take(8 * MB)
    assert not await reader.take(2**40)
    assert most < GROWTH
    assert reader.complete
    with rig.blocking():
        assert reader.sum == hashlib.sha256(EVENT * COUNT + STOP + DONE).hexdigest()
    assert (await rig.gateway.last_call())["outcome"] == "ok"


@fault("U37")
async def test_u37_a_line_without_end_is_passed_on_and_not_kept(rig: Rig) -> None:
    """100 MB of it."""

    def endless(request: Request) -> Iterator[Step]:
        yield CHUNKED_HEAD
        yield Send(chunked(content("a") + b"data: "))
        for _ in range(PIECES):
            yield Send(chunked(PIECE))
        yield Send(LAST_CHUNK)

    await rig.start()
    rig.first.script = endless
    client = rig.client()
    await client.send(ask("first/any"))
    reader, before = Reader(client), resident()
    assert not await reader.take(2**40)
    assert reader.received == len(content("a") + b"data: ") + PIECES * len(PIECE)
    assert resident() - before < GROWTH
    assert not reader.complete, "half an event is out: only the cut tells"
    assert reader.last == PIECE[-100:]
    call = await rig.gateway.last_call()
    assert (call["outcome"], call["code"]) == ("broken", "upstream_interrupted")
