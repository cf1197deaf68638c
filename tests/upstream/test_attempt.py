"""What ends an attempt, and how it lets go. The ids U... are those of the fault catalogue."""

import asyncio
from email.utils import formatdate

import pytest

from gateway.core.fault import (
    AuthFault,
    CallerFault,
    Fault,
    ModelMissingFault,
    ProtocolFault,
    RateLimitFault,
    ResetFault,
    StatusFault,
    TimeoutFault,
)
from gateway.simulator import (
    LAST_CHUNK,
    Close,
    Gate,
    Request,
    Send,
    Silence,
    Simulator,
    Wait,
    chunked,
    head,
    json_answer,
    sse_answer,
)
from gateway.upstream.attempt import FAILURE_TIME, MAX_FAILURE
from tests.upstream.bench import DONE, HEL, STREAM_HEAD, Bench, Steps
from tests.upstream.wire import Listening, until
from tests.values import make_ask, make_call, make_target


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
            ([("Retry-After", "7 ")], 7),
            ([("retry-after-ms", "1500"), ("Retry-After", "7")], 1.5),
            ([("Retry-After", "99999999")], 60),
            ([("Retry-After", "soon")], 1),
            ([], None),
        ],
        ids=str,
    )
    async def test_u19_a_429_cools_its_target_down(
        self, bench: Bench, headers: list[tuple[str, str]], cooldown: float | None
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

    @pytest.mark.parametrize("status", [401, 403, 408, 409, 425, 429, 500, 502, 503, 529])
    async def test_what_the_status_says_is_not_waited_for(self, bench: Bench, status: int) -> None:
        steps: Steps = [Send(head(status, [("Content-Length", "1000")]) + b"x"), Silence()]
        assert not isinstance(await bench.fault(steps), CallerFault)

    async def test_the_rest_of_such_an_answer_is_read_off_and_the_connection_kept(self, bench: Bench) -> None:
        gate = Gate()
        steps: Steps = [Send(head(500, [("Content-Length", "2")]) + b"{"), Wait(gate), Send(b"}")]
        await bench.fault(steps)
        gate.open()
        await until(lambda: "idle=1" in bench.pool)

    async def test_another_error_is_waited_for_two_seconds(self, bench: Bench) -> None:
        gate = Gate()
        steps: Steps = [Send(head(400, [("Content-Length", "1000")]) + b"x"), Wait(gate)]
        async with asyncio.TaskGroup() as tasks:
            attempt = tasks.create_task(bench.fault(steps), name="attempt")
            await gate.until_reached()
            await until(lambda: any(bench.wheel._slots.values()))
            while not attempt.done():
                bench.wheel.tick(bench.wheel.now + FAILURE_TIME + 0.1)
                await asyncio.sleep(0.01)
        assert isinstance(attempt.result(), CallerFault)

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
