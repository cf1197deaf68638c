"""What nginx before the gateway could do to calls, with the file as it is shipped."""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from bench.process import free_port
from gateway.simulator import Gate, Pause, Request, Send, Simulator, Step, Wait, chunked, sse_answer
from tests.catalogue import fault
from tests.conftest import KEY, StartGateway
from tests.deploy.conftest import StartNginx, nginx, start_nginx
from tests.e2e.conftest import closed_sockets
from tests.e2e.raw import RawClient, chat, post, unchunked

__all__ = ["closed_sockets", "nginx", "start_nginx"]

EVENTS = [b'data: {"choices":[{"index":0,"delta":{"content":"%d"},"finish_reason":null}]}\n\n' % n for n in range(4)]
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
MEGABYTE = 1 << 20
# A later directive of the same level would be a duplicate, so that a location of its own has the mistake.
BUFFERED = "} location /v1/chat/ { proxy_pass http://gateway; proxy_http_version 1.1; proxy_buffering on; %s"

DEAF = "proxy_ignore_headers X-Accel-Buffering;"


def gated(gates: list[Gate]) -> list[Step]:
    """An event, a gate, an event, a gate …"""
    head, *rest = sse_answer([STOP], done=True)
    held: Iterable[Step] = itertools.chain.from_iterable(
        (Send(chunked(event)), Wait(gate)) for event, gate in zip(EVENTS, gates, strict=True)
    )
    return [head, *held, *rest]


class Endless:
    """A script: events, then comments of a megabyte, as long as they are taken; `sent` counts them, up to `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.sent = 0

    def __call__(self, request: Request) -> Iterator[Step]:
        yield sse_answer([])[0]
        yield from (Send(chunked(event)) for event in EVENTS)
        while self.sent < self.most:
            self.sent += 1
            yield Send(chunked(b": %b\n" % (b"x" * MEGABYTE)))

    async def until_it_rests(self) -> None:
        before = -1
        while before < self.sent < self.most:
            before = self.sent
            await asyncio.sleep(0.2)


class TestBuffering:
    @fault("N02")
    async def test_n02_left_on_it_holds_back_no_event_as_the_gateway_tells_nginx_not_to(
        self, start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(two_upstreams)
        client = RawClient(await start_nginx(gateway.port, also=BUFFERED % ""))
        gates = [Gate() for _ in EVENTS]
        upstream.script = lambda request: gated(gates)
        await client.send(post(chat("first/small"), headers="Connection: close\r\n"))
        for event, gate in zip(EVENTS, gates, strict=True):
            assert event in await client.until(event)
            gate.open()
        assert b"[DONE]" in (await client.rest())[0]

    @fault("N02")
    @pytest.mark.parametrize(
        ("switch", "held_back"),
        [
            pytest.param("", True, id="listens"),
            pytest.param(DEAF, False, id="deaf"),
        ],
    )
    async def test_n02_nor_does_nginx_take_what_its_client_does_not_unless_it_is_deaf_to_that(
        self,
        switch: str,
        held_back: bool,
        start_gateway: StartGateway,
        start_nginx: StartNginx,
        two_upstreams: str,
        upstream: Simulator,
    ) -> None:
        """So the header is what does it."""
        gateway = await start_gateway(two_upstreams)
        port = await start_nginx(gateway.port, also=BUFFERED % switch)
        upstream.script = endless = Endless(48)
        client = RawClient(port, receive_buffer=65536)
        await client.send(post(chat("first/small")))
        await client.until(EVENTS[-1])
        await endless.until_it_rests()
        assert (endless.sent < endless.most) is held_back


@fault("N07")
@pytest.mark.parametrize("spoofed", ["203.0.113.9", "127.0.0.2", "10.0.0.1, 127.0.0.2", "x"])
async def test_n07_a_client_cannot_give_itself_an_address(
    spoofed: str, start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str
) -> None:
    """nginx adds the client's own, and of what came the last that is no trusted proxy's counts."""
    trusting = two_upstreams.replace('"127.0.0.1:0"', '"127.0.0.1:0", trusted_proxies: [127.0.0.2]')
    gateway = await start_gateway(trusting)
    port = await start_nginx(gateway.port, also="proxy_bind 127.0.0.2;")
    client = RawClient(port)
    headers = f"X-Forwarded-For: {spoofed}\r\nX-Real-IP: {spoofed}\r\nForwarded: for={spoofed}\r\nConnection: close\r\n"
    await client.send(post(chat("first/small"), headers=headers))
    assert b" 200 " in (await client.rest())[0][:20]
    assert (await gateway.last_call())["peer"] == "127.0.0.1"


SMUGGLED = (
    f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nX-Request-Id: smuggled\r\n"
    'Content-Type: application/json\r\nContent-Length: 29\r\n\r\n{"model":"x","messages":[{}]}'
)
HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
CHUNK = f"{len(SMUGGLED):x}\r\n{SMUGGLED}\r\n0\r\n\r\n"
RAW = {
    "length and chunked": f"{HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "chunked and length": f"{HEAD}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{CHUNK}",
    "two lengths": f"{HEAD}Content-Length: 0\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "lengths in one": f"{HEAD}Content-Length: 0, {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "length with a sign": f"{HEAD}Content-Length: +{len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "length in hex": f"{HEAD}Content-Length: 0x{len(SMUGGLED):x}\r\n\r\n{SMUGGLED}",
    "xchunked": f"{HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "chunked, identity": f"{HEAD}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "chunked twice": f"{HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "gzip, chunked": f"{HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "space before the colon": f"{HEAD}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "vertical tab": f"{HEAD}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "folded": f"{HEAD}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "bare line feed": f"{HEAD}X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "bare carriage return": f"{HEAD}X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "chunk size with a sign": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n+{CHUNK}",
    "chunk size in hex": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n0x{CHUNK}",
    "chunk longer than its size": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n{SMUGGLED}",
    "line feed in an extension": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n0;x\n\r\n\r\n{SMUGGLED}",
    "chunked in HTTP/1.0": f"{HEAD.replace('1.1', '1.0')}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a length in a trailer": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n\r\n",
    "a body of a GET": f"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "an upgrade": f"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n{SMUGGLED}",
    "length named by Connection": f"{HEAD}Connection: Content-Length\r\nContent-Length: 0\r\n\r\n{SMUGGLED}",
}


@fault("N08")
@pytest.mark.parametrize("raw", [pytest.param(raw.encode("latin-1"), id=name) for name, raw in RAW.items()])
async def test_n08_what_nginx_and_the_gateway_could_read_differently_is_answered_as_often_as_it_is_seen(
    raw: bytes, start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str
) -> None:
    """Each request that the gateway saw has its answer at the client, and one that only nginx saw has nginx's."""
    gateway = await start_gateway(two_upstreams)
    port = await start_nginx(gateway.port)
    client = RawClient(port)
    with contextlib.suppress(ConnectionError):
        await client.send(raw + b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    seen, _ = await client.rest()
    answers = re.findall(rb"HTTP/1\.[01] (\d\d\d)", seen)
    assert answers
    assert not {status for status in answers if status >= b"500"}
    assert b"<html" not in seen
    calls = [call["request_id"] for call in gateway.calls()]
    told = re.findall(rb"(?i)\r\nx-request-id: (\S+)", seen)
    assert all(call.encode() in told for call in calls)
    assert len(calls) == len(set(calls))
    other = RawClient(port)
    await other.send(post(chat("first/small", stream=False), headers="X-Request-Id: other\r\nConnection: close\r\n"))
    mine, _ = await other.rest()
    assert (mine[:13], mine.lower().count(b"x-request-id: other")) == (b"HTTP/1.1 200 ", 1)


def resident(pid: int) -> int:
    """Bytes."""
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(kilobytes) * 1024


def files_below(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


@fault("N09")
async def test_n09_a_fast_stream_and_a_client_that_does_not_read_fill_neither_memory_nor_disk_of_nginx(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str, upstream: Simulator, tmp_path: Path
) -> None:
    gateway = await start_gateway(two_upstreams)
    port = await start_nginx(gateway.port)
    pid = int((tmp_path / "nginx.pid").read_text())
    upstream.script = endless = Endless(1000)
    client = RawClient(port, receive_buffer=65536)
    memory, files = resident(pid), files_below(tmp_path)
    await client.send(post(chat("first/small")))
    await client.until(EVENTS[-1])
    await endless.until_it_rests()
    assert endless.sent < 100, "it went on without anybody who reads"
    assert resident(pid) - memory < 4 * MEGABYTE
    assert files_below(tmp_path) == files


@fault("N10")
async def test_n10_a_stream_that_is_silent_for_longer_than_nginx_waits_lives_on_its_pings(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str, upstream: Simulator
) -> None:
    """The shipped figures, a hundredth of them here: nginx 310 s, a ping every 15 s, silence of 60 s at most."""
    pinging = two_upstreams.replace('"127.0.0.1:0"', '"127.0.0.1:0", keep_alive_interval: 150ms')
    gateway = await start_gateway(pinging)
    port = await start_nginx(gateway.port, read_timeout="1s")
    head, *rest = sse_answer([STOP], done=True)
    upstream.script = lambda request: [head, Send(chunked(EVENTS[0])), Pause(2), *rest]
    client = RawClient(port)
    await client.send(post(chat("first/small"), headers="Connection: close\r\n"))
    payload, complete = unchunked((await client.rest())[0].partition(b"\r\n\r\n")[2])
    assert complete
    assert payload.count(b": ping\n") >= 3
    assert payload.replace(b": ping\n", b"") == EVENTS[0] + STOP + b"data: [DONE]\n\n"


@fault("N06")
@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        pytest.param("TRACE /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed", id="TRACE"),
        pytest.param("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request", id="CONNECT"),
        pytest.param("GET / HTTP/7.0\r\nHost: x\r\n\r\n", 400, "bad_request", id="version"),
        pytest.param(f"{HEAD}Transfer-Encoding: gzip\r\n\r\n", 400, "bad_request", id="coding"),
    ],
)
async def test_n06_what_nginx_itself_refuses_is_json(raw: str, status: int, code: str, start_nginx: StartNginx) -> None:
    client = RawClient(await start_nginx(free_port()))
    await client.send(raw.encode())
    head, _, body = (await client.rest())[0].partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert json.loads(body)["error"]["code"] == code
    assert b"application/json" in head
