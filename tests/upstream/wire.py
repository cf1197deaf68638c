"""The two ends of one real socket: a Connection, and who speaks the upstream's part byte by byte."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable

from gateway.core.fault import Fault
from gateway.state.timers import Wheel
from gateway.upstream.connection import Connection
from gateway.upstream.head import Head

REQUEST = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH_5 = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
NO_LENGTH = b"HTTP/1.1 200 OK\r\n\r\n"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


class Listening:
    """A Listener that remembers. `end` is how the exchange ended, None while it has not."""

    def __init__(self) -> None:
        self.status = 0
        self.chunks: list[tuple[bytes, bytes | None]] = []
        self.end: str | Fault | None = None
        self.and_then: Callable[[], None] = lambda: None
        self.offered: list[bytes] = []
        self.relays = False

    @property
    def payload(self) -> bytes:
        return b"".join(payload for payload, _ in self.chunks)

    def head(self, head: Head) -> None:
        self.status = head.status

    def chunk(self, payload: bytes, framed: bytes | None) -> None:
        self.chunks.append((payload, framed))

    def relay(self, data: bytes) -> bool:
        self.offered.append(data)
        return self.relays

    def ended(self) -> None:
        self._end("ended")

    def broke(self) -> None:
        self._end("broke")

    def failed(self, fault: Fault) -> None:
        self._end(fault)

    def _end(self, how: str | Fault) -> None:
        assert self.end is None, f"{how} after {self.end}"
        self.end = how
        self.and_then()


class Line:
    """`kept` and `lost` are what the pool would have been told."""

    def __init__(self, wheel: Wheel, peer: socket.socket) -> None:
        self.wheel = wheel
        self.peer = peer
        self.kept: list[Connection] = []
        self.lost: list[Connection] = []
        self.connection = Connection(asyncio.get_running_loop(), wheel, self.kept.append, self.lost.append)

    async def ask(self) -> Listening:
        """Begin an exchange; the request is read off the wire, or closing would be an RST."""
        listening = Listening()
        self.connection.send(REQUEST, listening)
        assert await asyncio.get_running_loop().sock_recv(self.peer, 65536) == REQUEST
        return listening

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.peer, data)

    async def heard(self) -> str:
        """How the gateway's end left: `fin` or `rst`."""
        try:
            async with asyncio.timeout(5):
                while await asyncio.get_running_loop().sock_recv(self.peer, 65536):
                    pass
        except ConnectionResetError:
            return "rst"
        return "fin"

    async def leave(self, *, reset: bool = False) -> None:
        if reset:
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()


@contextlib.asynccontextmanager
async def a_line() -> AsyncIterator[Line]:
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ours = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    ours.setblocking(False)
    peer.setblocking(False)
    with peer:
        line = Line(Wheel(100.0), peer)
        await loop.create_connection(lambda: line.connection, sock=ours)
        try:
            yield line
        finally:
            line.connection.abort()
            await until(lambda: line.lost)
