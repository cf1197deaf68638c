import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.core.outcome import Check
from gateway.simulator import Close, Gate, Reset, Send, Silence, Simulator, Step, Wait, json_answer
from gateway.state.timers import Wheel
from gateway.upstream import probe
from gateway.upstream.probe import UpstreamProber
from gateway.upstream.sender import Sender
from tests.upstream.wire import until
from tests.values import make_upstream

MODELS = json_answer(200, {"object": "list", "data": []})


@pytest.fixture
async def upstream() -> AsyncIterator[Simulator]:
    async with Simulator(lambda _: MODELS) as simulator:
        yield simulator


def prober_of(*upstreams: Simulator) -> UpstreamProber:
    known = {s.name: make_upstream(s.name, port=s.port, api_key="sk-1", connect_timeout=0.5) for s in upstreams}
    return UpstreamProber(Sender(known, Wheel(100.0)))


async def check(upstream: Simulator) -> Check:
    (found,) = await prober_of(upstream).check()
    assert found.latency_ms >= 0
    return found


async def test_the_models_endpoint_is_asked_with_the_upstreams_key(upstream: Simulator) -> None:
    found = await check(upstream)
    assert (found.service, found.status, found.error) == ("simulator", "healthy", None)
    (seen,) = upstream.requests
    assert (seen.method, seen.path, seen.body) == ("GET", "/v1/models", b"")
    assert seen.header(b"authorization") == b"Bearer sk-1"


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        pytest.param(json_answer(200, {}), "healthy", None, id="200"),
        pytest.param(json_answer(204, b""), "healthy", None, id="204"),
        pytest.param([Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), Silence()], "healthy", None, id="a head"),
        pytest.param(
            json_answer(307, {}, [("Location", "http://127.0.0.1:1")]), "degraded", "upstream_error", id="307"
        ),
        pytest.param(json_answer(401, {}), "degraded", "upstream_auth_error", id="401"),
        pytest.param(json_answer(403, {}), "degraded", "upstream_auth_error", id="403"),
        pytest.param(json_answer(404, {}), "degraded", "upstream_error", id="404"),
        pytest.param(json_answer(429, {}), "degraded", "upstream_rate_limited", id="429"),
        pytest.param(json_answer(500, {}), "degraded", "upstream_error", id="500"),
        pytest.param([Close()], "down", "upstream_error", id="FIN"),
        pytest.param([Reset()], "down", "upstream_error", id="RST"),
        pytest.param([Send(b"SSH-2.0-x\r\n"), Silence()], "down", "upstream_protocol_error", id="SSH"),
    ],
)
async def test_a_check_says_how_it_answered(
    upstream: Simulator, answer: list[Step], status: str, error: str | None
) -> None:
    upstream.script = lambda _: answer
    found = await check(upstream)
    assert (found.status, found.error) == (status, error)


async def test_a_closed_port_is_down(upstream: Simulator) -> None:
    await upstream.close()
    found = await check(upstream)
    assert (found.status, found.error) == ("down", "upstream_unreachable")


async def test_no_answer_in_time_is_down(upstream: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe.PROBE_TIMEOUT == 5.0
    monkeypatch.setattr(probe, "PROBE_TIMEOUT", 0.05)
    upstream.script = lambda _: [Silence()]
    found = await check(upstream)
    assert (found.status, found.error) == ("down", "upstream_timeout")
    assert (await upstream.until_left(upstream.requests[0])).by_peer


async def test_every_usable_upstream_is_checked(upstream: Simulator) -> None:
    async with Simulator(lambda _: json_answer(500, {}), name="second") as second:
        left_out = make_upstream("third", left_out="KEY is not set")
        known = {
            "simulator": make_upstream("simulator", port=upstream.port),
            "second": make_upstream("second", port=second.port),
            "third": left_out,
        }
        checks = await UpstreamProber(Sender(known, Wheel(100.0))).check()
    assert [(found.service, found.status) for found in checks] == [("simulator", "healthy"), ("second", "degraded")]


async def test_who_asks_while_a_probe_is_under_way_gets_its_answer(upstream: Simulator) -> None:
    gate = Gate()
    upstream.script = lambda _: [Wait(gate), *MODELS]
    prober = prober_of(upstream)
    async with asyncio.TaskGroup() as tasks:
        askers = [tasks.create_task(prober.check(), name=f"asker {n}") for n in range(20)]
        await gate.until_reached()
        gate.open()
    assert len(upstream.requests) == 1
    assert len({id(asker.result()[0]) for asker in askers}) == 1


async def test_one_who_stops_asking_does_not_stop_the_others_probe(upstream: Simulator) -> None:
    gate = Gate()
    upstream.script = lambda _: [Wait(gate), *MODELS]
    prober = prober_of(upstream)
    loop = asyncio.get_running_loop()
    gone = loop.create_task(prober.check(), name="gone")
    stays = loop.create_task(prober.check(), name="stays")
    await gate.until_reached()
    gone.cancel()
    await until(gone.done)
    gate.open()
    assert [found.status for found in await stays] == ["healthy"]
    assert len(upstream.requests) == 1


async def test_an_answer_is_remembered_for_ten_seconds(upstream: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    prober = prober_of(upstream)
    assert await prober.check() == await prober.check()
    assert len(upstream.requests) == 1
    assert probe.REMEMBERED == 10.0
    monkeypatch.setattr(probe, "REMEMBERED", 0.0)
    await prober.check()
    assert len(upstream.requests) == 2


async def test_a_probe_leaves_no_connection_behind(upstream: Simulator) -> None:
    prober = prober_of(upstream)
    await prober.check()
    assert (await upstream.until_left(upstream.requests[0])).by_peer


async def test_an_upstream_whose_connections_are_all_in_use_is_not_down(upstream: Simulator) -> None:
    there = make_upstream(upstream.name, port=upstream.port, max_connections=1, connect_timeout=0.5)
    sender = Sender({upstream.name: there}, Wheel(100.0))
    await sender.pools[upstream.name].take()
    (found,) = await UpstreamProber(sender).check()
    assert found.status == "healthy"
