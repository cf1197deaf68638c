"""A streamed answer up to its first good event. The ids U... are those of the fault catalogue."""

import asyncio
import gzip
import json

import pytest

from gateway.core.fault import (
    ContextFault,
    EmptyFault,
    Fault,
    ProtocolFault,
    RateLimitFault,
    ResetFault,
    StatusFault,
    TimeoutFault,
)
from gateway.core.outcome import Usage
from gateway.simulator import (
    LAST_CHUNK,
    Close,
    Gate,
    Pause,
    Reset,
    Send,
    Silence,
    Step,
    Wait,
    chunked,
    head,
    json_answer,
    sse_answer,
)
from gateway.wire.sse import HOLD, EventStream
from tests.upstream.bench import CHUNKS, DONE, EVENTS, HEL, LAST, LO, PLAIN, STREAM_HEAD, Bench, Steps, rest_of
from tests.upstream.wire import Listening, until


class TestStreams:
    async def test_the_answer_is_there_with_its_first_good_event(self, bench: Bench) -> None:
        gate = Gate()
        answer = await bench.attempt([STREAM_HEAD, Send(chunked(HEL)), Wait(gate), Send(chunked(DONE))])
        assert (answer.take(), answer.complete, answer.headers) == (HEL, False, ())
        assert isinstance(answer.scanner, EventStream)
        assert answer.scanner.started
        gate.open()
        answer.release()

    async def test_what_comes_before_somebody_attaches_is_kept_for_him(self, bench: Bench) -> None:
        gate = Gate()
        answer = await bench.attempt([STREAM_HEAD, Send(chunked(HEL)), Wait(gate), Send(chunked(LO)), Silence()])
        gate.open()
        held = b""
        while len(held) < len(HEL + LO):
            await asyncio.sleep(0)
            held += answer.take()
        assert held == HEL + LO
        answer.abandon()

    async def test_whoever_attaches_gets_the_rest_in_the_reads_it_came_in(self, bench: Bench) -> None:
        gate = Gate()
        answer = await bench.attempt([STREAM_HEAD, Send(chunked(HEL)), Wait(gate), Send(chunked(LO)), Silence()])
        listening = Listening()
        answer.attach(listening)
        gate.open()
        await until(lambda: listening.chunks)
        assert listening.chunks == [(LO, chunked(LO))]
        answer.abandon()

    @pytest.mark.parametrize(
        ("ending", "end"),
        [
            pytest.param([Send(LAST_CHUNK)], "ended", id="whole"),
            pytest.param([Close()], "broke", id="U30 FIN"),
            pytest.param([Reset()], "broke", id="U29 RST"),
            pytest.param([Send(b"XYZ\r\n")], "broke", id="U42 bad chunk size"),
            pytest.param([Send(b"0\r\n" + b"X: a\r\n" * 2000)], "broke", id="U43 2,000 trailers"),
        ],
    )
    async def test_who_attaches_after_the_end_is_told_of_it(self, bench: Bench, ending: list[Step], end: str) -> None:
        gate = Gate()
        answer = await bench.attempt([STREAM_HEAD, Send(chunked(HEL)), Wait(gate), *ending])
        gate.open()
        for _ in range(50):
            await asyncio.sleep(0)
        assert await rest_of(answer) == (HEL, end)
        answer.abandon()

    @pytest.mark.parametrize("chunks", [True, False], ids=["chunks", "no chunks"])
    async def test_a_short_stream_may_be_over_before_it_is_looked_at(self, bench: Bench, chunks: bool) -> None:
        stream = HEL + LAST + DONE
        framing = head(200, [EVENTS, CHUNKS if chunks else ("Connection", "close")])
        answer = await bench.attempt([Send(framing + (chunked(stream) + LAST_CHUNK if chunks else stream)), Close()])
        assert await rest_of(answer) == (stream, "ended")

    async def test_an_only_event_without_its_blank_line_counts_at_the_end(self, bench: Bench) -> None:
        answer = await bench.attempt(sse_answer([LAST[:-2]], done=False))
        assert await rest_of(answer) == (LAST + DONE, "ended")

    async def test_a_missing_content_type_is_no_reason(self, bench: Bench) -> None:
        answer = await bench.attempt([Send(head(200, [CHUNKS]) + chunked(HEL)), Silence()])
        assert answer.take() == HEL
        answer.abandon()

    async def test_u24_json_in_place_of_a_stream_is_a_plain_answer(self, bench: Bench) -> None:
        answer = await bench.attempt(json_answer(200, PLAIN))
        assert (answer.scanner, answer.complete, answer.usage) == (None, True, Usage(7, 2))
        assert json.loads(answer.take()) == PLAIN

    async def test_u13_any_number_of_1xx_is_skipped(self, bench: Bench) -> None:
        early = Send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 200)
        answer = await bench.attempt([early, *sse_answer([HEL])])
        assert answer.take().startswith(HEL)
        answer.abandon()

    async def test_the_upstreams_request_id_is_kept_if_it_is_plain(self, bench: Bench) -> None:
        for given, kept in [("req_1", "req_1"), ("a b", None), ("x" * 200, None)]:
            answer = await bench.attempt(sse_answer([HEL], headers=[("X-Request-Id", given)]))
            assert answer.upstream_request_id == kept
            answer.abandon()


class TestStreamsWithoutAGoodEvent:
    @pytest.mark.parametrize(
        ("steps", "fault"),
        [
            pytest.param(sse_answer([], done=False), EmptyFault, id="U26 nothing"),
            pytest.param(sse_answer([]), EmptyFault, id="DONE alone"),
            pytest.param(sse_answer([b": ping\n\n"] * 3, done=False), EmptyFault, id="U27 comments"),
            pytest.param(sse_answer([HEL[:20]], done=False), EmptyFault, id="half an event"),
            pytest.param(sse_answer([b'data: {"error":{"message":"no"}}\n\n']), StatusFault, id="U25 error"),
            pytest.param(sse_answer([b'data: {"error":"no"}\n\n']), StatusFault, id="U25 error text"),
            pytest.param(sse_answer([b'data: {"error":{"code":429}}\n\n']), RateLimitFault, id="U25 error 429"),
            pytest.param(
                sse_answer([b'data: {"error":{"code":"context_length_exceeded"}}\n\n']), ContextFault, id="U25 context"
            ),
            pytest.param(
                sse_answer([b'data: {"error":{"code":429}}\n'], done=False),
                RateLimitFault,
                id="U25 error without its blank line",
            ),
            pytest.param(sse_answer([b"<html>" * 20_000], done=False)[:1], TimeoutFault, id="silence"),
            pytest.param([STREAM_HEAD, Close()], ResetFault, id="FIN after the head"),
            pytest.param([STREAM_HEAD, Send(chunked(HEL[:20])), Reset()], ResetFault, id="RST in the first event"),
            pytest.param(
                sse_answer([gzip.compress(HEL)], headers=[("Content-Encoding", "gzip")]), ProtocolFault, id="U38 gzip"
            ),
            pytest.param(
                sse_answer([HEL], headers=[("Content-Encoding", "br")]), ProtocolFault, id="U39 brotli that is none"
            ),
            pytest.param(
                [Send(head(200, [("Content-Type", "text/html"), CHUNKS]) + chunked(HEL)), Silence()],
                ProtocolFault,
                id="HTML",
            ),
            pytest.param([Send(head(204)), Silence()], ProtocolFault, id="204"),
            pytest.param([Send(head(206, [EVENTS, CHUNKS]) + chunked(HEL)), Silence()], ProtocolFault, id="206"),
        ],
    )
    async def test_are_a_fault(self, bench: Bench, steps: list[Step], fault: type[Fault]) -> None:
        async with asyncio.TaskGroup() as tasks:
            attempt = tasks.create_task(bench.fault([*steps, Pause(0)]), name="attempt")
            if fault is TimeoutFault:
                await until(lambda: bench.simulator.requests)
                bench.wheel.tick(131.0)
        assert type(attempt.result()) is fault

    async def test_identity_is_no_encoding(self, bench: Bench) -> None:
        answer = await bench.attempt(sse_answer([HEL], headers=[("Content-Encoding", "identity")]))
        answer.abandon()

    async def test_comments_without_end_are_bounded(self, bench: Bench) -> None:
        comment = Send(chunked(b": " + b"x" * 1000 + b"\n\n"))
        assert isinstance(await bench.fault([STREAM_HEAD, *[comment] * (HOLD // 1000 + 2), Silence()]), ProtocolFault)

    async def test_u27_comments_do_not_stop_the_clock(self, bench: Bench) -> None:
        gate = Gate()
        steps: Steps = [STREAM_HEAD, Send(chunked(b": ping\n\n")), Wait(gate), Send(chunked(b": ping\n\n")), Silence()]
        async with asyncio.TaskGroup() as tasks:
            attempt = tasks.create_task(bench.fault(steps), name="attempt")
            await gate.until_reached()
            bench.wheel.tick(129.0)
            gate.open()
            for _ in range(20):
                await asyncio.sleep(0)
            assert not attempt.done()
            bench.wheel.tick(130.1)
        assert isinstance(attempt.result(), TimeoutFault)
