"""The unmodified `anthropic` package for Python, through the gateway, at providers of every schema."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from anthropic.types import Message, MessageParam, RawMessageStreamEvent

from tests.conftest import KEY
from tests.sdk.dialects.conftest import PROVIDERS, House
from tests.sdk.dialects.strict import check
from tests.sdk.upstreams import MODELS
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

TOOLS: Any = [{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
THINKING: Any = {"type": "enabled", "budget_tokens": 2048}
HI: list[MessageParam] = [{"role": "user", "content": "hi"}]


@pytest.fixture
async def client(house: House) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(api_key=KEY, base_url=house.url, max_retries=0) as client:
        yield client


async def ask(client: AsyncAnthropic, provider: str, *, stream: bool = False, **more: Any) -> Message:
    """Plain, or from a stream whose events the SDK knows every one of."""
    asked: Any = {"model": MODELS.get(provider, provider), "max_tokens": 4096, "messages": HI, **more}
    if not stream:
        message = await client.messages.create(**asked)
    else:
        async for event in await client.messages.create(**asked, stream=True):
            check(event, RawMessageStreamEvent)
        async with client.messages.stream(**asked) as events:
            message = await events.get_final_message()
    check(message, Message)
    return message


def usage(message: Message) -> tuple[int, int | None, int]:
    return message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens


def blocks(message: Message) -> list[object]:
    """Texts, thoughts, and what tools are called with."""
    return [
        block.text if block.type == "text" else getattr(block, "input", None) or THOUGHT for block in message.content
    ]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", PROVIDERS)
class TestWhicheverUpstreamAnswers:
    async def test_a_text(self, client: AsyncAnthropic, provider: str, stream: bool) -> None:
        message = await ask(client, provider, stream=stream, system="Be brief.")
        assert [block.type for block in message.content] == ["text"]
        assert blocks(message) == [f"{GREETING}Be brief.: hi"]
        assert (message.stop_reason, message.role, message.type) == ("end_turn", "assistant", "message")
        assert usage(message) == (PROMPT - CACHED, CACHED, COMPLETION)

    async def test_tools_are_called_and_their_results_come_back(
        self, client: AsyncAnthropic, house: House, provider: str, stream: bool
    ) -> None:
        calls = await ask(client, provider, stream=stream, tools=TOOLS)
        assert blocks(calls) == [{"city": city} for city in CITIES]
        assert (calls.stop_reason, usage(calls)) == ("tool_use", (PROMPT - CACHED, CACHED, COMPLETION))
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": f"{degrees} degrees"}
            for block, degrees in zip(calls.content, (7, -3), strict=True)
        ]
        turns = [*HI, {"role": "assistant", "content": calls.content}, {"role": "user", "content": results}]
        answer = await ask(client, provider, stream=stream, tools=TOOLS, messages=turns)
        assert blocks(answer) == ["Back came: 7 degrees, -3 degrees"]
        assert answer.stop_reason == "end_turn"

    async def test_thoughts_go_back_with_their_signature(
        self, client: AsyncAnthropic, house: House, provider: str, stream: bool
    ) -> None:
        calls = await ask(client, provider, stream=stream, tools=TOOLS, thinking=THINKING)
        assert "".join(block.thinking for block in calls.content if block.type == "thinking") == THOUGHT
        used = [block for block in calls.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": block.id, "content": "warm"} for block in used]
        turns = [*HI, {"role": "assistant", "content": calls.content}, {"role": "user", "content": results}]
        answer = await ask(client, provider, stream=stream, tools=TOOLS, thinking=THINKING, messages=turns)
        assert [block.text for block in answer.content if block.type == "text"] == ["Back came: warm, warm"]
        assert house.heard(provider).signature == ("" if provider == "openai" else SIGNATURE)

    async def test_an_answer_in_the_form_of_a_schema(
        self, client: AsyncAnthropic, house: House, provider: str, stream: bool
    ) -> None:
        form = {"format": {"type": "json_schema", "schema": SCHEMA}}
        message = await ask(client, provider, stream=stream, output_config=form)
        assert blocks(message) == [STRUCTURED]


async def test_tokens_are_counted_by_an_upstream_that_can(client: AsyncAnthropic) -> None:
    count = await client.messages.count_tokens(model=MODELS["anthropic"], messages=HI)
    assert count.input_tokens == PROMPT


@pytest.mark.parametrize("provider", ["openai", "gemini", "responses"])
async def test_tokens_are_estimated_for_the_others(client: AsyncAnthropic, house: House, provider: str) -> None:
    count = await client.messages.count_tokens(model=MODELS[provider], messages=HI)
    assert count.input_tokens > 0
    assert not house.simulators[provider].requests


async def test_models_are_listed_in_the_shape_that_the_sdk_knows(client: AsyncAnthropic) -> None:
    names = []
    async for model in client.models.list():
        check(model, type(model))
        names.append(model.id)
    assert {"anywhere", "abroad", "nowhere"} <= set(names)
    assert (await client.models.retrieve("anywhere")).type == "model"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("tier", ["anywhere", "abroad"])
async def test_an_upstream_of_another_schema_answers_in_their_place(
    client: AsyncAnthropic, tier: str, stream: bool
) -> None:
    message = await ask(client, tier, stream=stream, tools=TOOLS)
    assert blocks(message) == [{"city": city} for city in CITIES]
