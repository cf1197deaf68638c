"""What the `anthropic` package raises, whichever upstream fails."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam

from tests.conftest import KEY
from tests.sdk.dialects.conftest import PROVIDERS, House
from tests.sdk.upstreams import FAILURE
from tests.sdk.upstreams.said import COMPLETION, GREETING

HI: list[MessageParam] = [{"role": "user", "content": "hi"}]


@pytest.fixture
async def client(house: House) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(api_key=KEY, base_url=house.url, max_retries=0) as client:
        yield client


async def ask(client: AsyncAnthropic, model: str, *, stream: bool = True, **more: Any) -> None:
    asked: Any = {"max_tokens": 100, "messages": HI, "model": model, **more}
    if stream:
        async with client.messages.stream(**asked) as events:
            await events.get_final_message()
    else:
        await client.messages.create(**asked)


async def caught(client: AsyncAnthropic, model: str, **more: Any) -> anthropic.APIStatusError:
    with pytest.raises(anthropic.APIStatusError) as caught:
        await ask(client, model, **more)
    return caught.value


def said(error: anthropic.APIStatusError) -> dict[str, Any]:
    """The body, in the shape that is Anthropic's."""
    body: Any = error.body
    assert body["type"] == "error"
    assert body["error"].keys() == {"type", "message"}
    inner: dict[str, Any] = body["error"]
    return inner


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "kind", "told", "kind_told"),
    [
        pytest.param(400, anthropic.BadRequestError, 400, "invalid_request_error", id="400"),
        pytest.param(401, anthropic.InternalServerError, 502, "api_error", id="401 of the gateway's own key"),
        pytest.param(429, anthropic.RateLimitError, 429, "rate_limit_error", id="429"),
        pytest.param(500, anthropic.InternalServerError, 502, "api_error", id="500"),
        pytest.param(529, anthropic.InternalServerError, 502, "api_error", id="529"),
    ],
)
async def test_an_upstreams_error_keeps_its_class(
    house: House,
    client: AsyncAnthropic,
    provider: str,
    status: int,
    kind: type,
    told: int,
    kind_told: str,
    stream: bool,
) -> None:
    error = await caught(client, f"{provider}/status-{status}", stream=stream)
    assert (type(error), error.status_code, said(error)["type"]) == (kind, told, kind_told)
    assert (said(error)["message"] == FAILURE) is (status == 400)
    assert error.request_id == error.response.headers["x-request-id"]
    assert error.body["request_id"] == error.request_id  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        pytest.param({"model": "missing"}, anthropic.NotFoundError, "not_found_error", id="404"),
        pytest.param({"messages": []}, anthropic.BadRequestError, "invalid_request_error", id="400"),
        pytest.param({"max_tokens": 0}, anthropic.BadRequestError, "invalid_request_error", id="400 number"),
    ],
)
async def test_the_gateways_own_error_keeps_its_class(
    client: AsyncAnthropic, asked: dict[str, Any], kind: type, told: str
) -> None:
    error = await caught(client, **{"model": "openai/gpt-5", "stream": False, **asked})
    assert (type(error), said(error)["type"]) == (kind, told)
    assert error.request_id


async def test_a_wrong_key_is_an_authentication_error(house: House) -> None:
    async with AsyncAnthropic(api_key="sk-gw-wrong", base_url=house.url, max_retries=0) as client:
        error = await caught(client, "openai/gpt-5", stream=False)
    assert (type(error), said(error)["type"]) == (anthropic.AuthenticationError, "authentication_error")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("failure", ["breaks", "cut"])
async def test_a_stream_that_breaks_raises(client: AsyncAnthropic, provider: str, failure: str) -> None:
    texts = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        async with client.messages.stream(model=f"{provider}/{failure}", max_tokens=100, messages=HI) as events:
            texts.extend([text async for text in events.text_stream])
    assert "".join(texts) in f"{GREETING}: hi"
    assert said(caught.value)["type"] == "api_error"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_sdk_asks_again_after_a_passing_failure(house: House, provider: str) -> None:
    async with AsyncAnthropic(api_key=KEY, base_url=house.url, max_retries=1) as client:
        message = await client.messages.create(model=f"{provider}/once-529", max_tokens=100, messages=HI)
    assert message.usage.output_tokens == COMPLETION
    assert len(house.simulators[provider].requests) == 2


async def test_the_sdk_does_not_multiply_what_the_gateway_tried(house: House) -> None:
    async with AsyncAnthropic(api_key=KEY, base_url=house.url, max_retries=2) as client:
        error = await caught(client, "nowhere", stream=False)
    assert error.status_code == 502
    assert [len(one.requests) for one in house.simulators.values()] == [1, 1, 1, 0]
