"""A client on a bare socket: it sees every byte, reads when it wants to, and leaves how it wants to."""

import asyncio
import json
import socket
import struct
from typing import ClassVar

from tests.conftest import KEY


def post(body: object, path: str = "/v1/chat/completions", *, headers: str = "", version: str = "1.1") -> bytes:
    """A request with the test key; `headers` are whole lines with their CRLF."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n{headers}\r\n"
    )
    return head.encode() + payload


def chat(model: str, *, stream: bool = True, **fields: object) -> dict[str, object]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}], **fields}


def unchunked(body: bytes) -> tuple[bytes, bool]:
    """The payload of a chunked body, and whether its terminal chunk is there."""
    payload = b""
    while body:
        size_line, _, rest = body.partition(b"\r\n")
        size = int(size_line, 16)
        if not size:
            return payload, rest == b"\r\n"
        payload, body = payload + rest[:size], rest[size + 2 :]
    return payload, False


class RawClient:
    """It takes no more than `receive_buffer` bytes without reading. Tests close what is in `opened`."""

    opened: ClassVar[list[socket.socket]] = []

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setblocking(False)
        self.opened.append(self.socket)
        self._port = port
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        """Connects first if need be."""
        try:
            self.socket.getpeername()
        except OSError:
            await self._loop.sock_connect(self.socket, ("127.0.0.1", self._port))
        await self._loop.sock_sendall(self.socket, data)

    async def until(self, end: bytes) -> bytes:
        """What came, up to whatever was read when `end` was in it."""
        seen = b""
        async with asyncio.timeout(5):
            while end not in seen:
                data = await self._loop.sock_recv(self.socket, 65536)
                assert data, f"the connection ended before {end!r}: {seen[-200:]!r}"
                seen += data
        return seen

    async def rest(self) -> tuple[bytes, str]:
        """Everything up to the end of the connection, and how it ended: `fin` or `rst`."""
        seen = bytearray()
        async with asyncio.timeout(10):
            try:
                while data := await self._loop.sock_recv(self.socket, 262144):
                    seen += data
            except ConnectionResetError:
                return bytes(seen), "rst"
        return bytes(seen), "fin"

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def leave(self, *, reset: bool = False) -> None:
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
