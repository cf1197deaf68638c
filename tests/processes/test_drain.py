"""How a gateway ends: what it still takes, what it lets finish, what it cuts; alone and with a parent."""

import json
import os
import signal
import time
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from gateway import app
from gateway.simulator import Gate, Simulator, Wait, json_answer
from tests.catalogue import fault
from tests.conftest import StartGateway
from tests.e2e.raw import RawClient, chat, post, unchunked
from tests.processes.conftest import Configure
from tests.processes.served import SERVE, Served, started
from tests.simulator.wire import Parsed

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(params=[1, 2], ids=["alone", "two workers"])
async def served(request: pytest.FixtureRequest, configure: Configure) -> AsyncIterator[Served]:
    file = str(configure(workers=request.param))
    async with started(*SERVE, file, workers=request.param) as served:
        yield served


async def open_stream(served: Served, model: str) -> tuple[RawClient, bytes]:
    client = RawClient(served.port)
    await client.send(post(chat(model)))
    return client, await client.until(b'"delta":{"content":')


async def all_drain(served: Served) -> None:
    await served.until("draining", max(1, len(served.pids)))


@fault("P03")
async def test_p03_after_sigterm_it_says_not_ready_accepts_for_a_moment_and_lets_streams_end(served: Served) -> None:
    client, begun = await open_stream(served, "first/sim-50tps-130tok")
    served.send(signal.SIGTERM)
    await all_drain(served)
    for _ in range(6):
        ready = await served.get("/readyz")
        assert (ready.status, ready.body, ready.headers[b"connection"]) == (503, b"draining\n", b"close")
    late = RawClient(served.port)
    await late.send(post(chat("first/small", stream=False)))
    answer = Parsed((await late.rest())[0])
    assert (answer.status, answer.headers[b"connection"]) == (200, b"close")
    seen = begun + await client.until(b"[DONE]\n\n\r\n0\r\n\r\n")
    assert Parsed(seen).complete
    client.leave()
    assert await served.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_kept_alive_connection_gets_one_more_answer(served: Served, number: signal.Signals) -> None:
    client = RawClient(served.port)
    await client.send(GET)
    assert b"connection" not in Parsed(await client.until(b"ok\n")).headers
    served.send(number)
    await all_drain(served)
    await client.send(GET)
    answer, end = await client.rest()
    assert (Parsed(answer).headers[b"connection"], end) == (b"close", "fin")
    assert await served.ended() == 0


async def test_the_head_of_an_answer_that_was_waited_for_says_close(served: Served, upstream: Simulator) -> None:
    gate = Gate()
    upstream.script = lambda request: [Wait(gate), *json_answer(200, {"choices": [], "usage": None})]
    client = RawClient(served.port)
    await client.send(post(chat("first/small", stream=False)))
    await gate.until_reached()
    served.send(signal.SIGINT)
    await all_drain(served)
    gate.open()
    answer = Parsed((await client.rest())[0])
    assert (answer.status, answer.headers[b"connection"]) == (200, b"close")
    assert await served.ended() == 0


@pytest.mark.parametrize("workers", [1, 2], ids=["alone", "two workers"])
@fault("P03")
async def test_p03_at_the_drain_timeout_a_stream_is_told_and_cut(configure: Configure, workers: int) -> None:
    file = str(configure(workers=workers, drain_timeout="1s"))
    async with started(*SERVE, file, workers=workers) as served:
        client, begun = await open_stream(served, "first/sim-50tps-5000tok")
        served.send(signal.SIGTERM)
        seen = begun + (await client.rest())[0]
        payload, complete = unchunked(seen.partition(b"\r\n\r\n")[2])
        last = json.loads(payload.rstrip().rpartition(b"data: ")[2])
        assert (last["error"]["code"], complete) == ("draining", False)
        assert b"[DONE]" not in payload
        assert (await served.until("call"))["outcome"] == "drained"
        assert await served.ended() == 0


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_cuts_at_once(served: Served, first: signal.Signals) -> None:
    client, begun = await open_stream(served, "first/sim-50tps-5000tok")
    served.send(first)
    await all_drain(served)
    served.send(signal.SIGTERM)
    payload, complete = unchunked((begun + (await client.rest())[0]).partition(b"\r\n\r\n")[2])
    assert b'"code":"draining"' in payload
    assert not complete
    assert await served.ended() == 0


async def test_an_init_system_that_signals_all_processes_at_once_cuts_nothing(configure: Configure) -> None:
    async with started(*SERVE, str(configure()), workers=2) as served:
        client, begun = await open_stream(served, "first/sim-50tps-40tok")
        served.send(signal.SIGTERM)
        await all_drain(served)
        for pid in served.pids:
            os.kill(pid, signal.SIGTERM)
        seen = begun + await client.until(b"[DONE]\n\n\r\n0\r\n\r\n")
        assert Parsed(seen).complete
        client.leave()
        assert await served.ended() == 0


async def test_without_a_connection_it_ends_at_once(served: Served) -> None:
    began = time.monotonic()
    served.send(signal.SIGINT)
    assert await served.ended() == 0
    assert time.monotonic() - began < app.IDLE_GRACE, "there is nobody to wait for"


async def test_a_lone_worker_is_not_ended_by_what_is_meant_for_a_supervisor(configure: Configure) -> None:
    async with started(*SERVE, str(configure(workers=1)), workers=1) as served:
        served.send(signal.SIGUSR2)
        await served.until("there is no supervisor to replace workers")
        assert (await served.get("/readyz")).status == HTTPStatus.OK


async def test_a_connection_that_rests_is_closed_after_a_while_and_not_waited_for_longer(
    start_gateway: StartGateway, two_upstreams: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "IDLE_GRACE", 0.3)
    gateway = await start_gateway(two_upstreams)
    client = RawClient(gateway.port)
    await client.send(GET)
    await client.until(b"ok\n")
    began = time.monotonic()
    await gateway.app.stop(20.0)
    assert 0.25 < time.monotonic() - began < 2
    assert await client.rest() == (b"", "fin")


async def test_a_stream_that_outlives_the_idle_connections_is_waited_for(
    start_gateway: StartGateway, two_upstreams: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "IDLE_GRACE", 0.1)
    gateway = await start_gateway(two_upstreams)
    client = RawClient(gateway.port)
    await client.send(post(chat("first/sim-50tps-25tok")))
    begun = await client.until(b'"delta":{"content":')
    await gateway.app.stop(20.0)
    payload, complete = unchunked((begun + (await client.rest())[0]).partition(b"\r\n\r\n")[2])
    assert (payload.endswith(b"data: [DONE]\n\n"), complete) == (True, True)
