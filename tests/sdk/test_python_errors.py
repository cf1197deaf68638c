"""Errors as the unmodified `openai` package for Python raises them, its retries, and streams that break."""

from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk

from gateway.simulator import Close, Gate, Send, Simulator, Wait, event, sse_answer
from tests.conftest import KEY, Gateway
from tests.sdk.chat import BROKEN, HI, ask, read, read_into, text_of
from tests.sdk.conftest import DISABLED, NARROW

# errors keep their class and everything they say

ERRORS = [
    pytest.param({"key": "sk-gw-wrong"}, openai.AuthenticationError, "invalid_api_key", None, id="401 wrong key"),
    pytest.param({"key": DISABLED}, openai.PermissionDeniedError, "key_disabled", None, id="403 disabled key"),
    pytest.param(
        {"key": NARROW, "model": "first/small"},
        openai.PermissionDeniedError,
        "model_not_allowed",
        "model",
        id="403 not this model",
    ),
    pytest.param({"model": "nowhere"}, openai.NotFoundError, "model_not_found", "model", id="404 model"),
    pytest.param({"model": "embed"}, openai.NotFoundError, "model_not_found", "model", id="404 other endpoint"),
    pytest.param({"n": 0}, openai.BadRequestError, "invalid_value", "n", id="400 n"),
    pytest.param({"messages": []}, openai.BadRequestError, "invalid_value", "messages", id="400 messages"),
    pytest.param({"stream": "yes"}, openai.BadRequestError, "invalid_value", "stream", id="400 stream"),
    pytest.param({"provider": "x"}, openai.BadRequestError, "invalid_value", "provider", id="400 provider"),
    pytest.param(
        {"model": "first/fault-status-400"},
        openai.BadRequestError,
        None,
        "temperature",
        id="400 of the upstream",
    ),
    pytest.param(
        {"model": "first/fault-context-length"},
        openai.BadRequestError,
        "context_length_exceeded",
        "messages",
        id="400 too long",
    ),
    pytest.param(
        {"model": "first/fault-status-422"},
        openai.UnprocessableEntityError,
        None,
        None,
        id="422 of the upstream",
    ),
    pytest.param({"model": "first/fault-status-404"}, openai.NotFoundError, None, None, id="404 of the upstream"),
    pytest.param({"model": "limited"}, openai.RateLimitError, "upstream_rate_limited", None, id="429"),
    pytest.param({"model": "broken"}, openai.InternalServerError, "upstream_error", None, id="502"),
    pytest.param(
        {"model": "first/fault-status-401"}, openai.InternalServerError, "upstream_auth_error", None, id="502 our key"
    ),
    pytest.param(
        {"model": "silent", "stream": True},
        openai.InternalServerError,
        "upstream_timeout",
        None,
        id="504",
    ),
]


@pytest.mark.parametrize(("asked", "kind", "code", "param"), ERRORS)
async def test_an_error_keeps_its_class_code_and_param(
    client: AsyncOpenAI, asked: dict[str, Any], kind: type[openai.APIStatusError], code: str | None, param: str | None
) -> None:
    given = {"model": "fast", "messages": HI, **asked}
    headers = {"X-Provider": given.pop("provider")} if "provider" in given else {}
    with pytest.raises(openai.APIStatusError) as told:
        await client.with_options(api_key=given.pop("key", KEY)).chat.completions.create(**given, extra_headers=headers)
    error: Any = told.value
    assert type(error) is kind
    assert (error.code, error.param) == (code, param)
    assert error.body.keys() == {"message", "type", "param", "code"}
    assert len(error.body["message"]) > 10
    assert error.body["message"] in error.message
    assert error.type == error.body["type"]
    assert error.request_id == error.response.headers["x-request-id"]


async def test_the_upstreams_own_words_reach_the_client(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as told:
        await client.chat.completions.create(model="first/fault-status-400", messages=HI)
    body: Any = told.value.body
    assert body["message"] == "Invalid value for 'temperature': expected a number between 0 and 2."


async def test_no_key_at_all_is_an_authentication_error(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as told:
        await client.chat.completions.create(model="fast", messages=HI, extra_headers={"Authorization": openai.omit})
    assert told.value.code == "missing_api_key"
    assert told.value.response.headers["www-authenticate"] == "Bearer"


async def test_an_unknown_url_is_a_not_found_error(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as told:
        await client.files.list()
    assert told.value.code == "unknown_url"


async def test_a_rate_limit_says_when_to_come_back(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as told:
        await client.chat.completions.create(model="first/fault-status-429", messages=HI)
    headers = told.value.response.headers
    assert headers["retry-after"] == "7"
    assert 6000 < int(headers["retry-after-ms"]) <= 7000


# the SDK's retries and ours


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_after_several_attempts_the_sdk_does_not_multiply_them(
    client: AsyncOpenAI, upstream: Simulator, second: Simulator, stream: bool
) -> None:
    with pytest.raises(openai.InternalServerError) as told:
        await client.with_options(max_retries=2).chat.completions.create(model="broken", messages=HI, stream=stream)
    assert told.value.response.headers["x-should-retry"] == "false"
    assert (len(upstream.requests), len(second.requests)) == (1, 1)


async def test_after_one_attempt_the_sdk_may_retry_and_is_counted(
    client: AsyncOpenAI, gateway: Gateway, upstream: Simulator
) -> None:
    with pytest.raises(openai.InternalServerError):
        await client.with_options(max_retries=1).chat.completions.create(model="first/fault-status-500", messages=HI)
    assert len(upstream.requests) == 2
    assert [call["retry_count"] for call in gateway.calls()] == [0, 1]


# a stream that breaks is never taken for complete


@pytest.mark.parametrize(("model", "code"), BROKEN)
async def test_a_stream_that_breaks_raises(client: AsyncOpenAI, gateway: Gateway, model: str, code: str) -> None:
    stream = await ask(client, model)
    chunks: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError) as told:
        await read_into(chunks, stream)
    assert text_of(chunks) == "Hello! This"
    assert (told.value.code, told.value.type) == (code, "server_error")
    assert len(told.value.message) > 10
    assert (await gateway.last_call())["outcome"] == "broken"


async def test_a_stream_with_an_illegal_chunk_raises(client: AsyncOpenAI, upstream: Simulator) -> None:
    gate = Gate()
    begun = sse_answer([event({"choices": [{"index": 0, "delta": {"content": "Well"}}]})])[:2]
    upstream.script = lambda request: [*begun, Wait(gate), Send(b"XYZ\r\ndata: {}\n\n\r\n"), Close()]
    stream = await ask(client, "first/small")
    assert text_of([await anext(aiter(stream))]) == "Well"
    gate.open()
    with pytest.raises(openai.APIError) as told:
        await read(stream)
    assert told.value.code == "upstream_interrupted"
