"""One request over one connection, up to its first good byte. The ids U... are those of the fault catalogue."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Callable, Sequence
from email.utils import formatdate

import pytest

from gateway.core.call import Endpoint
from gateway.core.errors import (
    AuthFault,
    CallerFault,
    ContextFault,
    EmptyFault,
    Fault,
    ModelMissingFault,
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
    Request,
    Reset,
    Send,
    Silence,
    Simulator,
    Step,
    Wait,
    chunked,
    head,
    json_answer,
    sse_answer,
)
from gateway.state.timers import Wheel
from gateway.upstream.attempt import MAX_FAILURE, MAX_PLAIN, Attempt
from gateway.upstream.sender import Sender
from gateway.wire.sse import HOLD, EventStream
from tests.upstream.wire import Listening, until
from tests.values import make_ask, make_call, make_target, make_upstream

HEL = b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n'
LO = b'data: {"choices":[{"delta":{"content":"lo"}}]}\n\n'
LAST = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
PLAIN = {"choices": [{"message": {"content": "Hello"}}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
EVENTS = ("Content-Type", "text/event-stream")
CHUNKS = ("Transfer-Encoding", "chunked")
STREAM_HEAD = Send(head(200, [EVENTS, CHUNKS]))

Steps = Sequence[Step]


class Bench:
    """A sender to one simulated upstream, and a wheel set by hand: nothing times out by itself."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.wheel = Wheel(100.0)
        self.upstream = make_upstream(port=simulator.port)
        self.sender = Sender({"first": self.upstream}, self.wheel)

    async def attempt(
        self, steps: Steps, *, stream: bool = True, deadline: float = 1000.0, endpoint: Endpoint = Endpoint.CHAT
    ) -> Attempt:
        self.simulator.script = lambda _: steps
        target = make_target("gpt", self.upstream, first_byte_timeout=30.0)
        return await self.sender.attempt(target, make_call(endpoint=endpoint), make_ask(stream=stream), deadline)

    async def fault(self, steps: Steps, *, stream: bool = True, deadline: float = 1000.0) -> Fault:
        with pytest.raises(Fault) as caught:
            await self.attempt(steps, stream=stream, deadline=deadline)
        return caught.value

    @property
    def pool(self) -> str:
        return repr(self.sender.pools["first"])


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Simulator() as simulator:
        yield Bench(simulator)


async def rest_of(attempt: Attempt) -> tuple[bytes, str | Fault | None]:
    """Everything that a pipe would get, and how it ends."""
    taken, listening = attempt.take(), Listening()
    attempt.attach(listening)
    await until(lambda: listening.end)
    return taken + listening.payload, listening.end


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


class TestPlain:
    async def test_the_answer_is_there_when_it_is_whole(self, bench: Bench) -> None:
        gate = Gate()
        whole = json.dumps(PLAIN).encode()
        framing = head(200, [("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(whole)))])
        async with asyncio.TaskGroup() as tasks:
            steps: Steps = [Send(framing + whole[:-1]), Wait(gate), Send(whole[-1:])]
            attempt = tasks.create_task(bench.attempt(steps, stream=False), name="attempt")
            await gate.until_reached()
            for _ in range(20):
                await asyncio.sleep(0)
            assert not attempt.done()
            gate.open()
        answer = attempt.result()
        assert (answer.scanner, answer.complete, answer.usage) == (None, True, Usage(7, 2))
        assert answer.headers == (("content-type", "application/json"),)
        assert (answer.take(), answer.take()) == (whole, b"")

    @pytest.mark.parametrize(
        "framing",
        [
            pytest.param(lambda body: head(200, [("Content-Length", str(len(body)))]) + body, id="length"),
            pytest.param(lambda body: head(200, [CHUNKS]) + chunked(body) + LAST_CHUNK, id="chunks"),
            pytest.param(lambda body: head(200) + body, id="until it closes"),
            pytest.param(lambda body: head(200).replace(b"1.1", b"1.0") + body, id="HTTP/1.0"),
        ],
    )
    async def test_in_any_framing(self, bench: Bench, framing: Callable[[bytes], bytes]) -> None:
        body = json.dumps(PLAIN).encode()
        answer_bytes = framing(body).replace(b"\r\n", b"\r\nContent-Type: application/json\r\n", 1)
        answer = await bench.attempt([Send(answer_bytes), Close()], stream=False)
        assert (answer.take(), answer.complete) == (body, True)

    @pytest.mark.parametrize(
        ("steps", "fault"),
        [
            pytest.param(json_answer(200, b""), EmptyFault, id="empty"),
            pytest.param(json_answer(200, b" \n"), EmptyFault, id="blank"),
            pytest.param(json_answer(200, b'{"choices":['), ProtocolFault, id="half, but whole by its length"),
            pytest.param(json_answer(200, {"error": {"code": 503}}), StatusFault, id="error in a 200"),
            pytest.param(json_answer(200, {"error": {"type": "rate_limit_error"}}), RateLimitFault, id="429 in a 200"),
            pytest.param([Close()], ResetFault, id="U05"),
            pytest.param([Reset()], ResetFault, id="U06"),
            pytest.param(
                [
                    Send(head(200, [("Content-Type", "application/json"), ("Content-Length", "100")]) + b"{" * 40),
                    Close(),
                ],
                ResetFault,
                id="U31 truncated",
            ),
            pytest.param(
                [Send(head(200, [("Content-Type", "application/json"), CHUNKS]) + chunked(b"{}")), Close()],
                ResetFault,
                id="truncated chunks",
            ),
            pytest.param(
                [Send(head(200, [("Content-Type", "application/json")]) + b'{"choices":'), Close()],
                ProtocolFault,
                id="truncated, no length",
            ),
            pytest.param(
                [Send(head(200, [("Content-Type", "application/json")]) + b'{"choices":'), Reset()],
                ResetFault,
                id="reset, no length",
            ),
            pytest.param([Send(head(200, [EVENTS, CHUNKS]) + chunked(HEL)), Silence()], ProtocolFault, id="a stream"),
            pytest.param([Send(b"SSH-2.0-x\r\n"), Silence()], ProtocolFault, id="U08 SSH"),
            pytest.param([Send(b"\x15\x03\x01\x00\x02\x02\x0a"), Close()], ProtocolFault, id="U08 TLS"),
            pytest.param(json_answer(200, PLAIN, [("X-Big", "a" * 65536)]), ProtocolFault, id="U09 64 KB header"),
            pytest.param(
                json_answer(200, PLAIN, [(f"X-{n}", "a") for n in range(300)]), ProtocolFault, id="U10 300 headers"
            ),
            pytest.param(json_answer(200, PLAIN, [("X-Odd", "a\x00b")]), ProtocolFault, id="U11 NUL"),
            pytest.param(json_answer(999, PLAIN), ProtocolFault, id="U12 999"),
            pytest.param(json_answer(200, PLAIN, [CHUNKS]), ProtocolFault, id="length and chunks"),
        ],
    )
    async def test_what_is_none_is_a_fault(self, bench: Bench, steps: list[Step], fault: type[Fault]) -> None:
        assert type(await bench.fault(steps, stream=False)) is fault

    @pytest.mark.parametrize("body", [gzip.compress(b"{}"), b"garbage"], ids=["U38 gzip", "U39 garbage"])
    async def test_an_encoded_one_passes_as_it_is_with_its_encoding(self, bench: Bench, body: bytes) -> None:
        steps = json_answer(200, body, [("Content-Encoding", "gzip")])
        answer = await bench.attempt(steps, stream=False)
        assert answer.take() == body
        assert answer.headers == (("content-type", "application/json"), ("content-encoding", "gzip"))
        assert (answer.complete, answer.usage) == (True, None)

    async def test_an_encoded_one_of_no_bytes_is_empty(self, bench: Bench) -> None:
        assert isinstance(
            await bench.fault(json_answer(200, b"", [("Content-Encoding", "gzip")]), stream=False), EmptyFault
        )

    @pytest.mark.parametrize("encoding", ["x-gzip", "gzip, br"])
    async def test_an_encoding_is_never_lost_on_the_way(self, bench: Bench, encoding: str) -> None:
        steps = json_answer(200, gzip.compress(b"{}"), [("Content-Encoding", encoding)])
        with contextlib.suppress(ProtocolFault):
            answer = await bench.attempt(steps, stream=False)
            assert ("content-encoding", encoding) in answer.headers

    async def test_one_of_more_than_16_mib_is_passed_on_while_it_comes(self, bench: Bench) -> None:
        gate = Gate()
        body = b'{"data":"' + b"x" * MAX_PLAIN + b'"}'
        framing = head(200, [("Content-Type", "application/json"), ("Content-Length", str(len(body) + 1))])
        answer = await bench.attempt([Send(framing + body), Wait(gate), Send(b"\n")], stream=False)
        assert (answer.scanner, answer.complete, answer.usage) == (None, False, None)
        gate.open()
        assert await rest_of(answer) == (body + b"\n", "ended")
        answer.release()

    async def test_one_of_16_mib_is_not(self, bench: Bench) -> None:
        body = b'{"data":"' + b"x" * (MAX_PLAIN - 11) + b'"}'
        assert len(body) == MAX_PLAIN
        answer = await bench.attempt(json_answer(200, body), stream=False)
        assert answer.complete
        assert answer.take() == body


class TestStatuses:
    @pytest.mark.parametrize(
        ("status", "fault"),
        [
            (400, CallerFault),
            (401, AuthFault),
            (403, AuthFault),
            (404, ModelMissingFault),
            (408, StatusFault),
            (409, StatusFault),
            (422, CallerFault),
            (429, RateLimitFault),
            (500, StatusFault),
            (503, StatusFault),
            (529, StatusFault),
        ],
    )
    @pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
    async def test_a_status_is_its_fault(self, bench: Bench, status: int, fault: type[Fault], stream: bool) -> None:
        steps = json_answer(status, {"error": {"message": "No.", "code": "model_not_found" if status == 404 else "x"}})
        assert type(await bench.fault(steps, stream=stream)) is fault
        assert "idle=1" in bench.pool

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
    async def test_u14_redirects_are_not_followed(self, bench: Bench, status: int) -> None:
        async with Simulator() as attacker:
            steps = json_answer(status, {}, [("Location", attacker.url)])
            assert isinstance(await bench.fault(steps), ProtocolFault)
            assert attacker.connections == 0
        assert len(bench.simulator.requests) == 1

    @pytest.mark.parametrize(
        ("headers", "cooldown"),
        [
            ([("Retry-After", "7")], 7),
            ([("Retry-After", "7"), ("Retry-After", "9")], 7),
            ([("retry-after-ms", "1500"), ("Retry-After", "7")], 1.5),
            ([("Retry-After", "99999999")], 60),
            ([("Retry-After", "soon")], 1),
            ([], 1),
        ],
        ids=str,
    )
    async def test_u19_a_429_cools_its_target_down(
        self, bench: Bench, headers: list[tuple[str, str]], cooldown: float
    ) -> None:
        assert (await bench.fault(json_answer(429, {}, headers))).cooldown == cooldown

    async def test_u20_also_until_a_date(self, bench: Bench) -> None:
        headers = [("Retry-After", formatdate(usegmt=True).replace("GMT", "-0010"))]  # ten minutes from now
        assert (await bench.fault(json_answer(429, {}, headers))).cooldown == 60

    @pytest.mark.parametrize(("headers", "cooldown"), [([("Retry-After", "7")], 7), ([], None)], ids=str)
    async def test_a_503_does_so_if_it_says_so(
        self, bench: Bench, headers: list[tuple[str, str]], cooldown: float | None
    ) -> None:
        assert (await bench.fault(json_answer(503, {}, headers))).cooldown == cooldown

    async def test_a_500_does_not(self, bench: Bench) -> None:
        assert (await bench.fault(json_answer(500, {}, [("Retry-After", "7")]))).cooldown is None

    async def test_u16_an_error_without_end_is_read_to_64_kb_and_left(self, bench: Bench) -> None:
        steps: Steps = [Send(head(400, [("Content-Length", "5000000")]) + b"x" * (MAX_FAILURE + 1)), Silence()]
        fault = await bench.fault(steps)
        assert isinstance(fault, CallerFault)
        assert fault.rejection.status == 400
        assert (await bench.simulator.until_left(bench.simulator.requests[0])).by_peer

    async def test_an_error_that_breaks_off_is_a_reset(self, bench: Bench) -> None:
        steps: Steps = [Send(head(400, [("Content-Length", "50")]) + b'{"error":'), Close()]
        assert isinstance(await bench.fault(steps), ResetFault)

    async def test_an_encoded_error_says_nothing_but_its_status(self, bench: Bench) -> None:
        body = {"error": {"message": "read as if it were plain"}}
        fault = await bench.fault(json_answer(400, body, [("Content-Encoding", "gzip")]))
        assert isinstance(fault, CallerFault)
        assert fault.rejection.message == "The provider rejected the request."

    async def test_an_error_of_any_shape_is_a_fault(self, bench: Bench) -> None:
        async with asyncio.timeout(0.5):
            assert isinstance(await bench.fault(json_answer(400, {"error": {"code": []}})), CallerFault)


class TestTime:
    async def test_u04_silence_is_a_timeout_and_the_upstream_sees_us_leave(self, bench: Bench) -> None:
        async with asyncio.TaskGroup() as tasks:
            attempt = tasks.create_task(bench.fault([Silence()]), name="attempt")
            await until(lambda: bench.simulator.requests)
            bench.wheel.tick(129.9)
            await asyncio.sleep(0)
            assert not attempt.done()
            bench.wheel.tick(130.1)
            assert (await bench.simulator.until_left(bench.simulator.requests[0])).by_peer
        assert type(attempt.result()) is TimeoutFault
        await until(lambda: bench.pool == "<Pool first open=0 idle=0>")

    @pytest.mark.parametrize(("stream", "deadline"), [(True, 110.0), (False, 900.0)], ids=["stream", "plain"])
    async def test_the_calls_deadline_holds_for_both_and_the_first_byte_for_streams(
        self, bench: Bench, stream: bool, deadline: float
    ) -> None:
        async with asyncio.TaskGroup() as tasks:
            attempt = tasks.create_task(bench.fault([Silence()], stream=stream, deadline=deadline), name="attempt")
            await until(lambda: bench.simulator.requests)
            bench.wheel.tick(deadline - 0.1)
            await asyncio.sleep(0)
            assert not attempt.done()
            bench.wheel.tick(deadline + 0.1)
        assert type(attempt.result()) is TimeoutFault

    async def test_a_plain_answer_that_drips_is_cut_at_the_deadline(self, bench: Bench) -> None:
        gate = Gate()
        framing = head(200, [("Content-Type", "application/json"), ("Content-Length", "100")])
        async with asyncio.TaskGroup() as tasks:
            steps: Steps = [Send(framing + b"{"), Wait(gate)]
            attempt = tasks.create_task(bench.fault(steps, stream=False, deadline=400.0), name="attempt")
            await gate.until_reached()
            bench.wheel.tick(400.1)
        assert type(attempt.result()) is TimeoutFault

    async def test_no_timer_is_left_behind(self, bench: Bench) -> None:
        answer = await bench.attempt(sse_answer([HEL]))
        assert not any(bench.wheel._slots.values())
        bench.wheel.tick(10_000.0)
        assert answer.take().startswith(HEL)
        answer.abandon()


class TestLettingGo:
    async def test_a_client_that_leaves_takes_the_upstreams_work_with_it(self, bench: Bench) -> None:
        attempt = asyncio.get_running_loop().create_task(bench.attempt([Silence()]), name="attempt")
        await until(lambda: bench.simulator.requests)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert (await bench.simulator.until_left(bench.simulator.requests[0])).by_peer

    async def test_an_abandoned_stream_ends_at_once(self, bench: Bench) -> None:
        answer = await bench.attempt([STREAM_HEAD, Send(chunked(HEL)), Silence()])
        answer.abandon()
        answer.abandon()
        answer.release()
        assert (await bench.simulator.until_left(bench.simulator.requests[0])).by_peer
        await until(lambda: bench.pool == "<Pool first open=0 idle=0>")

    async def test_a_released_one_waits_for_its_last_chunk_and_is_kept(self, bench: Bench) -> None:
        gate = Gate()
        answer = await bench.attempt([STREAM_HEAD, Send(chunked(HEL + DONE)), Wait(gate), Send(LAST_CHUNK)])
        answer.release()
        answer.release()
        answer.abandon()
        gate.open()
        await until(lambda: bench.pool == "<Pool first open=1 idle=1>")
        again = await bench.attempt(sse_answer([HEL]))
        assert bench.simulator.connections == 1
        again.abandon()

    async def test_pausing_stops_the_reading(self, bench: Bench) -> None:
        size = 16 * 1024 * 1024
        steps = [STREAM_HEAD, Send(chunked(HEL)), Send(chunked(b"x" * size)), Send(LAST_CHUNK)]
        answer = await bench.attempt(steps)
        answer.pause()
        taken, listening = len(answer.take()), Listening()
        answer.attach(listening)
        for _ in range(100):
            await asyncio.sleep(0)
        assert taken + len(listening.payload) < size / 2
        answer.resume()
        await until(lambda: listening.end)
        assert listening.end == "ended"
        answer.release()

    async def test_after_it_was_let_go_of_nothing_has_an_effect(self, bench: Bench) -> None:
        answer = await bench.attempt(sse_answer([HEL]))
        answer.abandon()
        answer.pause()
        answer.resume()
        answer.release()


async def test_the_request_is_only_counted_once(bench: Bench) -> None:
    seen: list[Request] = []

    def once(request: Request) -> Steps:
        seen.append(request)
        return sse_answer([HEL])

    bench.simulator.script = once
    target = make_target("gpt", bench.upstream)
    answer = await bench.sender.attempt(target, make_call(), make_ask(stream=True), 1000.0)
    answer.abandon()
    assert len(seen) == 1
