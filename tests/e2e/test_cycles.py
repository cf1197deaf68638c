"""A call leaves nothing to the garbage collector: looking for cycles was a fifth of the cost of a plain call."""

import gc
from collections import Counter

import pytest

from gateway.simulator import Simulator
from tests.conftest import Gateway, StartGateway
from tests.e2e.raw import RawClient, chat, post

CALLS = 20


@pytest.mark.parametrize(
    ("asked", "last"),
    [
        pytest.param(chat("first/x", stream=False), b'"usage"', id="plain"),
        pytest.param(chat("first/x"), b"\r\n0\r\n\r\n", id="stream"),
        pytest.param(chat("shaky", stream=False), b'"usage"', id="fallback"),
        pytest.param(chat("nowhere"), b"model_not_found", id="refused"),
    ],
)
async def test_a_call_makes_no_reference_cycle(
    start_gateway: StartGateway, two_upstreams: str, second: Simulator, asked: object, last: bytes
) -> None:
    shaky = "  shaky: {upstream: first, name: fail-first, fallbacks: [second/x]}\n"
    gateway = await start_gateway(two_upstreams.replace("models:\n", f"models:\n{shaky}"))
    client = RawClient(gateway.port)
    await call(gateway, client, asked, last, 3)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        await call(gateway, client, asked, last, CALLS)
        gc.collect()
        left = Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert {name: count for name, count in left.items() if name.startswith(("gateway.", "httptools."))} == {}


async def call(gateway: Gateway, client: RawClient, asked: object, last: bytes, times: int) -> None:
    for _ in range(times):
        await client.send(post(asked))
        await client.until(last)
    gateway.app.recorder.flush()
