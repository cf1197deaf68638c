"""The wire contract's table of what a call holds and pays, row by row: whole exchanges, held to limits by a store."""

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from gateway.core.errors import Refusal, StreamDrained, StreamsExhausted
from gateway.core.fault import StatusFault, TimeoutFault
from gateway.core.limits import Demand, Limits
from gateway.core.outcome import Usage
from gateway.flow.admit import Admission
from gateway.store.memory import MemoryStore
from tests.flow.parts import KEY, LIMITS, STREAM, Bench, FakeAnswer, FakeUpload, event, settle, usage_event

WALL = 1.8e9


class LimitedBench(Bench):
    """A whole exchange, held to limits by a real store."""

    def __init__(self, *script: Any) -> None:
        super().__init__(*script)
        self.memory = MemoryStore(lambda: 0.0)
        self.house = replace(self.house, admission=Admission(self.memory, Random(1), lambda: WALL))

    async def paid(self) -> tuple[int, int]:
        """Requests and tokens charged, once every lease was given back; money goes with the tokens."""
        use = await self.memory.use("id", LIMITS, WALL)
        assert use.streams == 0
        usage = self.record.usage
        assert use.micro_usd == (usage.prompt + 2 * usage.completion if usage else 0)
        assert LIMITS.requests is not None
        assert LIMITS.tokens is not None
        return LIMITS.requests.burst - LIMITS.requests.left(use.requests), use.tokens // LIMITS.tokens.cost(1)


class TestOutcomes:
    """The wire contract's table of what a call holds and pays, row by row."""

    @pytest.mark.parametrize(
        ("model", "key", "body"),
        [
            pytest.param("fast", b"unknown", None, id="key"),
            pytest.param("nothing", KEY, None, id="model"),
            pytest.param("fast", KEY, b"{", id="body"),
        ],
    )
    async def test_refused(self, model: str, key: bytes, body: bytes | None) -> None:
        bench = LimitedBench()
        with pytest.raises(Refusal):
            await (bench.run(model=model, key=key) if body is None else bench.send(FakeUpload(body)))
        assert await bench.paid() == (0, 0)

    async def test_refused_by_a_limit(self) -> None:
        bench = LimitedBench(FakeAnswer(stream=False, body=b"{}", usage=Usage(5, 6)))
        assert LIMITS.streams is not None
        held = [Demand(f"other {n}", "id", Limits("none"), 0, 0, WALL) for n in range(LIMITS.streams)]
        for demand in held:
            await bench.memory.admit(demand)
        with pytest.raises(StreamsExhausted):
            await bench.run(stream=False)
        for demand in held:
            bench.memory.settle(demand, 0, 0)
        assert await bench.paid() == (0, 0)

    async def test_served(self) -> None:
        answer = FakeAnswer()
        answer.push(STREAM)
        bench = LimitedBench(answer)
        task = bench.begin()
        await settle()
        if not task.done():
            answer.end()
        await task
        assert await bench.paid() == (1, 10)

    async def test_failed_before_the_first_byte(self) -> None:
        bench = LimitedBench(StatusFault(), TimeoutFault(), StatusFault())
        with pytest.raises(Refusal):
            await bench.run()
        assert await bench.paid() == (1, 0)

    async def test_broken_after_the_first_byte(self) -> None:
        answer = FakeAnswer()
        answer.push(event("Hel") + usage_event(7, 1))
        bench = LimitedBench(answer)
        task = bench.begin()
        await settle()
        answer.break_()
        await asyncio.wait([task])
        assert task.exception() is not None or bench.downstream.end == "cut"
        assert await bench.paid() == (1, 8)

    async def test_the_client_is_gone_before_the_first_byte(self) -> None:
        bench = LimitedBench()
        task = bench.begin()
        await settle()
        task.cancel()
        await asyncio.wait([task])
        assert await bench.paid() == (1, 0)

    async def test_the_client_is_gone_in_the_middle_of_a_stream(self) -> None:
        answer = FakeAnswer()
        answer.push(event("Hel") + event("lo"))
        bench = LimitedBench(answer)
        task = bench.begin()
        await settle()
        task.cancel()
        await asyncio.wait([task])
        usage = bench.record.usage
        assert usage is not None
        assert usage.source == "estimated"
        assert await bench.paid() == (1, usage.prompt + usage.completion)

    async def test_drained_at_shutdown(self) -> None:
        answer = FakeAnswer()
        answer.push(event("Hel") + event("lo"))
        bench = LimitedBench(answer)
        task = bench.begin()
        await settle()
        bench.live.cut()
        with pytest.raises(StreamDrained):
            await task
        usage = bench.record.usage
        assert usage is not None
        assert await bench.paid() == (1, usage.prompt + usage.completion)

    async def test_an_internal_error(self) -> None:
        bench = LimitedBench(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await bench.run()
        assert await bench.paid() == (1, 0)
