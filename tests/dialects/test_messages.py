"""Messages passed through: every byte as it came, and what the gateway may add where a stream ends badly."""

import json

import pytest

from gateway.simulator import Close, Gate, Send, Simulator, Wait, chunked, json_answer, sse_answer
from gateway.simulator.answer import Headers
from tests.conftest import KEY, Gateway, StartGateway
from tests.dialects.callers import MESSAGES
from tests.dialects.providers import ANTHROPIC, CACHED, COMPLETION, CREDENTIAL, PROMPT, REASON, named
from tests.dialects.wire import BEARER, ask, fails, request, says, sent
from tests.e2e.answers import Answer
from tests.e2e.raw import RawClient, unchunked

EVENTS = ANTHROPIC.text.events
STREAM = b"".join(EVENTS)
BEGUN = ANTHROPIC.begun
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


async def message(
    gateway: Gateway,
    *,
    model: str = "anthropic",
    query: str = "",
    stream: bool = True,
    headers: Headers = (),
    key: tuple[str, str] = BEARER,
) -> Answer:
    return await ask(gateway, MESSAGES.path + query, MESSAGES.body(model, stream=stream), headers, key=key)


@pytest.mark.parametrize("key", [BEARER, ("x-api-key", KEY)], ids=["Bearer", "x-api-key"])
@pytest.mark.parametrize("query", ["", "?beta=true"], ids=["plain URL", "beta"])
async def test_a_plain_answer_is_passed_on_byte_for_byte(
    key: tuple[str, str], query: str, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    body = json.dumps({**ANTHROPIC.text.plain, "new": {"big": 12345678901234567890, "é": 1.50}}, indent=1).encode()
    upstream.script = lambda asked: json_answer(200, body, [("request-id", "req_there")])
    answer = await message(gateway, query=query, stream=False, key=key, headers=[("X-Request-Id", "mine")])
    assert (answer.status, answer.body) == (200, body)
    assert answer.header("request-id") == answer.header("x-request-id") == "mine"
    assert answer.header("x-upstream-request-id") == "req_there"
    assert upstream.requests[0].header(b"x-api-key") == CREDENTIAL.encode()
    assert upstream.requests[0].header(b"authorization") is None
    call = await gateway.last_call()
    assert (call["route"], call["key"], call["usage_source"]) == ("messages", "tester", "provider")
    assert (call["prompt_tokens"], call["completion_tokens"], call["cached_tokens"]) == (PROMPT, COMPLETION, CACHED)


async def test_a_stream_is_passed_on_byte_for_byte(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    says(upstream, ANTHROPIC.text)
    answer = await message(gateway, query="?beta=true")
    assert (answer.status, answer.complete, answer.body) == (200, True, STREAM)
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert answer.header("request-id") == answer.header("x-request-id")
    assert b"event: ping\n" in answer.body
    call = await gateway.last_call()
    assert (call["prompt_tokens"], call["completion_tokens"], call["cached_tokens"]) == (PROMPT, COMPLETION, CACHED)


async def test_the_request_is_passed_on_but_for_its_model(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    says(upstream, ANTHROPIC.text)
    given = b'{"model":"anthropic","max_tokens":64,"messages":[{"role":"user","content":"h\\u00e9"}],"new":[1e2,2.50]}'
    await ask(gateway, MESSAGES.path, given)
    assert upstream.requests[0].body == given.replace(b'"anthropic"', b'"claude-haiku-4-5"')


async def test_events_without_names_get_them(start_gateway: StartGateway, routes: str, upstream: Simulator) -> None:
    gateway = await start_gateway(routes)
    bare = [event.partition(b"\n")[2] for event in EVENTS]
    upstream.script = lambda asked: sse_answer(bare, done=False)
    answer = await message(gateway)
    assert (answer.complete, answer.body) == (True, STREAM)


@pytest.mark.parametrize("cut", ["closed", "ended"])
async def test_a_stream_that_stops_without_its_last_word_gets_it(
    cut: str, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    steps = sse_answer(EVENTS[:-1], done=False)
    upstream.script = lambda asked: [*steps[:-1], Close()] if cut == "closed" else steps
    answer = await message(gateway)
    assert (answer.complete, answer.body) == (True, b"".join(EVENTS[:-1]) + STOP)
    call = await gateway.last_call()
    assert (call["outcome"], call["notes"]) == ("ok", ["missing_done"])
    assert call["completion_tokens"] == COMPLETION


@pytest.mark.parametrize("seen", range(1, len(EVENTS) - 2))
async def test_a_stream_cut_before_it_stops_ends_with_an_error(
    seen: int, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    upstream.script = lambda asked: sse_answer(EVENTS[:seen], done=False)
    answer = await message(gateway)
    assert answer.body.startswith(b"".join(EVENTS[:seen]))
    assert MESSAGES.read_break(answer.body) == ("api_error", "The provider's stream was interrupted.")
    assert not answer.complete
    call = await gateway.last_call()
    assert (call["outcome"], call["code"]) == ("broken", "upstream_interrupted")


@pytest.mark.parametrize("size", [5, 30, 60], ids=["in its name", "before its data", "in its data"])
async def test_half_an_event_is_not_passed_on(
    size: int, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    events = *EVENTS[:BEGUN], EVENTS[BEGUN][:size]
    upstream.script = lambda asked: [*sse_answer(events, done=False)[:-1], Close()]
    answer = await message(gateway)
    assert answer.body.startswith(b"".join(EVENTS[:BEGUN]) + b"event: error\n")
    assert MESSAGES.read_break(answer.body)[0] == "api_error"
    assert not answer.complete


async def test_an_error_in_the_middle_is_passed_on_and_ends_the_stream(
    start_gateway: StartGateway, routes: str, upstream: Simulator, second: Simulator
) -> None:
    gateway = await start_gateway(routes)
    upstream.script = lambda asked: sse_answer((*EVENTS[:BEGUN], ANTHROPIC.trouble, *EVENTS[BEGUN:]), done=False)
    answer = await message(gateway, model="either-anthropic")
    assert answer.body == b"".join(EVENTS[:BEGUN]) + ANTHROPIC.trouble
    assert not answer.complete
    assert not second.requests
    assert (await gateway.last_call())["code"] == "upstream_error"


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        pytest.param("overloaded_error", "up_5xx", id="overloaded"),
        pytest.param("rate_limit_error", "up_429", id="rate limited"),
        pytest.param("api_error", "up_5xx", id="failed"),
        pytest.param("authentication_error", "up_auth", id="credential"),
    ],
)
async def test_an_error_first_is_another_targets_turn(
    kind: str, outcome: str, start_gateway: StartGateway, routes: str, upstream: Simulator, second: Simulator
) -> None:
    gateway = await start_gateway(routes)
    trouble = named({"type": "error", "error": {"type": kind, "message": REASON}})
    upstream.script = lambda asked: sse_answer([named({"type": "ping"}), trouble], done=False)
    says(second, ANTHROPIC.text)
    answer = await message(gateway, model="either-anthropic")
    assert (answer.complete, answer.body) == (True, STREAM)
    assert answer.header("x-fallback-used") == "true"
    call = await gateway.last_call()
    assert [attempt["outcome"] for attempt in call["attempts"]] == [outcome, "ok"]


async def test_version_and_betas_are_the_callers(start_gateway: StartGateway, routes: str, upstream: Simulator) -> None:
    gateway = await start_gateway(routes)
    says(upstream, ANTHROPIC.text)
    betas = "interleaved-thinking-2025-05-14,  fine-grained-tool-streaming-2025-05-14"
    given = [("anthropic-version", "2024-01-01"), ("Anthropic-Beta", betas), ("anthropic-evil", "1")]
    await message(gateway, headers=[*given, ("OpenAI-Beta", "x")])
    asked = upstream.requests[0]
    assert [v for n, v in asked.headers if n.lower() == b"anthropic-version"] == [b"2024-01-01"]
    assert [v for n, v in asked.headers if n.lower() == b"anthropic-beta"] == [betas.encode()]
    assert asked.header(b"anthropic-evil") is None
    assert asked.header(b"openai-beta") is None


@pytest.mark.parametrize(
    ("setting", "version"),
    [
        pytest.param("", b"2023-06-01", id="default"),
        pytest.param(', api_version: "2025-01-01"', b"2025-01-01", id="configured"),
    ],
)
async def test_a_caller_without_a_version_gets_the_upstreams(
    setting: str, version: bytes, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes.replace("dialect: anthropic", f"dialect: anthropic{setting}"))
    says(upstream, ANTHROPIC.text)
    await message(gateway)
    assert [v for n, v in upstream.requests[0].headers if n.lower() == b"anthropic-version"] == [version]


async def test_a_silent_stream_is_kept_alive_with_pings(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes.replace('"127.0.0.1:0"', '"127.0.0.1:0", keep_alive_interval: 100ms'))
    gate, steps = Gate(), sse_answer(EVENTS, done=False)
    upstream.script = lambda asked: [*steps[: BEGUN + 1], Wait(gate), *steps[BEGUN + 1 :]]
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'
    client = RawClient(gateway.port)
    await client.send(request(MESSAGES.path, MESSAGES.body("anthropic", stream=True)))
    seen = await client.until(chunked(ping) * 2)
    gate.open()
    payload, complete = unchunked((seen + (await client.rest())[0]).partition(b"\r\n\r\n")[2])
    assert complete
    assert payload.replace(ping, b"") == STREAM.replace(ping, b"")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        pytest.param(400, (400, "invalid_request_error", REASON), id="400"),
        pytest.param(413, (413, "request_too_large", REASON), id="413"),
        pytest.param(401, (502, "api_error", None), id="401"),
        pytest.param(429, (429, "rate_limit_error", None), id="429"),
        pytest.param(500, (502, "api_error", None), id="500"),
        pytest.param(529, (502, "api_error", None), id="529"),
    ],
)
async def test_errors_have_the_callers_shape(
    status: int, told: tuple[int, str, str | None], start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    fails(upstream, status, ANTHROPIC.failure)
    answer = await message(gateway)
    kind, text = MESSAGES.read_error(answer.json)
    assert (answer.status, kind) == told[:2]
    assert text == told[2] if told[2] else REASON not in text
    assert answer.json["request_id"] == answer.header("request-id")


@pytest.mark.parametrize(
    ("model", "key", "told"),
    [
        pytest.param("nothing", BEARER, (404, "not_found_error"), id="no such model"),
        pytest.param("anthropic", ("x-api-key", "wrong"), (401, "authentication_error"), id="wrong key"),
        pytest.param("", BEARER, (400, "invalid_request_error"), id="empty model"),
    ],
)
async def test_the_gateways_own_errors_have_the_callers_shape(
    model: str, key: tuple[str, str], told: tuple[int, str], start_gateway: StartGateway, routes: str
) -> None:
    gateway = await start_gateway(routes)
    answer = await message(gateway, model=model, key=key)
    assert (answer.status, MESSAGES.read_error(answer.json)[0]) == told


async def test_tokens_are_counted_by_the_provider(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    upstream.script = lambda asked: json_answer(200, b'{"input_tokens": 2095 }')
    body = {"model": "anthropic", "messages": [{"role": "user", "content": "hi"}], "system": "be brief"}
    answer = await ask(gateway, "/v1/messages/count_tokens?beta=true", body, key=("x-api-key", KEY))
    assert (answer.status, answer.body) == (200, b'{"input_tokens": 2095 }')
    assert upstream.requests[0].path == "/v1/messages/count_tokens"
    assert sent(upstream) == {**body, "model": "claude-haiku-4-5"}
    assert (await gateway.last_call())["route"] == "count_tokens"


async def test_other_providers_tokens_are_estimated(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    body = {"model": "openai", "messages": [{"role": "user", "content": "hi" * 100}]}
    answer = await ask(gateway, "/v1/messages/count_tokens", body)
    assert (answer.status, [*answer.json]) == (200, ["input_tokens"])
    assert 40 < int(str(answer.json["input_tokens"])) < 120
    assert not upstream.requests


async def test_the_first_event_is_passed_on_before_the_second_comes(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    gate, steps = Gate(), sse_answer(EVENTS, done=False)
    upstream.script = lambda asked: [*steps[:2], Wait(gate), *steps[2:]]
    client = RawClient(gateway.port)
    await client.send(request(MESSAGES.path, MESSAGES.body("anthropic", stream=True)))
    await client.until(EVENTS[0])
    gate.open()
    assert (await client.rest())[0].endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("cut", range(1, 90, 7))
async def test_a_stream_is_the_same_wherever_it_is_cut(
    cut: int, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    head, *_, end = sse_answer([], done=False)
    pieces = [STREAM[at : at + cut] for at in range(0, len(STREAM), cut)]
    upstream.script = lambda asked: [head, *[Send(chunked(piece)) for piece in pieces], end]
    answer = await message(gateway)
    assert (answer.complete, answer.body) == (True, STREAM)
