"""The Responses of the unmodified `openai` package for Python, through the gateway, at providers of every schema."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, AsyncStream
from openai.types.responses import Response, ResponseStreamEvent

from tests.conftest import KEY
from tests.sdk.dialects.conftest import PROVIDERS, House
from tests.sdk.dialects.strict import check
from tests.sdk.upstreams import FAILURE, MODELS
from tests.sdk.upstreams.said import (
    CACHED,
    CITIES,
    COMPLETION,
    GREETING,
    PROMPT,
    REASONING,
    SCHEMA,
    SIGNATURE,
    STRUCTURED,
    THOUGHT,
)

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS: Any = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}]
STATELESS: Any = {"store": False, "include": ["reasoning.encrypted_content"]}


@pytest.fixture
async def client(house: House) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=KEY, base_url=house.gateway.url, max_retries=0) as client:
        yield client


async def ask(client: AsyncOpenAI, provider: str, *, stream: bool = False, **more: Any) -> Response:
    """Plain, or from a stream whose events the SDK knows every one of."""
    asked: Any = {"model": MODELS.get(provider, provider), "input": "hi", **STATELESS, **more}
    response = await (_read(client, asked) if stream else client.responses.create(**asked))
    check(response, Response)
    assert response.status == "completed"
    return response


async def _read(client: AsyncOpenAI, asked: Any) -> Response:
    """What the deltas add up to is what the last event has."""
    events = [event async for event in await client.responses.create(**asked, stream=True)]
    for event in events:
        check(event, ResponseStreamEvent)
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    arguments = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    response: Response = last.response
    assert text == response.output_text
    assert arguments == "".join(item.arguments for item in response.output if item.type == "function_call")
    return response


def check_usage(response: Response) -> None:
    usage = response.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (PROMPT, COMPLETION, PROMPT + COMPLETION)
    assert usage.input_tokens_details.cached_tokens == CACHED
    assert usage.output_tokens_details.reasoning_tokens == REASONING


def given_back(response: Response, *results: str) -> list[Any]:
    """The next turn's input: everything before, and what the tools said."""
    calls = [item.call_id for item in response.output if item.type == "function_call"]
    outputs = [
        {"type": "function_call_output", "call_id": call, "output": result}
        for call, result in zip(calls, results, strict=True)
    ]
    return [{"role": "user", "content": "hi"}, *response.output, *outputs]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", PROVIDERS)
class TestWhicheverUpstreamAnswers:
    async def test_a_text(self, client: AsyncOpenAI, provider: str, stream: bool) -> None:
        response = await ask(client, provider, stream=stream, instructions="Be brief.")
        assert response.output_text == f"{GREETING}Be brief.: hi"
        assert [item.type for item in response.output] == ["message"]
        check_usage(response)

    async def test_tools_are_called_and_their_results_come_back(
        self, client: AsyncOpenAI, house: House, provider: str, stream: bool
    ) -> None:
        calls = await ask(client, provider, stream=stream, tools=TOOLS)
        called = [(item.name, json.loads(item.arguments)) for item in calls.output if item.type == "function_call"]
        assert called == [("get_weather", {"city": city}) for city in CITIES]
        check_usage(calls)
        turns = given_back(calls, "7 degrees", "-3 degrees")
        answer = await ask(client, provider, stream=stream, tools=TOOLS, input=turns)
        assert answer.output_text == "Back came: 7 degrees, -3 degrees"

    async def test_thoughts_go_back_with_what_was_encrypted(
        self, client: AsyncOpenAI, house: House, provider: str, stream: bool
    ) -> None:
        thinking: Any = {"tools": TOOLS, "reasoning": {"effort": "low", "summary": "auto"}}
        calls = await ask(client, provider, stream=stream, **thinking)
        thoughts = [item for item in calls.output if item.type == "reasoning"]
        assert "".join(part.text for item in thoughts for part in [*item.summary, *(item.content or [])]) == THOUGHT
        answer = await ask(client, provider, stream=stream, input=given_back(calls, "warm", "cold"), **thinking)
        assert answer.output_text == "Back came: warm, cold"
        assert house.heard(provider).signature == ("" if provider == "openai" else SIGNATURE)

    async def test_an_answer_in_the_form_of_a_schema(
        self, client: AsyncOpenAI, house: House, provider: str, stream: bool
    ) -> None:
        form = {"format": {"type": "json_schema", "name": "weather", "schema": SCHEMA, "strict": True}}
        assert (await ask(client, provider, stream=stream, text=form)).output_text == STRUCTURED


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "kind", "told", "code"),
    [
        pytest.param(400, openai.BadRequestError, 400, None, id="400"),
        pytest.param(401, openai.InternalServerError, 502, "upstream_auth_error", id="401 of the gateway's own key"),
        pytest.param(429, openai.RateLimitError, 429, "upstream_rate_limited", id="429"),
        pytest.param(500, openai.InternalServerError, 502, "upstream_error", id="500"),
        pytest.param(529, openai.InternalServerError, 502, "upstream_error", id="529"),
    ],
)
async def test_an_upstreams_error_keeps_its_class(
    client: AsyncOpenAI, provider: str, status: int, kind: type, told: int, code: str | None, stream: bool
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await client.responses.create(model=f"{provider}/status-{status}", input="hi", stream=stream)
    error = caught.value
    assert (type(error), error.status_code) == (kind, told)
    if status == 400:
        assert FAILURE in error.message
    else:
        assert error.code == code
    assert error.request_id


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("failure", ["breaks", "cut"])
async def test_a_stream_that_breaks_is_not_taken_for_complete(client: AsyncOpenAI, provider: str, failure: str) -> None:
    """The SDK raises for `response.failed` itself; an `error` event it hands on, and then the connection is cut."""
    events = await client.responses.create(model=f"{provider}/{failure}", input="hi", stream=True)
    kinds: list[str] = []
    with pytest.raises(openai.APIError) as caught:
        await _add_kinds(events, kinds)
    assert kinds[-1] == "error" or (failure == "breaks" and type(caught.value) is openai.APIError)
    assert "response.completed" not in kinds


async def _add_kinds(events: AsyncStream[Any], kinds: list[str]) -> None:
    async for event in events:
        check(event, ResponseStreamEvent)
        kinds.append(event.type)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("tier", ["anywhere", "abroad"])
async def test_an_upstream_of_another_schema_answers_in_their_place(
    client: AsyncOpenAI, tier: str, stream: bool
) -> None:
    response = await ask(client, tier, stream=stream, tools=TOOLS)
    assert len([item for item in response.output if item.type == "function_call"]) == len(CITIES)
