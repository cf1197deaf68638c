"""A client that leaves takes its upstream call with it, at once, before and after the first byte."""

import asyncio

import pytest

from gateway.simulator import Gate, Send, Silence, Simulator, Wait, sse_answer
from tests.catalogue import fault
from tests.conftest import StartGateway
from tests.e2e.raw import RawClient, chat, post

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'


@fault("C01", "C04")
@pytest.mark.parametrize("how", ["fin", "rst", "half-close"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
async def test_before_the_first_byte(
    how: str, stream: bool, start_gateway: StartGateway, two_upstreams: str, upstream: Simulator, second: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    upstream.script = lambda request: [Silence()]
    client = RawClient(gateway.port)
    await client.send(post(chat("fast", stream=stream)))
    async with asyncio.timeout(5):
        while not upstream.requests:
            await asyncio.sleep(0.01)
    _leave(client, how)
    async with asyncio.timeout(1):
        departure = await upstream.until_left(upstream.requests[0])
    assert departure.by_peer
    call = await gateway.last_call()
    assert (call["outcome"], call["status"]) == ("client_gone", 499)
    assert not second.requests, "no fallback is started for nobody"


@fault("C02", "C03", "C04")
@pytest.mark.parametrize("how", ["fin", "rst", "half-close"])
async def test_after_the_first_byte(
    how: str, start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    upstream.script = lambda request: [*sse_answer([EVENT])[:2], Silence()]
    client = RawClient(gateway.port)
    await client.send(post(chat("fast")))
    await client.until(EVENT)
    _leave(client, how)
    async with asyncio.timeout(1):
        departure = await upstream.until_left(upstream.requests[0])
    assert departure.by_peer
    call = await gateway.last_call()
    assert (call["outcome"], call["usage_source"], call["completion_tokens"]) == ("client_gone", "estimated", 1)
    assert len(gateway.app.live) == 0


@fault("C11")
async def test_while_the_body_is_sent(start_gateway: StartGateway, two_upstreams: str, upstream: Simulator) -> None:
    gateway = await start_gateway(two_upstreams)
    client = RawClient(gateway.port)
    await client.send(post(chat("fast"))[:-5])
    await asyncio.sleep(0.05)
    client.leave()
    call = await gateway.last_call()
    assert call["outcome"] == "client_gone"
    assert not upstream.requests


async def test_after_done_it_was_served(start_gateway: StartGateway, two_upstreams: str, upstream: Simulator) -> None:
    gateway = await start_gateway(two_upstreams)
    gate = Gate()
    upstream.script = lambda request: [*sse_answer([EVENT], done=True)[:3], Wait(gate), Send(b"0\r\n\r\n")]
    client = RawClient(gateway.port)
    await client.send(post(chat("fast")))
    answer = await client.until(b"[DONE]")
    client.leave(reset=True)
    assert answer.count(b"data: ") == 2
    assert (await gateway.last_call())["outcome"] == "ok"
    gate.open()


async def test_a_kept_connection_that_leaves_between_calls_is_no_call(
    start_gateway: StartGateway, two_upstreams: str
) -> None:
    gateway = await start_gateway(two_upstreams)
    client = RawClient(gateway.port)
    await client.send(post(chat("fast", stream=False)))
    await client.until(b'"usage"')
    client.leave()
    await asyncio.sleep(0.05)
    assert [call["outcome"] for call in gateway.calls()] == ["ok"]


def _leave(client: RawClient, how: str) -> None:
    if how == "half-close":
        client.half_close()
    else:
        client.leave(reset=how == "rst")
