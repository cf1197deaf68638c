"""A bug of our own in the middle of a call."""

import json

import pytest

from gateway.flow.pipe import Pipe
from gateway.flow.plan import Planner
from gateway.simulator import Simulator, sse_answer
from tests.catalogue import fault
from tests.conftest import StartGateway
from tests.e2e.answers import answer_to
from tests.e2e.conftest import closed_sockets
from tests.e2e.raw import RawClient, chat, post, unchunked

__all__ = ["closed_sockets"]

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'


def bug(*_: object) -> None:
    raise ZeroDivisionError("sk-canary")


def traced(lines: list[bytes]) -> list[dict[str, object]]:
    """The lines of errors, which are taken out: one that is left there fails the test."""
    errors = [line for line in lines if b'"level":"error"' in line]
    lines[:] = [line for line in lines if line not in errors]
    assert not any(b"canary" in line for line in errors)
    return [json.loads(line) for line in errors]


@fault("P15")
async def test_p15_a_bug_before_the_first_byte_is_a_500_that_says_nothing(
    start_gateway: StartGateway, two_upstreams: str, monkeypatch: pytest.MonkeyPatch, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    request = post(chat("first/small"), headers="Connection: close\r\n")
    with monkeypatch.context() as patch:
        patch.setattr(Planner, "plan", bug)
        answer = await answer_to(gateway, request)
    assert (answer.error, answer.end) == ((500, "internal_error"), "fin")
    assert b"canary" not in answer.body
    call = await gateway.last_call()
    assert (call["outcome"], call["status"], len(gateway.app.live)) == ("internal", 500, 0)
    told, record = traced(gateway.lines)
    assert (told["event"], told["exception"], record["event"]) == ("internal error", "ZeroDivisionError", "call")
    assert upstream.requests == []
    assert (await answer_to(gateway, request)).status == 200


@fault("P15")
async def test_p15_a_bug_after_the_first_byte_is_a_cut(
    start_gateway: StartGateway, two_upstreams: str, monkeypatch: pytest.MonkeyPatch, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    request, plain = post(chat("first/small"), headers="Connection: close\r\n"), upstream.script
    upstream.script = lambda _: sse_answer([EVENT], done=True)[:2]
    with monkeypatch.context() as patch:
        patch.setattr(Pipe, "_watch", bug)
        client = RawClient(gateway.port)
        await client.send(request)
        seen, _ = await client.rest()
    payload, complete = unchunked(seen.partition(b"\r\n\r\n")[2])
    assert not complete
    assert b"[DONE]" not in payload
    assert b"internal" not in seen
    call = await gateway.last_call()
    assert (call["outcome"], call["status"], len(gateway.app.live)) == ("internal", 200, 0)
    assert len(traced(gateway.lines)) == 2
    assert (await upstream.until_left(upstream.requests[0])).by_peer
    upstream.script = plain
    assert (await answer_to(gateway, request)).status == 200
