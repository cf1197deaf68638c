"""Before the first byte: who is tried next, when the same target is tried again, and the last word."""

import random
from dataclasses import replace

import pytest

from gateway.core.errors import Refusal, UpstreamRejected
from gateway.core.fault import (
    AuthFault,
    CallerFault,
    ConnectFault,
    ContextFault,
    EmptyFault,
    Fault,
    ModelMissingFault,
    ProtocolFault,
    RateLimitFault,
    StatusFault,
    TimeoutFault,
)
from gateway.core.outcome import Outcome
from gateway.core.route import Routes, Target
from gateway.flow.fallback import MAX_BACKOFF
from tests.flow.parts import MODELS, ROUTES, STREAM, Bench, FakeAnswer


def served() -> FakeAnswer:
    answer = FakeAnswer()
    answer.push(STREAM)
    return answer


def rejection(code: str = "invalid_value") -> UpstreamRejected:
    return UpstreamRejected(400, "no", "invalid_request_error", None, code)


def cooled(seconds: float) -> RateLimitFault:
    fault = RateLimitFault()
    fault.cooldown = seconds
    return fault


def retrying(retries: int, **changes: object) -> Routes:
    models = {name: replace(model, max_retries=retries, **changes) for name, model in MODELS.items()}  # type: ignore[arg-type]
    return Routes(ROUTES.upstreams, models, ROUTES.tiers, {}, {})


@pytest.mark.parametrize(
    "fault",
    [ConnectFault, TimeoutFault, StatusFault, RateLimitFault, ProtocolFault, AuthFault, EmptyFault, ModelMissingFault],
)
async def test_falls_back_to_the_next_target_at_once(fault: type[Fault]) -> None:
    bench = Bench(fault(), served())
    await bench.run()
    assert bench.upstreams.asked == ["one", "two"]
    assert bench.sleeps == []
    assert bench.downstream.headers["x-model-name"] == "two"
    assert bench.downstream.headers["x-fallback-used"] == "true"
    assert bench.downstream.headers["x-fallback-chain"] == "three"
    assert bench.downstream.headers["x-gateway-attempts"] == "2"
    assert [attempt.outcome for attempt in bench.record.attempts] == [fault.code, "ok"]
    assert bench.record.outcome is Outcome.OK


async def test_the_callers_own_mistake_is_answered_at_once() -> None:
    bench = Bench(CallerFault(rejection()), served())
    with pytest.raises(UpstreamRejected) as caught:
        await bench.run()
    assert bench.upstreams.asked == ["one"]
    assert (caught.value.status, caught.value.code) == (400, "invalid_value")


async def test_the_upstreams_own_answer_says_whose_it_is() -> None:
    fault = CallerFault(rejection())
    fault.upstream_request_id = "req_7"
    bench = Bench(StatusFault(), fault)
    with pytest.raises(UpstreamRejected) as caught:
        await bench.run()
    assert dict(caught.value.headers) == {
        "x-gateway-attempts": "2",
        "x-should-retry": "false",
        "X-Model-Name": "two",
        "X-Provider": "up",
        "x-upstream-request-id": "req_7",
    }


async def test_backoff_is_no_overhead_of_the_gateway() -> None:
    bench = Bench(StatusFault(), served(), routes=retrying(1))
    await bench.run(model="single")
    assert bench.sleeps[0] > 0
    assert bench.record.overhead < 0.001


async def test_a_prompt_too_long_goes_only_to_larger_windows() -> None:
    routes = Routes(ROUTES.upstreams, MODELS, {"fast": (("two",), ("one",), ("three",))}, {}, {})
    bench = Bench(ContextFault(rejection("context_length_exceeded")), served(), routes=routes)
    await bench.run()
    assert bench.upstreams.asked == ["two", "three"]


async def test_a_prompt_too_long_for_all_is_the_upstreams_400() -> None:
    bench = Bench(*[ContextFault(rejection("context_length_exceeded")) for _ in range(3)])
    with pytest.raises(UpstreamRejected) as caught:
        await bench.run()
    assert bench.upstreams.asked == ["one", "two", "three"]
    assert (caught.value.status, caught.value.code) == (400, "context_length_exceeded")


async def test_a_prompt_too_long_goes_nowhere_without_known_windows() -> None:
    bench = Bench(ContextFault(rejection()), served(), routes=retrying(2, context_window=None))
    with pytest.raises(UpstreamRejected):
        await bench.run()
    assert bench.upstreams.asked == ["one"]


async def test_targets_are_tried_again_only_after_all_others() -> None:
    bench = Bench(*[StatusFault() for _ in range(6)], served(), routes=retrying(2))
    await bench.run()
    assert bench.upstreams.asked == ["one", "two", "three"] * 2 + ["one"]


async def test_attempts_are_bounded_and_backoff_grows_with_full_jitter() -> None:
    bench = Bench(*[StatusFault() for _ in range(4)], routes=retrying(3))
    with pytest.raises(Refusal) as caught:
        await bench.run(model="single")
    assert bench.upstreams.asked == ["one"] * 4
    dice = random.Random(1)
    assert bench.sleeps == [dice.uniform(0, ceiling) for ceiling in (0.25, 0.5, 1.0)]
    assert ("x-should-retry", "false") in caught.value.headers
    assert ("x-gateway-attempts", "4") in caught.value.headers


async def test_backoff_is_capped() -> None:
    bench = Bench(*[TimeoutFault() for _ in range(4)] + [StatusFault()] * 7, routes=retrying(10))
    with pytest.raises(Refusal):
        await bench.run(model="single")
    assert max(bench.sleeps) <= MAX_BACKOFF


async def test_one_failed_attempt_lets_the_client_retry() -> None:
    bench = Bench(StatusFault())
    with pytest.raises(Refusal) as caught:
        await bench.run(model="single")
    assert "x-should-retry" not in dict(caught.value.headers)


@pytest.mark.parametrize("fault", [AuthFault, ModelMissingFault])
async def test_what_a_second_try_cannot_change_is_not_tried_again(fault: type[Fault]) -> None:
    bench = Bench(fault(), routes=retrying(2))
    with pytest.raises(Refusal):
        await bench.run(model="single")
    assert bench.upstreams.asked == ["one"]


async def test_a_target_in_cooldown_is_never_tried_again() -> None:
    bench = Bench(cooled(7), StatusFault(), StatusFault(), StatusFault(), served(), routes=retrying(1))
    await bench.run()
    assert bench.upstreams.asked == ["one", "two", "three", "two", "three"]


async def test_all_rate_limited_says_the_shortest_wait() -> None:
    bench = Bench(cooled(30), cooled(7), cooled(9))
    with pytest.raises(Refusal) as caught:
        await bench.run()
    headers = dict(caught.value.headers)
    assert (caught.value.status, caught.value.code) == (429, "upstream_rate_limited")
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("7", "7000")
    assert headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("faults", "status", "code"),
    [
        pytest.param([TimeoutFault, StatusFault, ConnectFault], 502, "upstream_unreachable", id="mixed, 502 last"),
        pytest.param([StatusFault, ConnectFault, TimeoutFault], 502, "upstream_error", id="mixed, timeout last"),
        pytest.param([RateLimitFault, StatusFault, RateLimitFault], 502, "upstream_error", id="mixed, 429 last"),
        pytest.param([StatusFault, StatusFault, AuthFault], 502, "upstream_auth_error", id="credential last"),
        pytest.param([ConnectFault, ConnectFault, EmptyFault], 502, "upstream_empty", id="empty last"),
    ],
)
async def test_the_last_word_of_mixed_faults(faults: list[type[Fault]], status: int, code: str) -> None:
    bench = Bench(*[fault() for fault in faults])
    with pytest.raises(Refusal) as caught:
        await bench.run()
    assert (caught.value.status, caught.value.code) == (status, code)


async def test_all_attempts_lie_inside_the_timeout() -> None:
    bench = Bench(routes=retrying(10, timeout=20.0))

    def slow() -> TimeoutFault:
        bench.clock.advance(9)
        return TimeoutFault()

    bench.upstreams.script = [slow] * 10
    with pytest.raises(Refusal) as caught:
        await bench.run()
    assert caught.value.status == 504
    assert len(bench.upstreams.asked) == 3
    assert set(bench.upstreams.deadlines) == {1020.0}


async def test_an_open_breaker_is_skipped_without_an_attempt() -> None:
    bench = Bench(served())
    for _ in range(5):
        with bench.health.trial(Target("one", "one", MODELS["one"])) as trial:
            trial.failed(bench.clock())
    await bench.run()
    assert bench.upstreams.asked == ["two"]
    assert bench.downstream.headers["x-fallback-used"] == "true"
