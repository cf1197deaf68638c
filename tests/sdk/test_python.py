"""The unmodified `openai` package for Python, through the gateway, at simulated providers."""

import asyncio
import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from gateway.simulator import Gate, Simulator, Wait
from tests.conftest import KEY, Gateway
from tests.sdk.chat import HI, TOOLS, ask, read, text_of

# what is asked for is answered


async def test_a_plain_call_is_answered_whole(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="fast", messages=HI)
    assert (answer.choices[0].message.content or "").startswith("Hello! This is first")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


async def test_a_stream_says_what_the_plain_answer_says(client: AsyncOpenAI) -> None:
    plain = await client.chat.completions.create(model="fast", messages=HI)
    chunks = await read(await ask(client, "fast"))
    assert text_of(chunks) == plain.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_usage_that_was_asked_for_comes_last(client: AsyncOpenAI, gateway: Gateway) -> None:
    chunks = await read(await ask(client, "fast", stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    call = await gateway.last_call()
    assert chunks[-1].usage.completion_tokens == call["completion_tokens"] > 0


async def test_usage_that_was_not_asked_for_is_counted_but_not_sent(client: AsyncOpenAI, gateway: Gateway) -> None:
    chunks = await read(await ask(client, "fast"))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    call = await gateway.last_call()
    assert (call["usage_source"], call["completion_tokens"] > 0) == ("provider", True)


async def test_a_tool_call_arrives_streamed_and_plain(client: AsyncOpenAI) -> None:
    plain = await client.chat.completions.create(model="fast", messages=HI, tools=TOOLS, tool_choice="required")
    assert plain.choices[0].finish_reason == "tool_calls"
    called: Any = (plain.choices[0].message.tool_calls or [])[0]
    assert (called.function.name, called.function.arguments) == ("get_weather", '{"city":"example"}')

    chunks = await read(await ask(client, "fast", tools=TOOLS, tool_choice="required"))
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    functions = [call.function for call in calls if call.function]
    assert [function.name for function in functions if function.name] == ["get_weather"]
    assert "".join(function.arguments or "" for function in functions) == called.function.arguments
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_several_choices_arrive_streamed_and_plain(client: AsyncOpenAI) -> None:
    plain = await client.chat.completions.create(model="fast", messages=HI, n=2)
    chunks = await read(await ask(client, "fast", n=2))
    for index in (0, 1):
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices[0].index == index)
        assert text == plain.choices[index].message.content


@pytest.mark.parametrize(
    "more",
    [pytest.param({}, id="base64, as the SDK asks for"), pytest.param({"encoding_format": "float"}, id="float")],
)
async def test_embeddings_are_vectors(client: AsyncOpenAI, more: Any) -> None:
    answer = await client.embeddings.create(model="embed", input=["one", "two"], **more)
    assert [len(item.embedding) for item in answer.data] == [16, 16]
    assert answer.usage.prompt_tokens == 2


async def test_models_are_listed_and_found_by_name(client: AsyncOpenAI) -> None:
    names = [model.id async for model in client.models.list()]
    assert names == ["fast", "broken", "limited", "shaky", "auto", "gpt-4o-mini", "embed", "silent", "stalling"]
    for name, owner in (("fast", "gateway"), ("auto", "gateway"), ("embed", "first"), ("first/a/b:c", "first")):
        model = await client.models.retrieve(name)
        assert (model.id, model.owned_by) == (name, owner)


async def test_twenty_streams_at_once_stay_apart(client: AsyncOpenAI) -> None:
    async def one(number: int) -> None:
        model = f"sim-{number}-500tps-20tok"
        chunks = await read(await ask(client, f"first/{model}"))
        assert f"you asked it for {model}." in text_of(chunks)
        assert {chunk.model for chunk in chunks} == {model}

    await asyncio.gather(*map(one, range(20)))


async def test_the_client_without_asyncio_works_too(gateway: Gateway) -> None:
    def work() -> None:
        with OpenAI(api_key=KEY, base_url=gateway.url, max_retries=0) as client:
            plain = client.chat.completions.create(model="fast", messages=HI)
            stream = client.chat.completions.create(model="fast", messages=HI, stream=True)
            assert text_of(list(stream)) == plain.choices[0].message.content
            broken = client.chat.completions.create(model="first/fault-close-mid", messages=HI, stream=True)
            with pytest.raises(openai.APIError) as told:
                list(broken)
            assert told.value.code == "upstream_interrupted"

    await asyncio.to_thread(work)


ODD = ["no-done", "after-done", "bom", "crlf", "pings", "huge-line", "one-byte", "two-in-one", "usage-split"]


@pytest.mark.parametrize("fault", [*ODD, "eof-delimited", "keepalive-lie"])
async def test_an_odd_but_complete_stream_is_read_whole(client: AsyncOpenAI, fault: str) -> None:
    chunks = await read(await ask(client, f"first/fault-{fault}"))
    assert text_of(chunks).replace("a" * 2**20, "").startswith("Hello! This is first, a")
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]
    assert all(chunk.choices for chunk in chunks)


# what was decided is told


async def test_headers_tell_what_was_decided(client: AsyncOpenAI, gateway: Gateway) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model="fast", messages=HI, extra_headers={"X-Request-Id": "mine-1.2_3"}
    )
    headers = raw.headers
    assert headers["x-request-id"] == "mine-1.2_3"
    assert (headers["X-Model-Name"], headers["X-Model-Tier"], headers["X-Provider"]) == ("first/small", "fast", "first")
    assert headers["X-Fallback-Chain"] == "second/small"
    assert "X-Fallback-Used" not in headers
    assert headers["x-gateway-attempts"] == "1"
    assert headers["x-gateway-config-version"] == gateway.calls()[0]["config_version"]
    assert 0 <= float(headers["x-gateway-overhead-ms"]) < 1000
    assert headers["x-upstream-request-id"] == "req_first_1"
    assert (raw.parse()).choices[0].message.content


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_fallback_is_told_and_the_answer_is_the_second_upstreams(client: AsyncOpenAI, stream: bool) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="shaky", messages=HI, stream=stream)
    assert raw.headers["X-Fallback-Used"] == "true"
    assert (raw.headers["X-Provider"], raw.headers["x-gateway-attempts"]) == ("second", "2")
    answer = raw.parse()
    text = text_of(await read(answer)) if stream else answer.choices[0].message.content
    assert text.startswith("Hello! This is second")


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"extra_headers": {"X-Provider": "second", "X-Complexity": "simple"}}, id="in headers"),
        pytest.param({"extra_body": {"provider": "second", "complexity": "simple"}}, id="in the body"),
    ],
)
async def test_complexity_and_provider_are_heard_and_not_passed_on(
    client: AsyncOpenAI, second: Simulator, more: dict[str, Any]
) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="auto", messages=HI, **more)
    assert (raw.headers["X-Provider"], raw.headers["X-Model-Tier"]) == ("second", "fast")
    assert "X-Fallback-Used" not in raw.headers
    assert json.loads(second.requests[0].body).keys() == {"model", "messages"}


async def test_the_callers_key_stays_behind(client: AsyncOpenAI, upstream: Simulator) -> None:
    await client.chat.completions.create(model="fast", messages=HI)
    assert KEY.encode() not in upstream.requests[0].body
    assert not [value for _, value in upstream.requests[0].headers if KEY.encode() in value]


# a client that leaves frees the upstream


async def test_closing_a_stream_frees_the_upstream(client: AsyncOpenAI, gateway: Gateway, upstream: Simulator) -> None:
    stream = await ask(client, "first/sim-50tps-5000tok")
    await anext(aiter(stream))
    await stream.close()
    async with asyncio.timeout(2):
        await upstream.until_left(upstream.requests[0])
    call = await gateway.last_call()
    assert (call["outcome"], call["status"], call["usage_source"]) == ("client_gone", 499, "estimated")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_giving_up_before_the_first_byte_frees_the_upstream(
    client: AsyncOpenAI, gateway: Gateway, upstream: Simulator, stream: bool
) -> None:
    gate = Gate()
    upstream.script = lambda request: [Wait(gate)]
    call = client.chat.completions.create(model="first/small", messages=HI, stream=stream)
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = group.create_task(call)
        await gate.until_reached()
        waiting.cancel()
        await upstream.until_left(upstream.requests[0])
    assert (await gateway.last_call())["outcome"] == "client_gone"


async def test_the_next_stream_is_served_after_one_was_abandoned(client: AsyncOpenAI) -> None:
    for _ in range(3):
        stream = await ask(client, "first/sim-50tps-5000tok")
        await anext(aiter(stream))
        await stream.close()
    assert text_of(await read(await ask(client, "fast"))).startswith("Hello")
