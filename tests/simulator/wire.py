"""A client on a bare socket, which sees every byte and how a connection ends."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator

import httptools

from gateway.simulator import Simulator


class Wire:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.loop = asyncio.get_running_loop()
        self.seen = b""

    async def send(self, payload: bytes) -> None:
        await self.loop.sock_sendall(self.sock, payload)

    async def ask(self, body: bytes = b"", path: str = "/v1/chat/completions", headers: bytes = b"") -> None:
        method = b"POST" if body else b"GET"
        head = b"%b %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b\r\n"
        await self.send(head % (method, path.encode(), len(body), headers) + body)

    async def until(self, end: bytes) -> bytes:
        """What came, up to and with `end`; the rest stays for the next read."""
        async with asyncio.timeout(2):
            while end not in self.seen:
                data = await self.loop.sock_recv(self.sock, 65536)
                assert data, f"ended before {end!r}: {self.seen!r}"
                self.seen += data
        at = self.seen.index(end) + len(end)
        found, self.seen = self.seen[:at], self.seen[at:]
        return found

    async def to_the_end(self, patience: float = 2) -> tuple[bytes, str]:
        """Everything that came, and `fin`, `rst`, or `silence` after so many seconds."""
        try:
            async with asyncio.timeout(patience):
                while data := await self.loop.sock_recv(self.sock, 65536):
                    self.seen += data
        except ConnectionResetError:
            return self.seen, "rst"
        except TimeoutError:
            return self.seen, "silence"
        return self.seen, "fin"

    def leave(self, *, reset: bool = False) -> None:
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@contextlib.asynccontextmanager
async def connected(sim: Simulator) -> AsyncIterator[Wire]:
    with socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", sim.port))
        yield Wire(sock)


def chat(model: str, *, stream: bool = True, **fields: object) -> bytes:
    messages = [{"role": "user", "content": "hello there"}]
    return json.dumps({"model": model, "messages": messages, "stream": stream, **fields}).encode()


class Parsed:
    """An answer as llhttp reads it; `complete` by its own framing."""

    def __init__(self, raw: bytes) -> None:
        self.body = b""
        self.headers: dict[bytes, bytes] = {}
        self.complete = False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(raw)
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)

    @property
    def events(self) -> list[bytes]:
        """The data of each event."""
        return [line[6:] for line in self.body.splitlines() if line.startswith(b"data: ")]
