"""Clients that read slowly, or not at all: what waits for them waits at the upstream, not in memory."""

import asyncio
import contextlib
import hashlib
import socket
import time
from collections.abc import AsyncIterator, Iterator

from gateway.simulator import LAST_CHUNK, Gate, Request, Send, Step, Wait, chunked, head
from reliability.client import Answer, post
from reliability.promise import Figure, Run, most
from reliability.serving import Serving, Settings, place, rss_mb

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 16_000 + b'"},"finish_reason":null}]}\n\n'
DONE = b"data: [DONE]\n\n"
HEAD = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
READ, EVERY = 100_000, 0.1  # 1 MB/s
STALLED = 100
SLOW_MB, STALLED_MB = 32.0, 100.0


class Flood:
    """Streams so many bytes of events as fast as they are read, from when the gate is open; `moved` is when, last."""

    def __init__(self, size: int) -> None:
        self.events = size // len(EVENT)
        self.begun = 0
        self.moved = 0.0
        self.gate = Gate()

    def __call__(self, request: Request) -> Iterator[Step]:
        yield Send(HEAD)
        step = Send(chunked(EVENT))
        self.begun += 1
        yield Wait(self.gate)
        for _ in range(self.events):
            self.moved = time.monotonic()
            yield step
        yield Send(chunked(DONE) + LAST_CHUNK)

    def digest(self) -> str:
        found = hashlib.sha256()
        for _ in range(self.events):
            found.update(EVENT)
        found.update(DONE)
        return found.hexdigest()


class Digest(Answer):
    """Keeps no body but its hash."""

    def __init__(self) -> None:
        super().__init__()
        self.hash = hashlib.sha256()

    def on_body(self, body: bytes) -> None:
        self.hash.update(body)


class Memory:
    """The gateway's resident memory, all its processes, while the block runs."""

    def __init__(self, gateway: Serving) -> None:
        self._gateway = gateway
        self._before = self._most = rss_mb(gateway.workers)

    @property
    def growth(self) -> float:
        return self._most - self._before

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator["Memory"]:
        watching = asyncio.get_running_loop().create_task(self._watch(), name="memory")
        try:
            yield self
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            self._most = max(self._most, rss_mb(self._gateway.workers))
            await asyncio.sleep(0.02)


async def slow_clients(run: Run) -> list[Figure]:
    patience = 4 if run.quick else 20
    async with place(run) as here, here.gateway(Settings(server=f", write_timeout: {patience}s")) as gateway:
        flood = Flood(200_000_000 if run.quick else 1_000_000_000)
        flood.gate.open()
        here.first.script = flood
        figures = await _slow(gateway, flood, 10.0 if run.quick else 120.0)
        here.first.script = flood = Flood(10**12)
        return [*figures, *await _stalled(gateway, flood, float(patience))]


async def _slow(gateway: Serving, flood: Flood, seconds: float) -> list[Figure]:
    """1 MB/s for so long, then as fast as it comes."""
    loop = asyncio.get_running_loop()
    answer = Digest()
    async with Memory(gateway).watched() as memory:
        with await _connected(gateway, 65_536) as client:
            await loop.sock_sendall(client, post("first/small", stream=True))
            began = time.monotonic()
            for turn in range(int(seconds / EVERY)):
                left = READ
                while left:
                    data = await loop.sock_recv(client, left)
                    answer.feed(data)
                    left -= len(data)
                await asyncio.sleep(max(0.0, began + turn * EVERY - time.monotonic()))
            while not answer.complete and (data := await loop.sock_recv(client, 262_144)):
                answer.feed(data)
    same = answer.complete and answer.hash.hexdigest() == flood.digest()
    size = flood.events * len(EVENT) / 1e6
    what = f"a stream of {size:,.0f} MB at full speed, its client at 1 MB/s for {seconds:.0f} s"
    return [
        most(f"{what}: growth of RSS", memory.growth, SLOW_MB, "MB"),
        Figure(f"{what}: bytes", "the same" if same else "not the same", "the same", same),
    ]


async def _stalled(gateway: Serving, flood: Flood, patience: float) -> list[Figure]:
    """They never read. A pipe looks at its client four times in a `write_timeout`."""
    loop = asyncio.get_running_loop()
    clients = [await _connected(gateway, 16_384) for _ in range(STALLED)]
    async with Memory(gateway).watched() as memory:
        for client in clients:
            await loop.sock_sendall(client, post("first/small", stream=True))
        while flood.begun < STALLED:
            await asyncio.sleep(0.01)
        flood.gate.open()
        cut: list[object] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3 * patience + 10):
                while len(cut) < STALLED:
                    await asyncio.sleep(0.05)
                    gateway.read_log()
                    cut = [call for call in gateway.calls if call.get("code") == "client_stalled"]
        after = time.monotonic() - flood.moved
    for client in clients:
        client.close()
    return [
        most(f"{STALLED} clients that read nothing: growth of RSS", memory.growth, STALLED_MB, "MB"),
        Figure(f"{STALLED} clients that read nothing: cut", str(len(cut)), str(STALLED), len(cut) == STALLED),
        most(
            f"{STALLED} clients that read nothing: the last is cut, after nothing moved for",
            after,
            patience * 1.25 + 1,
            "s",
        ),
    ]


async def _connected(gateway: Serving, receive_buffer: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", gateway.port))
    return client
