"""Responses passed through: every byte as it came, however a response ends."""

import json

import pytest

from gateway.simulator import Close, Simulator, json_answer, sse_answer
from gateway.simulator.answer import Headers
from tests.conftest import Gateway, StartGateway
from tests.dialects.callers import RESPONSES as CALLER
from tests.dialects.providers import CACHED, COMPLETION, PROMPT, REASON, RESPONSES, Json, named
from tests.dialects.wire import ask, says, sent
from tests.e2e.answers import Answer

EVENTS = RESPONSES.text.events
STREAM = b"".join(EVENTS)
BEGUN = RESPONSES.begun


async def respond(
    gateway: Gateway, *, model: str = "responses", stream: bool = True, headers: Headers = (), **fields: object
) -> Answer:
    return await ask(gateway, CALLER.path, CALLER.body(model, stream=stream, **fields), headers)


def ended(kind: str, **fields: object) -> bytes:
    response = {**RESPONSES.text.plain, "status": kind, **fields}
    return named({"type": f"response.{kind}", "response": response, "sequence_number": len(EVENTS) - 1})


async def test_a_plain_answer_is_passed_on_byte_for_byte(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    body = json.dumps({**RESPONSES.text.plain, "new": 12345678901234567890}, indent=1).encode()
    upstream.script = lambda asked: json_answer(200, body)
    answer = await respond(gateway, stream=False, store=False, new=[1])
    assert (answer.status, answer.body) == (200, body)
    assert sent(upstream) == CALLER.body("gpt-5-mini", stream=False, store=False, new=[1])
    call = await gateway.last_call()
    assert (call["route"], call["usage_source"]) == ("responses", "provider")
    assert (call["prompt_tokens"], call["completion_tokens"], call["cached_tokens"]) == (PROMPT, COMPLETION, CACHED)


@pytest.mark.parametrize("done", [False, True], ids=["as documented", "with [DONE]"])
async def test_a_stream_is_passed_on_byte_for_byte(
    done: bool, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    upstream.script = lambda asked: sse_answer(EVENTS, done=done)
    answer = await respond(gateway, headers=[("OpenAI-Beta", "responses=1")])
    assert (answer.status, answer.complete, answer.body) == (200, True, STREAM)
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert upstream.requests[0].header(b"openai-beta") == b"responses=1"
    call = await gateway.last_call()
    assert (call["prompt_tokens"], call["completion_tokens"], call["cached_tokens"]) == (PROMPT, COMPLETION, CACHED)


async def test_an_incomplete_response_is_whole(start_gateway: StartGateway, routes: str, upstream: Simulator) -> None:
    gateway = await start_gateway(routes)
    last = ended("incomplete", incomplete_details={"reason": "max_output_tokens"})
    upstream.script = lambda asked: sse_answer((*EVENTS[:-1], last), done=False)
    answer = await respond(gateway)
    assert (answer.complete, answer.body) == (True, b"".join(EVENTS[:-1]) + last)
    call = await gateway.last_call()
    assert (call["outcome"], call["completion_tokens"]) == ("ok", COMPLETION)


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(ended("failed", error={"code": "server_error", "message": REASON}), id="failed"),
        pytest.param(RESPONSES.trouble, id="error"),
    ],
)
async def test_a_failure_in_the_middle_is_passed_on_and_ends_the_stream(
    trouble: bytes, start_gateway: StartGateway, routes: str, upstream: Simulator, second: Simulator
) -> None:
    gateway = await start_gateway(routes)
    upstream.script = lambda asked: sse_answer((*EVENTS[:BEGUN], trouble, *EVENTS[BEGUN:]), done=False)
    answer = await respond(gateway, model="either-responses")
    assert answer.body == b"".join(EVENTS[:BEGUN]) + trouble
    assert not answer.complete
    assert not second.requests
    call = await gateway.last_call()
    assert (call["outcome"], call["code"]) == ("broken", "upstream_error")


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        pytest.param(ended("failed", error={"code": "server_error", "message": REASON}), "up_5xx", id="failed"),
        pytest.param(ended("failed", error={"code": "rate_limit_exceeded", "message": REASON}), "up_429", id="limited"),
        pytest.param(RESPONSES.trouble, "up_5xx", id="error"),
    ],
)
async def test_a_failure_first_is_another_targets_turn(
    trouble: bytes,
    outcome: str,
    start_gateway: StartGateway,
    routes: str,
    upstream: Simulator,
    second: Simulator,
) -> None:
    gateway = await start_gateway(routes)
    upstream.script = lambda asked: sse_answer([trouble], done=False)
    says(second, RESPONSES.text)
    answer = await respond(gateway, model="either-responses")
    assert (answer.complete, answer.body) == (True, STREAM)
    call = await gateway.last_call()
    assert [attempt["outcome"] for attempt in call["attempts"]] == [outcome, "ok"]


@pytest.mark.parametrize("seen", range(1, len(EVENTS)))
async def test_a_stream_without_its_end_says_so_and_is_cut(
    seen: int, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    upstream.script = lambda asked: [*sse_answer(EVENTS[:seen], done=False)[:-1], Close()]
    answer = await respond(gateway)
    assert answer.body.startswith(b"".join(EVENTS[:seen]))
    assert CALLER.read_break(answer.body) == ("upstream_interrupted", "The provider's stream was interrupted.")
    assert not answer.complete
    assert (await gateway.last_call())["outcome"] == "broken"


async def test_a_plain_response_that_failed_is_another_targets_turn(
    start_gateway: StartGateway, routes: str, upstream: Simulator, second: Simulator
) -> None:
    gateway = await start_gateway(routes)
    failed: Json = {**RESPONSES.text.plain, "status": "failed", "output": [], "usage": None}
    failed["error"] = {"code": "server_error", "message": REASON}
    upstream.script = lambda asked: json_answer(200, failed)
    says(second, RESPONSES.text)
    answer = await respond(gateway, model="either-responses", stream=False)
    assert (answer.status, answer.json) == (200, RESPONSES.text.plain)
    alone = await respond(gateway, stream=False)
    assert alone.error == (502, "upstream_error")


async def test_an_error_in_place_of_an_answer_is_a_failure(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    upstream.script = lambda asked: json_answer(200, {"error": {"message": REASON, "type": "server_error"}})
    answer = await respond(gateway, stream=False)
    assert answer.error == (502, "upstream_error")
