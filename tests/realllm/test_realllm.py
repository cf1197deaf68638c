"""The unmodified SDKs through the gateway at llama.cpp's own server: its text is gibberish, all else is real.

`make test-realllm` starts the server; `pytest tests/realllm --realllm-url URL` takes a running one, up to its `/v1`.
Only aborted streams free a slot: a plain call is generated to its end by this server, whoever has left.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from gateway.simulator import Simulator
from tests.conftest import KEY, Gateway, StartGateway
from tests.realllm.slots import until_idle
from tests.sdk.chat import HI, TOOLS, ask, read, text_of
from tests.sdk.npm import Npm, started

ENDLESS = {"logit_bias": {"2": -100}, "max_tokens": 10_000}
TWENTY = {"logit_bias": {"2": -100}, "max_tokens": 20, "temperature": 0}
CALLING = {"tool_choice": "required", "parallel_tool_calls": False, "logit_bias": {"2": 100, "3": 100}}


@pytest.fixture(scope="module")
def npm() -> Iterator[Npm]:
    with started() as npm:
        yield npm


@pytest.fixture
async def gateway(start_gateway: StartGateway, url: str, upstream: Simulator) -> Gateway:
    """`fast` has an upstream first that is stopped."""
    await upstream.close()
    return await start_gateway(f"""
upstreams: {{stopped: {{base_url: "{upstream.url}"}}, real: {{base_url: "{url}"}}}}
models:
  tiny: {{upstream: real, name: tiny-random}}
  gone: {{upstream: stopped}}
tiers: {{fast: [gone, tiny]}}
keys: [{{name: tester, key: {KEY}}}]
""")


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=KEY, base_url=gateway.url, max_retries=0) as client:
        yield client


async def test_a_stream_says_what_the_plain_answer_says(client: AsyncOpenAI) -> None:
    plain = await client.chat.completions.create(model="tiny", messages=HI, **TWENTY)
    chunks = await read(await ask(client, "tiny", **TWENTY))
    assert text_of(chunks) == plain.choices[0].message.content != ""
    assert plain.choices[0].finish_reason == chunks[-1].choices[0].finish_reason == "length"
    assert plain.usage.completion_tokens == 20


async def test_usage_is_the_servers_whether_it_was_asked_for_or_not(client: AsyncOpenAI, gateway: Gateway) -> None:
    asked = await read(await ask(client, "tiny", **TWENTY, stream_options={"include_usage": True}))
    silent = await read(await ask(client, "tiny", **TWENTY))
    assert asked[-1].usage is not None
    assert asked[-1].usage.completion_tokens == 20
    assert all(chunk.choices and chunk.usage is None for chunk in silent)
    for call in gateway.calls():
        assert (call["completion_tokens"], call["usage_source"], call["outcome"]) == (20, "provider", "ok")


async def test_a_tool_call_arrives_streamed_and_plain(client: AsyncOpenAI) -> None:
    tools = json.loads(json.dumps(TOOLS))
    tools[0]["function"]["parameters"]["properties"]["city"]["enum"] = ["Paris", "Rome"]
    plain = await client.chat.completions.create(model="tiny", messages=HI, tools=tools, max_tokens=1000, **CALLING)
    called = plain.choices[0].message.tool_calls[0].function
    assert called.name == "get_weather"
    assert json.loads(called.arguments)["city"] in ("Paris", "Rome")

    chunks = await read(await ask(client, "tiny", tools=tools, max_tokens=1000, **CALLING))
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert calls[0].function is not None
    assert calls[0].function.name == "get_weather"
    arguments = "".join(call.function.arguments or "" for call in calls if call.function and call.index == 0)
    assert json.loads(arguments)["city"] in ("Paris", "Rome")
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_an_abort_frees_the_servers_slot(client: AsyncOpenAI, gateway: Gateway, url: str) -> None:
    for _ in range(2):
        stream = await ask(client, "tiny", **ENDLESS)
        await anext(aiter(stream))
        await stream.close()
        await until_idle(url)
    assert text_of(await read(await ask(client, "tiny", **TWENTY)))
    assert [call["outcome"] for call in gateway.calls()] == ["client_gone", "client_gone", "ok"]


async def test_the_second_upstream_answers_for_a_stopped_one(client: AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="fast", messages=HI, stream=True, **TWENTY)
    assert (raw.headers["X-Fallback-Used"], raw.headers["X-Provider"]) == ("true", "real")
    assert text_of(await read(raw.parse()))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_prompt_that_is_too_long_is_a_bad_request(client: AsyncOpenAI, stream: bool) -> None:
    long: Any = [{"role": "user", "content": "word " * 40_000}]
    with pytest.raises(openai.BadRequestError) as told:
        await client.chat.completions.create(model="tiny", messages=long, stream=stream)
    assert told.value.code == "context_length_exceeded"


async def test_the_sdk_for_node(npm: Npm, gateway: Gateway, url: str) -> None:
    plain = await npm.run("plain", gateway.url, model="tiny", **TWENTY)
    stream = await npm.run("stream", gateway.url, model="fast", **TWENTY, stream_options={"include_usage": True})
    assert stream["text"] == plain["text"] != ""
    assert [usage["completion_tokens"] for usage in stream["usages"]] == [20]
    assert await npm.run("abort", gateway.url, model="tiny", **ENDLESS) == {"chunks": 3}
    await until_idle(url)
    headers = await npm.run("headers", gateway.url, model="fast")
    assert headers["x-fallback-used"] == "true"
    outcomes = [call["outcome"] for call in gateway.calls()]
    assert outcomes == ["ok", "ok", "client_gone", "ok"]
