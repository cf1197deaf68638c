"""The chat completions of the unmodified `openai` package for Python, at providers of every schema."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

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
    SCHEMA,
    SIGNATURE,
    STRUCTURED,
    THOUGHT,
)

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
HI: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]


@pytest.fixture
async def client(house: House) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=KEY, base_url=house.gateway.url, max_retries=0) as client:
        yield client


async def ask(client: AsyncOpenAI, provider: str, *, stream: bool = False, **more: Any) -> ChatCompletion:
    """Plain, or put together from a stream whose chunks the SDK knows every member of."""
    asked: Any = {"model": MODELS.get(provider, provider), "messages": HI, **more}
    if stream:
        return await _read(client, asked)
    completion: ChatCompletion = await client.chat.completions.create(**asked)
    check(completion, ChatCompletion)
    return completion


async def _read(client: AsyncOpenAI, asked: Any) -> ChatCompletion:
    options = {"include_usage": True}
    async with client.chat.completions.stream(**asked, stream_options=options) as events:
        chunks = [event.chunk async for event in events if event.type == "chunk"]
        completion = await events.get_final_completion()
    for chunk in chunks:
        check(chunk, ChatCompletionChunk)
    assert len({chunk.id for chunk in chunks}) == 1
    return completion


def counts(usage: CompletionUsage | None) -> tuple[int | None, ...]:
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    return usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens


def given_back(completion: ChatCompletion, *results: str) -> list[Any]:
    """The next turn's messages: everything before, and what the tools said."""
    message = completion.choices[0].message
    told = [
        {"role": "tool", "tool_call_id": call.id, "content": result}
        for call, result in zip(message.tool_calls or (), results, strict=True)
    ]
    return [*HI, message.to_dict(), *told]


def arguments(completion: ChatCompletion) -> list[Any]:
    calls = completion.choices[0].message.tool_calls or ()
    return [json.loads(call.function.arguments) for call in calls if call.type == "function"]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", PROVIDERS)
class TestWhicheverUpstreamAnswers:
    async def test_a_text(self, client: AsyncOpenAI, provider: str, stream: bool) -> None:
        completion = await ask(client, provider, stream=stream)
        choice = completion.choices[0]
        assert (choice.message.content, choice.finish_reason) == (f"{GREETING}Be brief.: hi", "stop")
        assert counts(completion.usage) == (PROMPT, CACHED, COMPLETION)

    async def test_tools_are_called_and_their_results_come_back(
        self, client: AsyncOpenAI, provider: str, stream: bool
    ) -> None:
        calls = await ask(client, provider, stream=stream, tools=TOOLS)
        assert arguments(calls) == [{"city": city} for city in CITIES]
        assert calls.choices[0].finish_reason == "tool_calls"
        turns = given_back(calls, "7 degrees", "-3 degrees")
        answer = await ask(client, provider, stream=stream, tools=TOOLS, messages=turns)
        assert answer.choices[0].message.content == "Back came: 7 degrees, -3 degrees"

    async def test_thoughts_go_back_with_their_signature(
        self, client: AsyncOpenAI, house: House, provider: str, stream: bool
    ) -> None:
        thinking: Any = {"tools": TOOLS, "reasoning_effort": "low", "max_completion_tokens": 8192}
        calls = await ask(client, provider, stream=stream, **thinking)
        assert (calls.choices[0].message.model_extra or {})["reasoning_content"] == THOUGHT
        turns = given_back(calls, "warm", "cold")
        answer = await ask(client, provider, stream=stream, messages=turns, **thinking)
        assert answer.choices[0].message.content == "Back came: warm, cold"
        assert house.heard(provider).signature == ("" if provider == "openai" else SIGNATURE)

    async def test_an_answer_in_the_form_of_a_schema(self, client: AsyncOpenAI, provider: str, stream: bool) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA, "strict": True}}
        completion = await ask(client, provider, stream=stream, response_format=form)
        assert completion.choices[0].message.content == STRUCTURED


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        pytest.param(400, openai.BadRequestError, 400, id="400"),
        pytest.param(429, openai.RateLimitError, 429, id="429"),
        pytest.param(529, openai.InternalServerError, 502, id="529"),
    ],
)
async def test_an_upstreams_error_keeps_its_class(
    client: AsyncOpenAI, provider: str, status: int, kind: type, told: int, stream: bool
) -> None:
    asked: Any = {"model": f"{provider}/status-{status}", "messages": HI, "stream": stream}
    with pytest.raises(openai.APIStatusError) as caught:
        await client.chat.completions.create(**asked)
    assert (type(caught.value), caught.value.status_code) == (kind, told)
    assert (FAILURE in caught.value.message) is (status == 400)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("failure", ["breaks", "cut"])
async def test_a_stream_that_breaks_raises(client: AsyncOpenAI, provider: str, failure: str) -> None:
    with pytest.raises(openai.APIError):
        await _read(client, {"model": f"{provider}/{failure}", "messages": HI})
