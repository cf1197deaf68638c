"""A client of the gateway on one kept-alive connection; it sees how an answer ends."""

import asyncio
import json
from typing import Any

import httptools

KEY = "sk-gw-" + "r" * 43


def post(model: str, *, stream: bool, key: str = KEY, headers: str = "", **fields: object) -> bytes:
    """A chat completion; `headers` are whole lines with their CRLF."""
    messages = [{"role": "user", "content": "Hello"}]
    body = json.dumps({"model": model, "stream": stream, "messages": messages, **fields}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


def get(path: str, key: str = KEY) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


class Answer:
    """As llhttp reads it; `complete` by its framing."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.complete = False
        self.keep_alive = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.keep_alive = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True

    @property
    def json(self) -> Any:
        return json.loads(bytes(self.body))

    @property
    def whole_stream(self) -> bool:
        """Whether a client may take it for complete."""
        return self.complete and self.body.endswith(b"data: [DONE]\n\n")


class Client:
    """Opens its connection when it needs one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Answer:
        """Raises OSError, or EOFError if the connection ended before an answer began."""
        reader, _ = await self.send(request)
        answer = Answer()
        try:
            while not answer.complete and (data := await reader.read(262_144)):
                answer.feed(data)
        except ConnectionResetError:
            if not answer.status:
                raise
        if not answer.status:
            self.leave()
            raise EOFError("closed without an answer")
        if not (answer.complete and answer.keep_alive):
            self.leave()
        return answer

    async def send(self, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Without reading what comes back. Raises OSError."""
        if self._open is None:
            self._open = await asyncio.open_connection("127.0.0.1", self._port)
        self._open[1].write(request)
        return self._open

    def leave(self) -> None:
        """With a reset if anything was not read."""
        if self._open is not None:
            self._open[1].transport.abort()
            self._open = None


async def ask(port: int, request: bytes) -> Answer:
    """On a connection of its own. Raises what `Client.ask` does."""
    client = Client(port)
    try:
        return await client.ask(request)
    finally:
        client.leave()
