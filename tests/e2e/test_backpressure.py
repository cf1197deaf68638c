"""A slow client slows its upstream down, and nothing is lost; one that takes nothing is cut."""

import asyncio
import hashlib
import socket
from collections.abc import Iterator

from gateway.simulator import Gate, Request, Send, Simulator, Step, Wait, chunked, head
from tests.catalogue import fault
from tests.conftest import StartGateway
from tests.e2e.raw import RawClient, chat, post, unchunked

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 8000 + b'"},"finish_reason":null}]}\n\n'
COUNT = 4000
SSE_HEAD = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])


class Flood:
    """A script that streams 32 MB as fast as it is read; `sent` counts."""

    def __init__(self) -> None:
        self.sent = 0

    def __call__(self, request: Request) -> Iterator[Step]:
        yield Send(SSE_HEAD)
        for _ in range(COUNT):
            self.sent += len(EVENT)
            yield Send(chunked(EVENT))
        yield Send(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")


@fault("C05")
async def test_a_slow_client_gets_everything_and_the_gateway_holds_little(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    upstream.script = flood = Flood()
    client = RawClient(gateway.port, receive_buffer=16384)
    await client.send(post(chat("fast"), headers="Connection: close\r\n"))
    answer = await client.until(b"x" * 8000)
    stood = -1
    while stood != flood.sent:
        stood = flood.sent
        await asyncio.sleep(0.1)
    assert flood.sent < 16_000_000, "held back by the sockets on the way, not read on into memory"
    rest, ending = await client.rest()
    body, complete = unchunked((answer + rest).partition(b"\r\n\r\n")[2])
    assert (complete, ending) == (True, "fin")
    assert hashlib.sha256(body).digest() == hashlib.sha256(EVENT * COUNT + b"data: [DONE]\n\n").digest()
    assert (await gateway.last_call())["outcome"] == "ok"


@fault("C06")
async def test_a_client_that_takes_nothing_is_cut_after_the_write_timeout(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(
        two_upstreams.replace('listen: "127.0.0.1:0"', 'listen: "127.0.0.1:0", write_timeout: 300ms')
    )
    upstream.script = Flood()
    client = RawClient(gateway.port, receive_buffer=16384)
    await client.send(post(chat("fast")))
    call = await gateway.last_call()
    assert (call["outcome"], call["status"], call["code"]) == ("client_gone", 499, "client_stalled")
    async with asyncio.timeout(1):
        await upstream.until_left(upstream.requests[0])
    _, complete = unchunked((await client.rest())[0].partition(b"\r\n\r\n")[2])
    assert not complete


async def test_a_plain_answer_that_nobody_takes_is_cut_too(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(
        two_upstreams.replace('listen: "127.0.0.1:0"', 'listen: "127.0.0.1:0", write_timeout: 300ms')
    )
    body = b'{"choices": ["' + b"x" * 12_000_000 + b'"]}'
    plain = head(200, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    upstream.script = lambda request: [Send(plain + body)]
    client = RawClient(gateway.port, receive_buffer=16384)
    await client.send(post(chat("fast", stream=False)))
    call = await gateway.last_call()
    assert (call["outcome"], call["code"]) == ("client_gone", "client_stalled")


async def test_a_plain_answer_beyond_the_bound_is_piped_whole(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    body = b'{"choices": ["' + b"x" * 20_000_000 + b'"]}'
    plain = head(200, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    gate = Gate()
    upstream.script = lambda request: [Send(plain + body[:18_000_000]), Wait(gate), Send(body[18_000_000:])]
    client = RawClient(gateway.port)
    await client.send(post(chat("fast", stream=False), headers="Connection: close\r\n"))
    answer = await client.until(b"\r\n\r\n")
    gate.open()
    answer += (await client.rest())[0]
    received, complete = unchunked(answer.partition(b"\r\n\r\n")[2])
    assert complete
    assert received == body
    assert (await gateway.last_call())["outcome"] == "ok"


async def test_the_kernel_holds_little_for_a_client(start_gateway: StartGateway, two_upstreams: str) -> None:
    gateway = await start_gateway(two_upstreams)
    client = RawClient(gateway.port)
    await client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.until(b"ok\n")
    [connection] = gateway.app._server.connections
    raw = connection.transport.get_extra_info("socket")
    assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 128 * 1024
