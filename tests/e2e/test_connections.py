"""Connections of clients: kept, pipelined, slow, old, idle at the end."""

import asyncio

import pytest

from tests.conftest import Gateway, StartGateway
from tests.e2e.answers import answer_to, get
from tests.e2e.raw import RawClient, chat, post, unchunked
from tests.simulator.wire import Parsed

CLOSE = "Connection: close\r\n"
PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def gateway(start_gateway: StartGateway, two_upstreams: str) -> Gateway:
    listen = 'listen: "127.0.0.1:0"'
    return await start_gateway(two_upstreams.replace(listen, f"{listen}, header_timeout: 200ms"))


async def test_one_connection_serves_call_after_call(gateway: Gateway) -> None:
    client = RawClient(gateway.port)
    for _ in range(2):
        await client.send(post(chat("fast", stream=False)))
        assert Parsed(await client.until(b'"audio_tokens":0}}}')).status == 200
        await client.send(post(chat("fast")))
        _, _, body = (await client.until(b"\r\n0\r\n\r\n")).partition(b"\r\n\r\n")
        assert unchunked(body)[1]
        await client.send(post({"model": "nowhere", "messages": [1]}))
        assert Parsed(await client.until(b'"model_not_found"}}')).status == 404


async def test_pipelined_requests_are_answered_in_order(gateway: Gateway) -> None:
    client = RawClient(gateway.port)
    await client.send(
        post(chat("first/sim-a-50ms"), headers="X-Request-Id: one\r\n")
        + post(chat("first/sim-b", stream=False), headers="X-Request-Id: two\r\n")
        + b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: three\r\nConnection: close\r\n\r\n"
    )
    seen, end = await client.rest()
    assert [seen.count(b"x-request-id: " + name) for name in (b"one", b"two", b"three")] == [1, 1, 1]
    assert seen.index(b": one") < seen.index(b"[DONE]") < seen.index(b": two") < seen.index(b": three")
    assert seen.endswith(b"ok\n")
    assert end == "fin"


async def test_a_request_in_the_body_of_another_is_no_request(gateway: Gateway) -> None:
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    given = f"GET /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: {len(hidden)}\r\n{CLOSE}\r\n".encode() + hidden
    client = RawClient(gateway.port)
    await client.send(given)
    seen, end = await client.rest()
    assert (seen.count(b"HTTP/1.1 "), end) == (1, "fin")


async def test_an_old_client_gets_a_plain_answer(gateway: Gateway) -> None:
    answer = await answer_to(gateway, post(chat("fast", stream=False), version="1.0"))
    assert (answer.status, answer.header("connection"), answer.end) == (200, "close", "fin")
    assert answer.json["usage"]


async def test_an_old_client_gets_a_stream_that_ends_with_its_connection(gateway: Gateway) -> None:
    answer = await answer_to(gateway, post(chat("fast"), version="1.0"))
    assert answer.header("transfer-encoding") is None
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert answer.end == "fin"


async def test_an_old_client_sees_a_break_as_a_reset(gateway: Gateway) -> None:
    answer = await answer_to(gateway, post(chat("first/fault-close-mid"), version="1.0"))
    assert b"upstream_interrupted" in answer.body
    assert b"[DONE]" not in answer.body
    assert answer.end == "rst"


async def test_an_upgrade_is_ignored(gateway: Gateway) -> None:
    answer = await get(gateway, "/healthz", headers="Upgrade: h2c\r\n")
    assert (answer.status, answer.header("upgrade")) == (200, None)


async def test_what_comes_behind_a_declined_upgrade_is_answered_too(gateway: Gateway) -> None:
    upgrade = PROBE.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    client = RawClient(gateway.port)
    await client.send(upgrade + PROBE + PROBE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    seen, _ = await client.rest()
    assert (seen.count(b"HTTP/1.1 200"), seen.count(b"ok\n")) == (3, 3)


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST /v1/chat/completions HT", id="part of a line"),
        pytest.param(post(b"")[:-4], id="nearly all"),
    ],
)
async def test_a_slow_head_ends_the_connection(gateway: Gateway, begun: bytes) -> None:
    client = RawClient(gateway.port)
    await client.send(begun)
    async with asyncio.timeout(1):
        assert await client.rest() == (b"", "fin")


async def test_a_slow_second_head_ends_the_connection(gateway: Gateway) -> None:
    client = RawClient(gateway.port)
    await client.send(PROBE)
    await client.until(b"ok\n")
    await client.send(PROBE[:-8])
    assert await client.rest() == (b"", "fin")


async def test_idle_connections_do_not_hold_up_the_end(gateway: Gateway) -> None:
    silent, idle = RawClient(gateway.port), RawClient(gateway.port)
    await silent.send(b"")
    await idle.send(PROBE)
    await idle.until(b"ok\n")
    async with asyncio.timeout(1):
        await gateway.app.stop(0.0)
    assert await idle.rest() == (b"", "fin")
