"""Upstreams that fail before the first byte: the next target answers, or the client is told what it was."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from gateway.simulator import Close, Send, Silence, Step, chunked, error_answer, event, head, json_answer, sse_answer
from tests.catalogue import fault
from tests.faults.rig import PROVIDER_KEY, Rig

PLAIN: dict[str, object] = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}}]}
CONTENT = event({"choices": [{"index": 0, "delta": {"content": "a"}}]})
SSE_HEAD = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
JSON_HEAD = head(200, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
TRAILERS = b"0\r\n" + b"".join(b"x-trailer-%d: 1\r\n" % number for number in range(1000)) + b"\r\n"


@dataclass(frozen=True)
class Row:
    """`does` is an answer, or the name of one of the simulator's faults; `status` and `code` are what a client gets
    when nobody is left to ask, `attempt` what the log and the metrics say of it; `streams` says of which form it is.
    """

    id: str
    title: str
    does: Sequence[Step] | str
    status: int
    code: str
    attempt: str
    streams: tuple[bool, ...] = (True, False)


def _protocol(row: str, title: str, does: Sequence[Step] | str, streams: tuple[bool, ...] = (True, False)) -> Row:
    return Row(row, title, does, 502, "upstream_protocol_error", "up_protocol", streams)


def _error(row: str, title: str, does: Sequence[Step] | str, attempt: str, streams: tuple[bool, ...]) -> Row:
    return Row(row, title, does, 502, "upstream_error", attempt, streams)


def _first_event(title: str, error: object, status: int, code: str, attempt: str) -> Row:
    return Row("U25", title, sse_answer([event({"error": error})]), status, code, attempt, (True,))


BOTH, STREAM, NO_STREAM = (True, False), (True,), (False,)
GZIP, BROTLI = [("Content-Encoding", "gzip")], [("Content-Encoding", "br")]

ROWS = [
    Row("U04", "silence", [Silence()], 504, "upstream_timeout", "up_timeout_first", STREAM),
    _error("U05", "fin", "fault-close-head", "up_reset", BOTH),
    _error("U06", "rst", "fault-reset-head", "up_reset", BOTH),
    _error("U07", "half a status line", [Send(b"HTTP/1.1 20"), Close()], "up_reset", BOTH),
    _error("U07", "half a head", [Send(b"HTTP/1.1 200 OK\r\nContent-"), Close()], "up_reset", BOTH),
    _protocol("U08", "ssh banner", "fault-ssh"),
    _protocol("U08", "http 2 frame", [Send(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"), Silence()]),
    _protocol("U08", "tls alert", [Send(b"\x15\x03\x01\x00\x02\x02\x0a"), Close()]),
    _protocol("U09", "64 KB header", "fault-big-header"),
    _protocol("U10", "300 headers", "fault-many-headers"),
    _protocol("U11", "nul in a header", json_answer(200, PLAIN, [("X-Odd", "a\x00b")])),
    _protocol("U11", "control character in a header", json_answer(200, PLAIN, [("X-Odd", "a\x01b")])),
    _protocol("U12", "status 099", [Send(b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n")]),
    _protocol("U12", "status 999", "fault-bad-status"),
    _protocol("U12", "status 1000", [Send(b"HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n")]),
    _protocol("U12", "status 101", [Send(head(101, [("Upgrade", "h2c"), ("Connection", "upgrade")]))]),
    *(
        Row("U17", str(status), error_answer(status, f"Key {PROVIDER_KEY}."), 502, "upstream_auth_error", "up_auth")
        for status in (401, 403)
    ),
    *(_error("U18", str(status), error_answer(status, "Later."), "up_5xx", BOTH) for status in (408, 409, 425)),
    *(_error("U22", str(status), error_answer(status, "No."), "up_5xx", BOTH) for status in (500, 502, 503, 504)),
    _error("U23", "529", "fault-status-529", "up_5xx", BOTH),
    _first_event("server error", {"message": "no", "type": "server_error"}, 502, "upstream_error", "up_5xx"),
    _first_event("text", "The model could not be loaded.", 502, "upstream_error", "up_5xx"),
    _first_event("429", {"message": "no", "code": 429}, 429, "upstream_rate_limited", "up_429"),
    _first_event("key", {"type": "authentication_error"}, 502, "upstream_auth_error", "up_auth"),
    Row("U26", "no event", "fault-empty", 502, "upstream_empty", "up_empty", STREAM),
    Row("U26", "only done", sse_answer([], done=True), 502, "upstream_empty", "up_empty", STREAM),
    Row("U26", "no body", "fault-empty-plain", 502, "upstream_empty", "up_empty", NO_STREAM),
    Row("U27", "only comments", "fault-comments-only", 504, "upstream_timeout", "up_timeout_first", STREAM),
    _error("U31", "40 of 100 bytes", "fault-truncated-plain", "up_reset", NO_STREAM),
    _protocol("U38", "gzip", "fault-gzip", STREAM),
    _protocol("U39", "no gzip", sse_answer([CONTENT], headers=GZIP), STREAM),
    _protocol("U39", "no brotli", sse_answer([CONTENT], headers=BROTLI), STREAM),
    _error("U43", "no event, 1,000 trailers", [Send(SSE_HEAD + TRAILERS)], "up_reset", STREAM),
    _error("U43", "1,000 trailers", [Send(JSON_HEAD + chunked(b"{}") + TRAILERS)], "up_reset", NO_STREAM),
]

PARAMS = [
    pytest.param(
        row,
        stream,
        marks=fault(row.id),
        id=f"{row.id.lower()}-{row.title.replace(' ', '-')}-{'stream' if stream else 'plain'}",
    )
    for row in ROWS
    for stream in row.streams
]


async def begin(rig: Rig, row: Row) -> str:
    """What the model is called that does it, without its prefix."""
    patient = '"second/*": {first_byte_timeout: 30s, '
    short = "first_byte_timeout: 100ms" if row.attempt == "up_timeout_first" else ""
    await rig.start(rig.config(models=short).replace('"second/*": {', patient))
    if isinstance(row.does, str):
        return row.does
    does = row.does
    rig.first.script = lambda request: does
    return "any"


@pytest.mark.parametrize(("row", "stream"), PARAMS)
async def test_the_next_target_answers(rig: Rig, row: Row, stream: bool) -> None:
    model = await begin(rig, row)
    answer = await rig.ask(f"rescued/{model}", stream=stream)
    assert (answer.status, answer.complete) == (200, True)
    assert (answer.header("x-provider"), answer.header("x-fallback-used")) == ("second", "true")
    assert answer.header("x-gateway-attempts") == "2"
    call = await rig.gateway.last_call()
    assert (call["outcome"], call["status"], call["usage_source"]) == ("ok", 200, "provider")
    assert [attempt["outcome"] for attempt in call["attempts"]] == [row.attempt, "ok"]
    assert rig.metric("attempts_total", model="rescued/*", upstream="first", outcome=row.attempt) == 1
    assert rig.metric("fallbacks_total", **{"from": "rescued/*", "to": "second/*", "reason": row.attempt}) == 1
    assert (len(rig.first.requests), len(rig.second.requests)) == (1, 1)


@pytest.mark.parametrize(("row", "stream"), PARAMS)
async def test_the_last_target_is_told_of(rig: Rig, row: Row, stream: bool) -> None:
    model = await begin(rig, row)
    answer = await rig.ask(f"first/{model}", stream=stream)
    assert answer.error == (row.status, row.code)
    assert answer.complete
    assert answer.header("x-gateway-attempts") == "1"
    assert answer.header("x-should-retry") is None
    call = await rig.gateway.last_call()
    assert (call["outcome"], call["status"], call["code"]) == ("failed", row.status, row.code)
    assert [attempt["outcome"] for attempt in call["attempts"]] == [row.attempt]
    assert "prompt_tokens" not in call, "nothing is charged"
    assert rig.metric("attempts_total", model="first/*", upstream="first", outcome=row.attempt) == 1
    assert len(rig.first.requests) == 1
