"""The front door fed bytes that nearly are requests, on a transport in memory: cut anywhere, it answers the same."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings

from gateway.app import App
from gateway.config.load import parse
from tests.conftest import KEY, _Lines
from tests.fuzz.document import DOCUMENT, codes
from tests.fuzz.mutation import CUTS, FUZZ, NASTY, cut, mutated, one_by_one

CONFIG = f"""
server: {{listen: "127.0.0.1:0", max_body_bytes: 200}}
upstreams: {{u: {{base_url: "http://127.0.0.1:9/v1"}}}}
models: {{m: {{upstream: u}}}}
keys: [{{name: tester, key: {KEY}}}]
"""
HOST = f"Host: x\r\nAuthorization: Bearer {KEY}\r\n".encode()
BODY = b'{"model":"none","messages":[1]}'
PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LISTING = b"GET /v1/models HTTP/1.1\r\n" + HOST + b"\r\n"
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST
PLAIN = CHAT + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
CHUNKED = CHAT + b"Transfer-Encoding: chunked\r\n\r\n8\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (
    BODY[:8],
    len(BODY) - 8,
    BODY[8:],
)
WORDS = [
    b"Content-Length: 5\r\n",
    b"Content-Length: 99999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Connection: close\r\n",
    b"Upgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"Content-Type: text/plain\r\n",
    b"0\r\n\r\n",
    PROBE,
]
REQUESTS = mutated([PROBE, PLAIN, CHUNKED, PLAIN + PROBE + CHUNKED, LISTING + CHUNKED + LISTING], NASTY + WORDS)
CODES = {code for response in DOCUMENT["components"]["responses"].values() for code in codes(response)}
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
CODE = re.compile(rb'"code":"(\w+)"')
TURNS = 30

Answers = list[tuple[int, str]]


class Memory(asyncio.Transport):
    """A connection without a socket; `written` is what the gateway said."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = b""
        self._loop = loop
        self._protocol = protocol
        self._closing = False

    def write(self, data: Any) -> None:
        assert not self._closing, "a write on a closed transport"
        self.written += data

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@dataclass
class Door:
    """A gateway, and a loop for it."""

    loop: asyncio.AbstractEventLoop
    app: App

    def ask(self, reads: list[bytes]) -> Answers:
        """Status and code of each answer; what needs more than these bytes is not answered."""
        return self.loop.run_until_complete(self._ask(reads))

    async def _ask(self, reads: list[bytes]) -> Answers:
        connection = self.app._server()
        transport = Memory(self.loop, connection)
        connection.connection_made(transport)
        for data in reads:
            if transport.is_closing():
                break
            connection.data_received(data)
            await asyncio.sleep(0)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        transport.close()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return split(transport.written)


def split(written: bytes) -> Answers:
    """Nothing but whole answers, of which each error has OpenAI's shape and a code of the document."""
    answers: Answers = []
    at = 0
    while at < len(written):
        head = ANSWER.match(written, at)
        assert head is not None, written[at:]
        if head[1] == b"100":
            at = head.end()
            continue
        length = re.search(rb"content-length: (\d+)\r\n", head[2])
        assert length is not None
        at = head.end() + (int(length[1]))
        code = CODE.search(written[head.end() : at])
        assert (code is None) == (head[1] == b"200")
        if code is not None:
            assert code[1].decode() in CODES
        assert int(head[1]) < 500
        answers.append((int(head[1]), code[1].decode() if code else ""))
    return answers


HEAD = re.compile(
    rb"[\r\n]*([!#$%&'*+.^_`|~0-9A-Za-z-]+) +[!-~\x80-\xff]+ +HTTP/1\.[01]\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
)
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\r\n]*)?\r\n")
TRAILERS = re.compile(rb"(?:[^\r\n]+\r\n)*\r\n")


def strict_requests(stream: bytes) -> int:
    """How many heads RFC 9112 lets one find (section 3 allows more spaces), each behind the whole body before it."""
    count, at = 0, 0
    while (head := HEAD.match(stream, at)) is not None:
        fields = [line.partition(b":")[::2] for line in head[2].lower().split(b"\r\n")[:-1]]
        lengths = [value.strip() for name, value in fields if name == b"content-length"]
        codings = [value.strip() for name, value in fields if name == b"transfer-encoding"]
        if len(lengths + codings) > 1 or codings not in ([], [b"chunked"]):
            break
        if not all(re.fullmatch(rb"[0-9]{1,18}", length) for length in lengths):
            break
        count += 1
        end = _body_end(stream, head.end(), int(lengths[0]) if lengths else 0, chunked=bool(codings))
        if end is None:
            break
        at = end
    return count


def _body_end(stream: bytes, at: int, length: int, *, chunked: bool) -> int | None:
    """None if it is not all there, or not well-formed."""
    if not chunked:
        return at + length if at + length <= len(stream) else None
    while (size := CHUNK.match(stream, at)) is not None:
        at = size.end() + int(size[1], 16)
        if not int(size[1], 16):
            trailers = TRAILERS.match(stream, at)
            return trailers.end() if trailers else None
        if stream[at : at + 2] != b"\r\n":
            return None
        at += 2
    return None


@pytest.fixture
def door(lines: list[bytes]) -> Iterator[Door]:
    loop = uvloop.new_event_loop()

    async def opened() -> App:
        app = App(parse(CONFIG.encode(), "f", {}), _Lines(lines))
        await app.start()
        return app

    app = loop.run_until_complete(opened())
    yield Door(loop, app)
    loop.run_until_complete(app.stop(0.0))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def test_what_is_right_is_answered(door: Door) -> None:
    assert door.ask([PROBE]) == [(200, "")]
    assert door.ask([PLAIN + PROBE + CHUNKED]) == [(404, "model_not_found"), (200, ""), (404, "model_not_found")]
    assert strict_requests(PLAIN + PROBE + CHUNKED) == 3


def agree(one: Answers, other: Answers) -> bool:
    """As far as both go: a connection may be closed sooner, where more came behind a request than belongs to it."""
    both = min(len(one), len(other))
    return both > 0 and one[:both] == other[:both] if one or other else True


def test_any_bytes_are_answered_the_same_at_every_cut(door: Door) -> None:
    @settings(FUZZ, max_examples=150)
    @given(REQUESTS, CUTS)
    def check(stream: bytes, cuts: list[int]) -> None:
        whole = door.ask([stream])
        for reads in (cut(stream, cuts), one_by_one(stream)):
            answers = door.ask(reads)
            assert agree(whole, answers), (whole, answers)

    check()


def test_no_more_requests_are_answered_than_a_strict_reader_finds(door: Door) -> None:
    @settings(FUZZ, max_examples=600)
    @given(REQUESTS)
    def check(stream: bytes) -> None:
        answers = door.ask([stream])
        served = [code for _, code in answers if code not in ("bad_request", "uri_too_long", "headers_too_large")]
        assert len(served) <= strict_requests(stream), answers

    check()
