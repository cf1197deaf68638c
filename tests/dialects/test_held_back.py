"""What is longer, later or larger than usual, across dialects."""

import json

import pytest

from gateway.simulator import Pause, Simulator, sse_answer
from tests.conftest import StartGateway
from tests.dialects.callers import CALLERS, Caller
from tests.dialects.providers import PROVIDERS, Provider
from tests.dialects.test_limits import PAIRS, held, used
from tests.dialects.wire import ask, says, sent

BY_DIALECT = {provider.dialect: provider for provider in PROVIDERS}
NATIVE = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic", "/v1/responses": "responses"}
PINGS = {"anthropic": b'event: ping\ndata: {"type":"ping"}\n\n', "openai": b": still there\n\n"}


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_a_first_event_may_be_long(
    caller: Caller, provider: Provider, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    """Responses tell all of their request first: half a megabyte of instructions, in reads of 64 KB."""
    gateway = await start_gateway(routes)
    first, *rest = provider.text.events
    longer = first.replace(b"data: {", b'data: {"padding":"%b",' % (b"x" * 500_000), 1)
    upstream.script = lambda asked: sse_answer([longer, *rest], done=provider.dialect == "openai")
    answer = await ask(gateway, caller.path, caller.body(provider.dialect, stream=True))
    assert (answer.status, answer.end) == (200, "fin"), json.dumps(answer.json)
    assert b"Hello" in answer.body
    assert b" there" in answer.body


@pytest.mark.parametrize("dialect", PINGS)
async def test_what_says_nothing_to_the_client_does_not_keep_its_connection_alive(
    dialect: str, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    """A provider that pings all the time: the client gets the gateway's own."""
    quick = routes.replace(
        'server: {listen: "127.0.0.1:0"', 'server: {listen: "127.0.0.1:0", keep_alive_interval: 100ms'
    )
    gateway = await start_gateway(quick)
    provider = BY_DIALECT[dialect]
    head, *events = sse_answer(provider.text.events, done=dialect == "openai")
    (ping,) = sse_answer([PINGS[dialect]], done=False)[1:-1]
    silence = [step for _ in range(60) for step in (ping, Pause(0.02))]
    upstream.script = lambda asked: [head, *events[: provider.begun], *silence, *events[provider.begun :]]
    caller = next(caller for caller in CALLERS if "messages" in caller.path)
    other = next(caller for caller in CALLERS if "chat" in caller.path)
    asking = caller if dialect == "openai" else other
    answer = await ask(gateway, asking.path, asking.body(dialect, stream=True))
    assert (b"event: ping" if asking is caller else b": ping\n") in answer.body


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_more_than_can_be_translated_in_a_moment_is_refused(
    caller: Caller, provider: Provider, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    says(upstream, provider.text)
    body = caller.body(provider.dialect, metadata={str(number): "x" for number in range(25_000)})
    answer = await ask(gateway, caller.path, body)
    assert answer.status == (200 if NATIVE[caller.path] == provider.dialect else 400)


async def test_a_call_in_the_background_is_not_for_who_is_limited(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    """It would go on, and cost, after its call has ended."""
    gateway = await start_gateway(held(routes, "tokens_per_minute: 100000"))
    answer = await ask(gateway, "/v1/responses", {"model": "responses", "input": "Hi", "background": True})
    assert (answer.status, answer.json["error"]["param"]) == (400, "background")  # type: ignore[index]
    assert (await used(gateway))["tokens_per_minute"]["used"] == 0


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        pytest.param("/v1/messages", "system", "x" * 35_000, id="system"),
        pytest.param("/v1/messages", "tools", [{"name": "x" * 35_000}], id="tools"),
        pytest.param("/v1/responses", "instructions", "x" * 35_000, id="instructions"),
    ],
)
async def test_all_that_the_model_reads_is_reserved(
    path: str, field: str, value: object, start_gateway: StartGateway, routes: str
) -> None:
    """10,000 tokens do not fit into a bucket of 5,000."""
    gateway = await start_gateway(held(routes, "tokens_per_minute: 5000"))
    body = {"model": "anthropic", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], field: value}
    if path == "/v1/responses":
        body = {"model": "responses", "max_output_tokens": 16, "input": "Hi", field: value}
    answer = await ask(gateway, path, body)
    assert answer.status == 429, json.dumps(answer.json)


@pytest.mark.parametrize(
    ("path", "model", "name"),
    [
        pytest.param("/v1/messages", "anthropic", "max_tokens", id="messages"),
        pytest.param("/v1/responses", "responses", "max_output_tokens", id="responses"),
    ],
)
async def test_the_default_limit_of_an_answer_has_the_name_of_its_schema(
    path: str, model: str, name: str, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    provider = BY_DIALECT[model]
    named = f'upstream: {model}, name: "{provider.model}"'
    gateway = await start_gateway(routes.replace(named, f"{named}, defaults: {{max_completion_tokens: 77}}"))
    says(upstream, provider.text)
    asked = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "input": "Hi"}
    answer = await ask(gateway, path, asked)
    assert answer.status == 200, json.dumps(answer.json)
    body = sent(upstream)
    assert (body[name], "max_completion_tokens" in body) == (77, False)
