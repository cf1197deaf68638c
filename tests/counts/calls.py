"""Calls whose every byte is waited for: what they cost does not depend on how fast anybody is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from gateway.simulator import LAST_CHUNK, Gate, Request, Send, Step, Wait, chunked, event, head, json_answer
from tests.conftest import KEY
from tests.e2e.raw import chat, post

PLAIN, STREAM = "plain", "stream"
MAX_EVENT = 16 * 1024 * 1024
EVENT = event(b'{"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}' % (b"x" * 220))
_STOP = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
_END = chunked(_STOP) + chunked(event(b"[DONE]")) + LAST_CHUNK
_ANSWER = json_answer(
    200,
    {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x" * 220}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 60, "total_tokens": 64},
    },
)


def routes(upstream: str, store: str = "memory://", others: int = 0) -> str:
    """A configuration in which nothing is left out: a tier, prices, and limits of every kind but a budget.

    `others` is how many models and keys come before those that are used.
    """
    models = "".join(f"  other-{number}: {{upstream: first}}\n" for number in range(others))
    keys = "".join(
        f"  - {{name: other-{number}, key: sk-gw-{number:043d}, limits: wide}}\n" for number in range(others)
    )
    return f"""
server: {{listen: "127.0.0.1:0"}}
store: {{url: "{store}", timeout: 1s, lease_ttl: 10m}}
upstreams:
  first: {{base_url: "{upstream}"}}
models:
{models}  {PLAIN}: {{upstream: first, price: {{input: 0.15, output: 0.60}}}}
  {STREAM}: {{upstream: first, price: {{input: 0.15, output: 0.60}}}}
tiers:
  fast: [{PLAIN}]
  long: [{STREAM}]
limits:
  wide: {{requests_per_minute: 600000, tokens_per_minute: 100000000, concurrent_streams: 1000}}
keys:
{keys}  - {{name: tester, key: {KEY}, limits: wide}}
"""


class Script:
    """Answers plain calls at once, or when `gate` opens if there is one. Of a stream it sends `events` events, the next
    when `more` is called; so there can be one stream at a time.
    """

    def __init__(self) -> None:
        self.events = 0
        self.gate: Gate | None = None
        self.waiting = 0
        self._next = Gate()

    def __call__(self, request: Request) -> Iterable[Step]:
        if b'"stream":true' in request.body.replace(b" ", b""):
            return self._stream(self.events)
        if self.gate is None:
            return _ANSWER
        self.waiting += 1
        return [Wait(self.gate), *_ANSWER]

    def _stream(self, events: int) -> Iterable[Step]:
        """The first event comes with the head, `[DONE]` with the end: each Send is one read."""
        top = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        for number in range(events):
            yield Send(chunked(EVENT) if number else top + chunked(EVENT))
            self._next = Gate()
            yield Wait(self._next)
        yield Send(_END)

    def more(self) -> None:
        self._next.open()


class Client:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        # With 0 every write is a system call of its own, on uvloop too.
        writer.transport.set_write_buffer_limits(high=0)

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[Self]:
        client = cls(*await asyncio.open_connection("127.0.0.1", port, limit=MAX_EVENT))
        try:
            yield client
        finally:
            client._writer.close()
            await client._writer.wait_closed()

    def send(self, request: bytes) -> None:
        """A small request is with the kernel when this returns."""
        self._writer.write(request)
        assert not self._writer.transport.get_write_buffer_size()

    async def upload(self, data: bytes) -> None:
        """Of any size; it is with the kernel when this returns."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> bytes:
        """Of a request for anything but a stream: its body. Raises EOFError."""
        top = await self.head()
        [length] = [line for line in top.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return await self._reader.readexactly(int(length.partition(b":")[2]))

    async def head(self) -> bytes:
        top = await self._reader.readuntil(b"\r\n\r\n")
        assert top.startswith(b"HTTP/1.1 200 "), top
        return top

    async def event(self) -> None:
        """The next of a stream whose head was read."""
        await self._reader.readuntil(b"\n\n\r\n")

    async def rest(self) -> bytes:
        """Of a stream, up to its end."""
        return await self._reader.readuntil(b"\r\n" + LAST_CHUNK)

    async def get(self, path: str) -> bytes:
        self.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return await self.answer()

    def ask(self) -> None:
        """A plain call, for `answer` to wait for."""
        self.send(post(chat("fast", stream=False)))

    async def plain(self, times: int = 1) -> None:
        for _ in range(times):
            self.ask()
            await self.answer()

    async def stream(self, script: Script, events: int, until: Callable[[], Awaitable[None]] | None = None) -> None:
        """One, event by event; `until` is waited for after each."""
        script.events = events
        self.send(post(chat("long")))
        await self.head()
        for _ in range(events):
            await self.event()
            if until is not None:
                await until()
            script.more()
        await self.rest()


def written(folder: Path, text: str) -> Path:
    file = folder / "routes.yaml"
    file.write_text(text)
    return file
