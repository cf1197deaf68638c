"""Answers that are no failure, or the caller's own: what of them reaches the client, and what follows from them."""

import asyncio
import email.utils
import gzip
import json
import time
from collections.abc import Iterator

import pytest

from gateway.simulator import Request, Send, Simulator, Step, error_answer, head, json_answer
from gateway.state.health import TargetState
from tests.catalogue import fault
from tests.faults.rig import Rig

PLAIN = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}}]}
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@fault("U13")
async def test_u13_200_early_hints_are_skipped(rig: Rig, stream: bool) -> None:
    await rig.start()
    answer = await rig.ask("rescued/fault-103-flood", stream=stream)
    assert (answer.status, answer.complete, answer.header("x-provider")) == (200, True, "first")
    assert answer.header("link") is None


@fault("U13")
async def test_u13_early_hints_without_end_do_not_stop_the_clock(rig: Rig) -> None:
    def flood(request: Request) -> Iterator[Step]:
        while True:
            yield Send(EARLY * 1000)

    await rig.start(models="first_byte_timeout: 300ms")
    rig.first.script = flood
    assert (await rig.ask("first/any")).error == (504, "upstream_timeout")
    assert (await rig.first.until_left(rig.first.requests[0])).by_peer is not False


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@fault("U14")
async def test_u14_a_redirect_is_not_followed(rig: Rig, status: int) -> None:
    async with Simulator(name="attacker") as attacker:
        redirect = [Send(head(status, [("Location", f"{attacker.url}/chat/completions"), ("Content-Length", "0")]))]
        await rig.start()
        rig.first.script = lambda request: redirect
        assert (await rig.ask("first/any")).error == (502, "upstream_protocol_error")
        answer = await rig.ask("rescued/any")
        assert (answer.status, answer.header("x-provider"), answer.header("location")) == (200, "second", None)
        assert attacker.connections == 0
    outcomes = [[attempt["outcome"] for attempt in call["attempts"]] for call in rig.gateway.calls()]
    assert outcomes == [["up_protocol"], ["up_protocol", "ok"]]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize(
    ("status", "code", "param"),
    [
        pytest.param(400, "invalid_value", "temperature", id="400"),
        pytest.param(404, "file_not_found", None, id="404"),
        pytest.param(413, "too_large", None, id="413"),
        pytest.param(422, None, "messages", id="422"),
    ],
)
@fault("U15")
async def test_u15_the_callers_mistake_is_told_in_the_upstreams_words(
    rig: Rig, status: int, code: str, param: str | None, stream: bool
) -> None:
    await rig.start()
    rig.first.script = lambda request: error_answer(status, "é" * 5000, code=code, param=param)
    answer = await rig.ask("rescued/any", stream=stream)
    assert answer.error == (status, code)
    error = json.loads(answer.body)["error"]
    assert (error["message"], error["type"], error["param"]) == ("é" * 1024, "invalid_request_error", param)
    assert not rig.second.requests, "no other target would say otherwise"
    call = await rig.gateway.last_call()
    assert (call["outcome"], call["status"], call.get("code")) == ("failed", status, code)
    assert [attempt["outcome"] for attempt in call["attempts"]] == ["up_4xx"]
    assert rig.metric("attempts_total", model="rescued/*", upstream="first", outcome="up_4xx") == 1


@fault("U16")
async def test_u16_5_mb_of_html_are_read_to_64_kb_and_left(rig: Rig) -> None:
    html = b"<html>" + b"x" * 5_000_000
    await rig.start()
    rig.first.script = lambda request: [
        Send(head(400, [("Content-Type", "text/html"), ("Content-Length", str(len(html)))])),
        *(Send(html[at : at + 65536]) for at in range(0, len(html), 65536)),
    ]
    answer = await rig.ask("rescued/any", stream=False)
    assert answer.error == (400, "upstream_rejected")
    assert len(answer.body) < 1000
    async with asyncio.timeout(5):
        departure = await rig.first.until_left(rig.first.requests[0])
    assert departure.by_peer
    assert departure.sent < len(html)
    assert not rig.second.requests
    assert [attempt["outcome"] for attempt in (await rig.gateway.last_call())["attempts"]] == ["up_4xx"]


def at(seconds: float) -> str:
    """An HTTP date so far from now."""
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def _by_clock(ahead: float) -> list[tuple[str, str]]:
    """Of a provider whose clock is wrong by so many seconds."""
    return [("Retry-After", at(ahead + 10)), ("Date", at(ahead))]


WAITS = [
    pytest.param([("Retry-After", "7")], 7, marks=fault("U19"), id="u19-seconds"),
    pytest.param(
        [("Retry-After", at(7200 + 10)), ("Date", at(7200))], 10, marks=fault("U20"), id="u20-two-hours-ahead"
    ),
    pytest.param(
        [("Retry-After", at(10 - 7200)), ("Date", at(-7200))], 10, marks=fault("U20"), id="u20-two-hours-behind"
    ),
    pytest.param([("Retry-After", "-5")], 1, marks=fault("U21"), id="u21-negative"),
    pytest.param([("Retry-After", "99999999")], 60, marks=fault("U21"), id="u21-years"),
    pytest.param([("Retry-After", "soon")], 1, marks=fault("U21"), id="u21-a-word"),
    pytest.param([("Retry-After", "7"), ("Retry-After", "99")], 7, marks=fault("U21"), id="u21-two-headers"),
    pytest.param([("Retry-After", at(-3600))], 1, marks=fault("U21"), id="u21-an-hour-ago"),
]


@pytest.mark.parametrize(("headers", "seconds"), WAITS)
async def test_a_429_leaves_its_target_alone_for_so_long(
    rig: Rig, headers: list[tuple[str, str]], seconds: int
) -> None:
    gateway = await rig.start()
    rig.first.script = lambda request: error_answer(429, "Slow down.", headers=headers)
    answer = await rig.ask("first/any")
    assert answer.error == (429, "upstream_rate_limited")
    assert answer.header("retry-after") == str(seconds)
    assert seconds - 1 < int(answer.header("retry-after-ms") or 0) / 1000 <= seconds
    again = await rig.ask("first/any")
    assert again.error == (503, "no_available_upstream")
    assert 0 < int(again.header("retry-after") or 0) <= seconds
    assert len(rig.first.requests) == 1, "it cools down"
    gateway.app._refresh_gauges()
    assert rig.metric("target_state", model="first/*", upstream="first") == TargetState.COOLDOWN
    assert rig.metric("attempts_total", model="first/*", upstream="first", outcome="up_429") == 1


@fault("U20")
async def test_u20_a_date_counts_from_now(rig: Rig) -> None:
    await rig.start()
    rig.first.script = lambda request: error_answer(429, "Slow down.", headers=[("Retry-After", at(10))])
    assert (await rig.ask("first/any")).header("retry-after") in ("9", "10")


@fault("U19")
async def test_u19_others_are_asked_meanwhile(rig: Rig) -> None:
    await rig.start()
    for _ in range(3):
        answer = await rig.ask("rescued/fault-status-429")
        assert (answer.status, answer.header("x-provider")) == (200, "second")
    assert (len(rig.first.requests), len(rig.second.requests)) == (1, 3)
    attempts = [len(call["attempts"]) for call in rig.gateway.calls()]
    assert attempts == [2, 1, 1]


@fault("U24")
async def test_u24_json_in_place_of_a_stream_is_passed_on(rig: Rig) -> None:
    await rig.start()
    rig.first.script = lambda request: json_answer(200, PLAIN)
    answer = await rig.ask("rescued/any", stream=True)
    assert (answer.status, answer.header("content-type"), answer.complete) == (200, "application/json", True)
    assert answer.json == PLAIN
    call = await rig.gateway.last_call()
    assert (call["outcome"], len(call["attempts"])) == ("ok", 1)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        pytest.param({"type": "invalid_request_error", "code": "bad_tool"}, 400, "bad_tool", id="by type"),
        pytest.param({"code": 422, "message": "no"}, 422, None, id="by code"),
        pytest.param({"code": "string_above_max_length"}, 400, "context_length_exceeded", id="too long"),
    ],
)
@fault("U25")
async def test_u25_a_first_event_that_blames_the_caller_is_the_callers(
    rig: Rig, error: dict[str, object], status: int, code: str | None
) -> None:
    await rig.start()
    payload = b"data: %b\n\n" % json.dumps({"error": {"message": "no", **error}}).encode()
    rig.first.script = lambda request: [
        Send(head(200, [("Content-Type", "text/event-stream"), ("Content-Length", str(len(payload)))]) + payload)
    ]
    answer = await rig.ask("rescued/any")
    assert answer.error == (status, code)
    assert not rig.second.requests


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", gzip.compress(json.dumps(PLAIN).encode()), marks=fault("U38"), id="u38-gzip"),
        pytest.param("gzip", b"no gzip at all", marks=fault("U39"), id="u39-no-gzip"),
        pytest.param("br", b"no brotli at all", marks=fault("U39"), id="u39-no-brotli"),
    ],
)
async def test_an_encoded_plain_answer_is_passed_on_as_it_is(rig: Rig, encoding: str, body: bytes) -> None:
    await rig.start()
    rig.first.script = lambda request: json_answer(200, body, [("Content-Encoding", encoding)])
    answer = await rig.ask("first/any", stream=False)
    assert (answer.status, answer.complete, answer.header("content-encoding")) == (200, True, encoding)
    assert answer.body == body
    assert rig.first.requests[0].header(b"accept-encoding") == b"identity"
    call = await rig.gateway.last_call()
    assert (call["outcome"], call["usage_source"]) == ("ok", "estimated")
