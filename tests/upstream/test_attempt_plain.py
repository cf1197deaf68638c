"""A plain answer, read whole. The ids U... are those of the fault catalogue."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import Callable

import pytest

from gateway.core.fault import EmptyFault, Fault, ProtocolFault, RateLimitFault, ResetFault, StatusFault
from gateway.core.outcome import Usage
from gateway.simulator import (
    LAST_CHUNK,
    Close,
    Gate,
    Reset,
    Send,
    Silence,
    Step,
    Wait,
    chunked,
    head,
    json_answer,
)
from gateway.upstream.attempt import MAX_PLAIN
from tests.upstream.bench import CHUNKS, EVENTS, HEL, PLAIN, Bench, Steps, rest_of


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
