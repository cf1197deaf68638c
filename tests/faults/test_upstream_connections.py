"""Connections to upstreams that never come about, or are not what a kept one should be."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from gateway.simulator import (
    Close,
    Gate,
    Pause,
    Request,
    Reset,
    Silence,
    Simulator,
    Step,
    Wait,
    error_answer,
    json_answer,
)
from tests.catalogue import fault
from tests.faults.rig import Rig, ask, until

BOTH = pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])


async def check_attempts(rig: Rig, model: str, outcome: str, status: int, code: str, *, stream: bool = True) -> None:
    """With nobody left to ask, and with another target."""
    assert (await rig.ask(f"first/{model}", stream=stream)).error == (status, code)
    answer = await rig.ask(f"rescued/{model}", stream=stream)
    assert (answer.status, answer.complete, answer.header("x-provider")) == (200, True, "second")
    await rig.gateway.last_call(2)
    alone, rescued = rig.gateway.calls()
    assert [attempt["outcome"] for attempt in alone["attempts"]] == [outcome]
    assert [attempt["outcome"] for attempt in rescued["attempts"]] == [outcome, "ok"]
    assert "prompt_tokens" not in alone
    assert rig.metric("attempts_total", model="first/*", upstream="first", outcome=outcome) == 1


@BOTH
@fault("U01")
async def test_u01_a_closed_port(rig: Rig, stream: bool) -> None:
    await rig.start()
    await rig.first.close()
    await check_attempts(rig, "any", "up_connect", 502, "upstream_unreachable", stream=stream)


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """A port where nobody answers: the queue of those who are not accepted is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@BOTH
@fault("U02")
async def test_u02_a_port_that_nobody_answers_at(rig: Rig, stream: bool) -> None:
    with full_backlog() as port:
        config = rig.config().replace(rig.first.url, f"http://127.0.0.1:{port}/v1").replace("500ms", "100ms", 1)
        await rig.start(config)
        await check_attempts(rig, "any", "up_connect_timeout", 504, "upstream_timeout", stream=stream)
    for call in rig.gateway.calls():
        assert 90 < call["attempts"][0]["ms"] < 5000


@fault("U03")
async def test_u03_a_host_that_has_no_address(rig: Rig) -> None:
    """`a..b` is a name that no resolver needs to be asked for; no configuration may hold it."""
    app = (await rig.start()).app
    routes = app.config.routes
    lost = replace(routes.upstreams["first"], host="a..b")
    app.take(replace(app.config, routes=replace(routes, upstreams={**routes.upstreams, "first": lost})))
    answer = await rig.ask("first/any")
    assert answer.error == (502, "upstream_unreachable")
    assert b"a..b" not in bytes(rig.clients[0].seen)
    assert (await rig.ask("rescued/any")).header("x-provider") == "second"
    attempts = [attempt["outcome"] for call in rig.gateway.calls() for attempt in call["attempts"]]
    assert attempts == ["up_connect", "up_connect", "ok"]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@fault("U04")
async def test_u04_the_upstream_sees_us_leave(rig: Rig, stream: bool) -> None:
    await rig.start(models="first_byte_timeout: 100ms, timeout: 200ms")
    rig.first.script = lambda request: [Silence()]
    assert (await rig.ask("first/any", stream=stream)).error == (504, "upstream_timeout")
    async with asyncio.timeout(5):
        assert (await rig.first.until_left(rig.first.requests[0])).by_peer


@fault("U04")
async def test_u04_a_plain_call_that_took_all_its_time_has_none_left_for_another_target(rig: Rig) -> None:
    """Its first byte comes after the whole generation, so that only `timeout` bounds it, which is all attempts'."""
    await rig.start(models="first_byte_timeout: 100ms, timeout: 300ms")
    rig.first.script = lambda request: [Silence()]
    assert (await rig.ask("rescued/any", stream=False)).error == (504, "upstream_timeout")
    assert not rig.second.requests
    call = await rig.gateway.last_call()
    assert [attempt["outcome"] for attempt in call["attempts"]] == ["up_timeout_first"]


def echo(request: Request) -> list[Step]:
    return json_answer(200, {"choices": [], "echo": json.loads(request.body)["seed"]})


@pytest.mark.parametrize("between", [[], [Pause(0)], [Pause(0.001)]], ids=["at once", "next turn", "later"])
@fault("U44")
async def test_u44_a_second_answer_on_a_connection_reaches_nobody(rig: Rig, between: list[Step]) -> None:
    """It has to come before the next request is on its way: then it would be that one's by all that HTTP/1.1 says."""
    await rig.start()
    rig.first.script = lambda request: [*echo(request), *between, *json_answer(200, {"choices": [], "echo": "evil"})]
    for number in range(5):
        answer = await rig.ask("first/any", stream=False, seed=number)
        assert json.loads(answer.body)["echo"] == number
        await until(lambda: not rig.first.open_connections, "a poisoned connection is kept")
    assert {call["outcome"] for call in rig.gateway.calls()} == {"ok"}


@pytest.mark.parametrize("end", [Close(), Reset()], ids=["fin", "rst"])
@fault("U45")
async def test_u45_a_kept_connection_that_ends_under_a_request_is_replaced_once(rig: Rig, end: Step) -> None:
    await rig.start()
    assert (await rig.ask("first/any", stream=False)).status == 200
    answers = iter([[end]])
    healthy = rig.first.script
    rig.first.script = lambda request: next(answers, None) or healthy(request)
    assert (await rig.ask("first/any", stream=False)).status == 200
    assert [request.connection for request in rig.first.requests] == [1, 1, 2]
    assert rig.metric("attempts_total", model="first/*", upstream="first", outcome="ok") == 2
    rig.first.script = lambda request: [end]
    assert (await rig.ask("first/any", stream=False)).error == (502, "upstream_error")
    assert [request.connection for request in rig.first.requests] == [1, 1, 2, 2, 3]


@fault("U45")
async def test_u45_a_server_that_closes_what_it_kept_is_asked_again(rig: Rig) -> None:
    """As llama.cpp: it promises to keep the connection, and closes it."""
    await rig.start()
    for _ in range(20):
        assert (await rig.ask("first/fault-keepalive-lie")).complete
    assert [len(call["attempts"]) for call in rig.gateway.calls()] == [1] * 20


@pytest.fixture
async def deaf(rig: Rig) -> AsyncIterator[Simulator]:
    """Never reads a request's body. Before `first` for who starts the rig's gateway by `config_of`."""
    async with Simulator(at_head=True) as simulator:
        yield simulator


def config_of(rig: Rig, deaf: Simulator, models: str = "") -> str:
    return rig.config(models=models).replace(rig.first.url, deaf.url)


@BOTH
@fault("U46")
async def test_u46_an_upstream_that_reads_no_body(rig: Rig, deaf: Simulator, stream: bool) -> None:
    await rig.start(config_of(rig, deaf, "first_byte_timeout: 200ms, timeout: 400ms"))
    deaf.script = lambda request: [Silence()]
    answer = await rig.ask("first/any", stream=stream, user="x" * 8_000_000)
    assert answer.error == (504, "upstream_timeout")
    assert (await rig.gateway.last_call())["attempts"][0]["outcome"] == "up_timeout_first"


@fault("U47")
async def test_u47_an_early_413_and_a_close_are_heard_a_hundred_times(rig: Rig, deaf: Simulator) -> None:
    await rig.start(config_of(rig, deaf))
    deaf.script = lambda request: [*error_answer(413, "Too large.", code="upstream_too_large"), Close()]
    request = ask("rescued/any", stream=False, user="x" * 1_000_000)
    for _ in range(100):
        assert (await rig.send(request)).error == (413, "upstream_too_large")
    assert not rig.second.requests


@fault("U47")
async def test_u47_an_early_413_leaves_no_connection_with_half_a_request_on_it(rig: Rig, deaf: Simulator) -> None:
    await rig.start(config_of(rig, deaf))
    gate = Gate()
    deaf.script = lambda request: [*error_answer(413, "Too large.", code="upstream_too_large"), Wait(gate)]
    request = ask("rescued/any", stream=False, user="x" * 12_000_000)
    for _ in range(5):
        assert (await rig.send(request)).error == (413, "upstream_too_large")
    assert deaf.connections == 5
    gate.open()
