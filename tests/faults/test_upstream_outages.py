"""More than one upstream fails: what the client is told, how often they are asked, and how it ends."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence

import pytest

from gateway.core.errors import Refusal
from gateway.core.fault import ConnectFault
from gateway.core.outcome import Outcome
from gateway.simulator import Close, Silence, Step, error_answer, sse_answer
from tests.catalogue import fault
from tests.faults.rig import Rig
from tests.flow.parts import Bench, FakeAnswer


def limited(seconds: int) -> list[Step]:
    return error_answer(429, "Slow down.", headers=[("Retry-After", str(seconds))])


FAILED = error_answer(500, "No.")


@pytest.mark.parametrize(
    ("one", "other", "status", "code", "wait"),
    [
        pytest.param(limited(9), limited(4), 429, "upstream_rate_limited", "4", id="all limited"),
        pytest.param([Silence()], [Silence()], 504, "upstream_timeout", None, id="all silent"),
        pytest.param(limited(9), FAILED, 502, "upstream_error", None, id="limited and failed"),
        pytest.param([Silence()], [Close()], 502, "upstream_error", None, id="silent and closed"),
        pytest.param([Close()], [Silence()], 502, "upstream_error", None, id="closed and silent"),
        pytest.param(FAILED, sse_answer([], done=False), 502, "upstream_empty", None, id="failed and empty"),
        pytest.param(FAILED, error_answer(401, "Key."), 502, "upstream_auth_error", None, id="failed and refused"),
        pytest.param(FAILED, error_answer(400, "Bad."), 400, None, None, id="failed and rejected"),
    ],
)
@fault("U50")
async def test_u50_all_fail_each_in_its_way(
    rig: Rig, one: Sequence[Step], other: Sequence[Step], status: int, code: str | None, wait: str | None
) -> None:
    await rig.start(models="first_byte_timeout: 500ms" if [Silence()] in (one, other) else "")
    rig.first.script, rig.second.script = lambda request: one, lambda request: other
    answer = await rig.ask("fast")
    assert answer.error == (status, code)
    assert answer.header("x-gateway-attempts") == "2"
    assert answer.header("x-should-retry") == "false"
    assert answer.header("retry-after") == wait
    assert (len(rig.first.requests), len(rig.second.requests)) == (1, 1)
    assert len((await rig.gateway.last_call())["attempts"]) == 2


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@fault("U51")
async def test_u51_an_outage_is_not_multiplied_and_ends_by_itself(rig: Rig, stream: bool) -> None:
    """What thirty seconds of it cost is counted below, by a clock that is set by hand."""
    await rig.start()
    await asyncio.gather(rig.first.close(), rig.second.close())
    answers = [await rig.ask("fast", stream=stream) for _ in range(100)]
    assert [answer.status for answer in answers[:5]] == [502] * 5
    for answer in answers[5:]:
        assert answer.error == (503, "no_available_upstream")
        assert answer.header("x-gateway-attempts") == "0"
        assert int(answer.header("retry-after-ms") or 0) >= 1000
    calls = rig.gateway.calls()
    assert sum(len(call["attempts"]) for call in calls) == 10
    for simulator in (rig.first, rig.second):
        await simulator.start(port=simulator.port)
    async with asyncio.timeout(10):
        while (await rig.ask("fast", stream=stream)).status != 200:
            await asyncio.sleep(0.05)
    assert {(await rig.ask("fast", stream=stream)).status for _ in range(20)} == {200}


@fault("U51")
async def test_u51_thirty_seconds_of_it_cost_a_tenth_of_an_attempt_a_call() -> None:
    """50 calls a second, by a clock that is set by hand; what was down is found up again by the next probe."""
    bench = Bench()
    statuses = Counter[int]()
    for _ in range(1500):
        bench.upstreams.script = [ConnectFault() for _ in range(10)]
        with pytest.raises(Refusal) as caught:
            await bench.run()
        statuses[caught.value.status] += 1
        bench.clock.now += 0.02
    assert len(bench.upstreams.asked) / 1500 <= 0.1
    assert statuses[503] > 1400
    down = bench.clock() - 1000
    while bench.records.records[-1].outcome is not Outcome.OK:
        bench.upstreams.script = [FakeAnswer(stream=False, body=b"{}") for _ in range(10)]
        with contextlib.suppress(Refusal):
            await bench.run(stream=False)
        bench.clock.now += 0.02
    assert bench.clock() - 1000 - down <= down + 2, "a breaker rests no longer than it has been open"


@fault("U52")
async def test_u52_a_flapping_upstream_costs_no_client_anything(rig: Rig) -> None:
    await rig.start()
    healthy, down = rig.first.script, False
    rig.first.script = lambda request: FAILED if down else healthy(request)
    for turn in range(100):
        down = turn // 7 % 2 == 1
        answer = await rig.ask("fast", stream=turn % 3 == 0)
        assert (answer.status, answer.complete) == (200, True)
    await rig.gateway.last_call(100)
    assert max(len(call["attempts"]) for call in rig.gateway.calls()) == 2
    down, before = False, len(rig.first.requests)

    async def asked_again() -> bool:
        return (await rig.ask("fast")).header("x-provider") == "first"

    async with asyncio.timeout(10):
        while not await asked_again():
            await asyncio.sleep(0.05)
    assert len(rig.first.requests) > before
    assert {(await rig.ask("fast")).header("x-provider") for _ in range(10)} == {"first"}
