"""The outcome table of the wire contract, a test a row: status, lease, what is charged, the target's health."""

import asyncio

import pytest

from gateway.core.errors import (
    DrainingRefusal,
    InvalidApiKey,
    KeyDisabled,
    LimiterUnavailable,
    ModelNotAllowed,
    ModelNotFound,
    NoAvailableUpstream,
    Refusal,
    RequestTooLarge,
    StreamDrained,
    StreamFailed,
    StreamInterrupted,
)
from gateway.core.fault import ConnectFault, RateLimitFault, StatusFault, TimeoutFault
from gateway.core.limits import Limit
from gateway.core.outcome import Outcome, Usage
from gateway.core.route import Target
from gateway.state.health import THRESHOLD
from tests.flow.parts import MODELS, SHOWN, STREAM, Bench, FakeAnswer, FakeUpload, event, settle, usage_event

ONE = Target("one", "one", MODELS["one"])


def failures(bench: Bench) -> int:
    """How many failures in a row target `one` has, told by how many more open its breaker."""
    for more in range(THRESHOLD + 1):
        if bench.health.exclusion(ONE, bench.clock()) is not None:
            return THRESHOLD - more
        with bench.health.trial(ONE) as trial:
            trial.failed(bench.clock())
    raise AssertionError("the breaker never opened")


@pytest.mark.parametrize(
    ("key", "model", "error"),
    [
        pytest.param(b"unknown", "fast", InvalidApiKey, id="unknown key"),
        pytest.param(b"expired", "fast", InvalidApiKey, id="expired key"),
        pytest.param(b"disabled", "fast", KeyDisabled, id="disabled key"),
        pytest.param(b"sk-gw-test", "nothing", ModelNotFound, id="unknown model"),
        pytest.param(b"narrow", "fast", ModelNotAllowed, id="model not allowed"),
    ],
)
async def test_refused_by_key_or_model(key: bytes, model: str, error: type[Refusal]) -> None:
    bench = Bench()
    with pytest.raises(error):
        await bench.run(model=model, key=key)
    assert (bench.record.outcome, bench.record.status, bench.record.code) == (
        Outcome.REFUSED,
        error.status,
        error.code,
    )
    assert not bench.store.demands
    assert not bench.upstreams.asked
    assert bench.record.usage is None


async def test_refused_by_body() -> None:
    for body, status in ((FakeUpload(b"{"), 400), (FakeUpload(RequestTooLarge()), 413)):
        bench = Bench()
        with pytest.raises(Refusal):
            await bench.send(body)
        assert (bench.record.outcome, bench.record.status) == (Outcome.REFUSED, status)
        assert not bench.store.demands
        assert not bench.upstreams.asked


async def test_the_body_of_an_unknown_caller_is_never_read() -> None:
    bench, upload = Bench(), FakeUpload(b"{")
    with pytest.raises(InvalidApiKey):
        await bench.send(upload, key=b"unknown")
    assert upload.read_count == 0


async def test_refused_by_a_limit() -> None:
    bench = Bench(refusal=LimiterUnavailable())
    with pytest.raises(LimiterUnavailable):
        await bench.run()
    assert (bench.record.outcome, bench.record.status, bench.record.limit) == (Outcome.REFUSED, 503, Limit.UNAVAILABLE)
    assert not bench.upstreams.asked


async def test_served_as_a_stream() -> None:
    answer = FakeAnswer()
    answer.push(STREAM[:100])
    bench = Bench(answer)
    task = bench.begin()
    await settle()
    bench.clock.advance(1.0)
    answer.push(STREAM[100:])
    await task
    assert bench.downstream.body == SHOWN
    assert (bench.downstream.status, bench.downstream.end) == (200, "finished")
    assert (bench.record.outcome, bench.record.status, bench.record.code) == (Outcome.OK, 200, None)
    assert bench.settled == Usage(7, 3)
    assert bench.record.usage is not None
    assert bench.record.usage.cost_usd(MODELS["one"].price) == pytest.approx(13e-6)
    assert answer.state == "released"
    assert failures(bench) == 0


async def test_served_as_a_plain_answer() -> None:
    answer = FakeAnswer(stream=False, body=b'{"choices": []}', usage=Usage(5, 6))
    bench = Bench(answer)
    await bench.run(stream=False)
    assert (bench.downstream.status, bench.downstream.body) == (200, b'{"choices": []}')
    assert (bench.record.outcome, bench.settled) == (Outcome.OK, Usage(5, 6))
    assert answer.state == "released"


async def test_a_plain_answer_without_usage_is_estimated() -> None:
    bench = Bench(FakeAnswer(stream=False, body=b"x" * 35))
    await bench.run(stream=False)
    usage = bench.settled
    assert usage is not None
    assert (usage.source, usage.completion) == ("estimated", 10)
    assert usage.prompt > 0


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        pytest.param(RateLimitFault, 429, "upstream_rate_limited", id="all rate limited"),
        pytest.param(StatusFault, 502, "upstream_error", id="all failing"),
        pytest.param(ConnectFault, 502, "upstream_unreachable", id="all unreachable"),
        pytest.param(TimeoutFault, 504, "upstream_timeout", id="all silent"),
    ],
)
async def test_failed_before_the_first_byte(fault: type[Exception], status: int, code: str) -> None:
    bench = Bench(*[fault() for _ in range(3)])  # type: ignore[arg-type]
    with pytest.raises(Refusal) as caught:
        await bench.run()
    assert (caught.value.status, caught.value.code) == (status, code)
    assert (bench.record.outcome, bench.record.status) == (Outcome.FAILED, status)
    assert bench.upstreams.asked == ["one", "two", "three"]
    assert bench.settled is None
    assert failures(bench) == 1


async def test_nothing_could_be_tried() -> None:
    bench = Bench()
    for name in ("one", "two", "three"):
        bench.health.cool(Target(name, name, MODELS[name]), bench.clock() + 7)
    with pytest.raises(NoAvailableUpstream) as caught:
        await bench.run()
    assert ("retry-after", "7") in caught.value.headers
    assert ("x-gateway-attempts", "0") in caught.value.headers
    assert (bench.record.outcome, bench.record.status) == (Outcome.FAILED, 503)


async def test_broken_after_the_first_byte() -> None:
    answer = FakeAnswer()
    answer.push(event("Hel") + event("lo"))
    bench = Bench(answer)
    task = bench.begin()
    await settle()
    answer.break_()
    with pytest.raises(StreamInterrupted):
        await task
    assert bench.downstream.end == "cut"
    assert bench.downstream.body.startswith(event("Hel") + event("lo") + b'data: {"error":')
    assert b"[DONE]" not in bench.downstream.body
    assert (bench.record.outcome, bench.record.status, bench.record.code) == (
        Outcome.BROKEN,
        200,
        "upstream_interrupted",
    )
    assert bench.upstreams.asked == ["one"]
    usage = bench.settled
    assert usage is not None
    assert (usage.source, usage.completion) == ("estimated", 2)
    assert answer.state == "abandoned"
    assert failures(bench) == 1


async def test_broken_after_the_usage_was_reported_charges_the_usage() -> None:
    answer = FakeAnswer()
    answer.push(event() + usage_event(7, 3))
    bench = Bench(answer)
    task = bench.begin()
    await settle()
    answer.break_()
    with pytest.raises(StreamInterrupted):
        await task
    assert bench.settled == Usage(7, 3)


@pytest.mark.parametrize("before", [event(), event("", "stop")], ids=["in the middle", "after the finish reason"])
@pytest.mark.parametrize("after", [b"", b"data: [DONE]\n\n", event()], ids=["the end", "done", "more"])
async def test_an_upstreams_own_error_event_ends_the_stream_as_a_broken_one(before: bytes, after: bytes) -> None:
    answer = FakeAnswer()
    answer.push(before)
    bench = Bench(answer)
    task = bench.begin()
    await settle()
    error = b'data: {"error": {"message": "no"}}\n\n'
    answer.push(error + after)
    with pytest.raises(StreamFailed):
        await task
    assert (bench.downstream.body, bench.downstream.end) == (before + error, "cut")
    assert (bench.record.outcome, bench.record.code) == (Outcome.BROKEN, "upstream_error")
    assert failures(bench) == 1


async def test_client_gone_before_the_first_byte() -> None:
    bench = Bench()
    task = bench.begin()
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (bench.record.outcome, bench.record.status) == (Outcome.CLIENT_GONE, 499)
    assert bench.upstreams.asked == ["one"], "no fallback is started for nobody"
    assert bench.settled is None
    assert failures(bench) == 0


async def test_client_gone_after_the_first_byte() -> None:
    answer = FakeAnswer()
    answer.push(event() + event())
    bench = Bench(answer)
    task = bench.begin()
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (bench.record.outcome, bench.record.status) == (Outcome.CLIENT_GONE, 499)
    usage = bench.settled
    assert usage is not None
    assert (usage.source, usage.completion) == ("estimated", 2)
    assert answer.state == "abandoned"
    assert failures(bench) == 0


async def test_a_client_that_leaves_after_done_was_served() -> None:
    answer = FakeAnswer()
    answer.push(event())
    bench = Bench(answer)
    task = bench.begin()
    await settle()
    answer.push(STREAM)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (bench.record.outcome, bench.record.status) == (Outcome.OK, 200)
    assert bench.settled == Usage(7, 3)
    assert failures(bench) == 0


async def test_drained_at_shutdown_after_the_first_byte() -> None:
    answer = FakeAnswer()
    answer.push(event())
    bench = Bench(answer)
    task = bench.begin()
    await settle()
    bench.live.cut()
    with pytest.raises(StreamDrained):
        await task
    assert b'"code":"draining"' in bench.downstream.body
    assert bench.downstream.end == "cut"
    assert (bench.record.outcome, bench.record.status) == (Outcome.DRAINED, 200)
    assert bench.settled is not None
    assert failures(bench) == 0


async def test_drained_at_shutdown_before_the_first_byte() -> None:
    bench = Bench()
    task = bench.begin()
    await settle()
    bench.live.cut()
    with pytest.raises(DrainingRefusal) as caught:
        await task
    assert dict(caught.value.headers) == {"retry-after": "1", "retry-after-ms": "1000"}
    assert caught.value.close
    assert (bench.record.outcome, bench.record.status) == (Outcome.DRAINED, 503)
    assert bench.settled is None


async def test_internal_error_before_the_first_byte() -> None:
    def bug() -> StatusFault:
        raise ZeroDivisionError

    bench = Bench(bug)
    with pytest.raises(ZeroDivisionError):
        await bench.run()
    assert (bench.record.outcome, bench.record.status) == (Outcome.INTERNAL, 500)
    assert bench.settled is None
    assert failures(bench) == 0


async def test_internal_error_after_the_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(reader: object) -> None:
        raise ZeroDivisionError

    answer = FakeAnswer()
    answer.push(event() + event())
    bench = Bench(answer)
    monkeypatch.setattr(answer, "attach", bug)
    with pytest.raises(ZeroDivisionError):
        await bench.run()
    assert (bench.record.outcome, bench.record.status, bench.record.code) == (Outcome.INTERNAL, 200, "internal_error")
    assert answer.state == "abandoned"
    assert bench.settled is not None
    assert bench.settled.source == "estimated"
    assert failures(bench) == 0
