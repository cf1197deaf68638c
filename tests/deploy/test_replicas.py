"""Two gateways behind the shipped nginx: both are asked, and one that is down is not noticed."""

import asyncio

from bench.process import free_port
from gateway.simulator import Simulator
from tests.catalogue import fault
from tests.conftest import Gateway, StartGateway
from tests.deploy.conftest import StartNginx
from tests.e2e.raw import RawClient, chat, post

CALLS = 8


def connections(gateway: Gateway) -> int:
    server = gateway.app._server
    assert server is not None
    return len(server.connections)


async def call(port: int) -> bytes:
    client = RawClient(port)
    await client.send(post(chat("first/small", stream=False), headers="Connection: close\r\n"))
    return (await client.rest())[0]


async def test_both_are_asked(start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str) -> None:
    gateways = [await start_gateway(two_upstreams), await start_gateway(two_upstreams)]
    port = await start_nginx(*(gateway.port for gateway in gateways))
    for _ in range(CALLS):
        assert (await call(port)).startswith(b"HTTP/1.1 200 ")
    assert [connections(gateway) for gateway in gateways] == [1, 1]


async def test_one_that_is_down_costs_no_call(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    port = await start_nginx(free_port(), gateway.port)
    for _ in range(CALLS):
        assert (await call(port)).startswith(b"HTTP/1.1 200 ")
    assert len(upstream.requests) == CALLS


@fault("N03")
async def test_a_call_that_one_began_is_never_given_to_the_other(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str, upstream: Simulator
) -> None:
    begun = 0

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal begun
        await reader.readuntil(b"\r\n\r\n")
        begun += 1
        writer.transport.abort()

    gateway = await start_gateway(two_upstreams)
    async with await asyncio.start_server(die, "127.0.0.1", 0) as dying:
        port = await start_nginx(dying.sockets[0].getsockname()[1], gateway.port)
        reply = await call(port)
    assert reply.startswith(b"HTTP/1.1 502 ")
    assert b'"gateway_unreachable"' in reply
    assert (begun, upstream.requests) == (1, [])
