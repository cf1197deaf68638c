"""The unmodified `openai` package for Node, through the gateway, at simulated providers."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from gateway.simulator import Simulator
from tests.conftest import Gateway
from tests.sdk.chat import BROKEN
from tests.sdk.conftest import DISABLED, NARROW
from tests.sdk.npm import FOLDER, Npm, started

Run = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


@pytest.fixture(scope="module")
def npm() -> Iterator[Npm]:
    with started() as npm:
        yield npm


@pytest.fixture
def run(npm: Npm, gateway: Gateway) -> Run:
    """`await run(case, model=…)`"""

    async def run(name: str, **asked: Any) -> dict[str, Any]:
        return await npm.run(name, gateway.url, **asked)

    return run


# what is asked for is answered


async def test_a_stream_says_what_the_plain_answer_says(run: Run) -> None:
    plain = await run("plain", model="fast")
    stream = await run("stream", model="fast")
    assert plain["text"].startswith("Hello! This is first")
    assert stream["text"] == plain["text"]
    assert (plain["finish"], stream["finish"]) == ("stop", ["stop"])
    assert plain["usage"]["completion_tokens"] > 0


async def test_usage_comes_only_if_it_was_asked_for(run: Run, gateway: Gateway) -> None:
    silent = await run("stream", model="fast")
    asked = await run("stream", model="fast", stream_options={"include_usage": True})
    assert silent["usages"] == []
    assert [usage["completion_tokens"] for usage in asked["usages"]] == [
        call["completion_tokens"] for call in gateway.calls()[1:]
    ]
    assert {call["usage_source"] for call in gateway.calls()} == {"provider"}


async def test_a_tool_call_arrives_streamed_and_plain(run: Run) -> None:
    result = await run("tools", model="fast")
    assert result["plain"] == {"name": "get_weather", "arguments": '{"city":"example"}'}
    assert result["streamed"] == result["plain"]


async def test_embeddings_are_vectors(run: Run) -> None:
    assert await run("embeddings", model="embed") == {"lengths": [16, 16]}


async def test_models_are_listed_and_found_by_name(run: Run) -> None:
    result = await run("models", model="first/a/b:c")
    assert {"fast", "auto", "gpt-4o-mini", "embed"} <= set(result["names"])
    assert result["found"] == "first/a/b:c"


async def test_twenty_streams_at_once_stay_apart(run: Run) -> None:
    models = [f"first/sim-{number}-500tps-20tok" for number in range(20)]
    result = await run("atOnce", models=models)
    for model, text in zip(models, result["texts"], strict=True):
        assert f"you asked it for {model.removeprefix('first/')}." in text


@pytest.mark.parametrize(
    "fault", ["no-done", "after-done", "bom", "crlf", "pings", "one-byte", "usage-split", "keepalive-lie"]
)
async def test_an_odd_but_complete_stream_is_read_whole(run: Run, fault: str) -> None:
    result = await run("stream", model=f"first/fault-{fault}")
    assert result["text"].startswith("Hello! This is first, a")
    assert (result["finish"], result["usages"]) == (["stop"], [])


async def test_headers_tell_what_was_decided(run: Run) -> None:
    headers = await run("headers", model="shaky")
    told = ("x-request-id", "x-model-name", "x-model-tier", "x-provider", "x-fallback-used", "x-gateway-attempts")
    assert [headers[name] for name in told] == ["node-1", "second/fail-first", "shaky", "second", "true", "2"]


# errors


@pytest.mark.parametrize(
    ("asked", "kind", "status", "code", "param"),
    [
        pytest.param({"key": "sk-gw-wrong"}, "AuthenticationError", 401, "invalid_api_key", None, id="401"),
        pytest.param({"key": DISABLED}, "PermissionDeniedError", 403, "key_disabled", None, id="403 disabled key"),
        pytest.param(
            {"key": NARROW, "model": "first/x"}, "PermissionDeniedError", 403, "model_not_allowed", "model", id="403"
        ),
        pytest.param({"model": "nowhere"}, "NotFoundError", 404, "model_not_found", "model", id="404"),
        pytest.param({"n": 0}, "BadRequestError", 400, "invalid_value", "n", id="400"),
        pytest.param(
            {"model": "first/fault-status-400"},
            "BadRequestError",
            400,
            None,
            "temperature",
            id="400 of the upstream",
        ),
        pytest.param(
            {"model": "first/fault-status-422"},
            "UnprocessableEntityError",
            422,
            None,
            None,
            id="422 of the upstream",
        ),
        pytest.param({"model": "limited"}, "RateLimitError", 429, "upstream_rate_limited", None, id="429"),
        pytest.param({"model": "broken"}, "InternalServerError", 502, "upstream_error", None, id="502"),
        pytest.param({"model": "silent"}, "InternalServerError", 504, "upstream_timeout", None, id="504"),
    ],
)
async def test_an_error_keeps_its_class_code_and_param(
    run: Run, asked: dict[str, Any], kind: str, status: int, code: str, param: str | None
) -> None:
    error = (await run("stream", **{"model": "fast", **asked}))["error"]
    assert (error["class"], error["status"], error["code"], error["param"]) == (kind, status, code, param)
    assert len(error["message"]) > 10
    assert error["requestID"]


async def test_after_several_attempts_the_sdk_does_not_multiply_them(
    run: Run, upstream: Simulator, second: Simulator
) -> None:
    result = await run("plain", model="broken", retries=2)
    assert result["error"]["status"] == 502
    assert (len(upstream.requests), len(second.requests)) == (1, 1)


async def test_after_one_attempt_the_sdk_may_retry_and_is_counted(
    run: Run, gateway: Gateway, upstream: Simulator
) -> None:
    await run("plain", model="first/fault-status-500", retries=1)
    assert len(upstream.requests) == 2
    assert [call["retry_count"] for call in gateway.calls()] == [0, 1]


@pytest.mark.parametrize(("model", "code"), BROKEN)
async def test_a_stream_that_breaks_throws(run: Run, model: str, code: str) -> None:
    error = (await run("stream", model=model))["error"]
    assert (error["class"], error["code"], error["text"]) == ("APIError", code, "Hello! This")


# a client that leaves frees the upstream


async def test_an_abort_frees_the_upstream(run: Run, gateway: Gateway, upstream: Simulator) -> None:
    result = await run("abort", model="first/sim-50tps-5000tok")
    assert result == {"chunks": 3}
    async with asyncio.timeout(2):
        await upstream.until_left(upstream.requests[0])
    assert (await gateway.last_call())["outcome"] == "client_gone"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_an_abort_before_the_first_byte_frees_the_upstream(
    run: Run, gateway: Gateway, upstream: Simulator, stream: bool
) -> None:
    result = await run("abortBeforeTheFirstByte", model="first/fault-silence", stream=stream)
    assert result["error"]["class"] == "APIUserAbortError"
    async with asyncio.timeout(2):
        await upstream.until_left(upstream.requests[0])
    assert (await gateway.last_call())["outcome"] == "client_gone"


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (FOLDER / "package-lock.json").read_text()
