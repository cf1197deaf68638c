"""Every front door over every dialect: what the provider is sent, and what the caller hears of its answer."""

import itertools
import json

import pytest

from gateway.simulator import Simulator
from tests.conftest import KEY, StartGateway
from tests.dialects.callers import CALLERS, Caller, Heard
from tests.dialects.providers import (
    ARGUMENTS,
    CACHED,
    COMPLETION,
    PROMPT,
    PROVIDERS,
    TEXT,
    TOOL,
    Json,
    Provider,
)
from tests.dialects.schemas import check
from tests.dialects.wire import ask, says, sent

PAIRS = [
    pytest.param(caller, provider, id=f"{caller.path[4:].replace('/', '-')} at {provider.dialect}")
    for caller, provider in itertools.product(CALLERS, PROVIDERS)
]


@pytest.mark.parametrize("tool", [False, True], ids=["text", "tool"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_every_caller_hears_every_provider(
    caller: Caller,
    provider: Provider,
    stream: bool,
    tool: bool,
    start_gateway: StartGateway,
    routes: str,
    upstream: Simulator,
) -> None:
    gateway = await start_gateway(routes)
    says(upstream, provider.said(tool=tool), headers=[("x-request-id", "req_there")])
    fields: Json = {"tools": caller.tools} if tool else {}
    if caller.path.endswith("completions") and stream:
        fields |= {"stream_options": {"include_usage": True}}
    body = caller.body(provider.dialect, **fields, **({"stream": True} if stream else {}))
    answer = await ask(gateway, caller.path, body)
    assert (answer.status, answer.complete) == (200, True), answer.body
    heard = caller.read_stream(answer.body) if stream else caller.read(answer.json)
    calls = [(TOOL, ARGUMENTS)] if tool else []
    assert heard == Heard("" if tool else TEXT, calls, (PROMPT, COMPLETION))
    assert answer.header("x-provider") == answer.header("x-model-name") == provider.dialect
    assert answer.header("x-upstream-request-id") == "req_there"
    call = await gateway.last_call()
    assert (call["route"], call["outcome"], call["usage_source"]) == (_route(caller), "ok", "provider")
    assert (call["prompt_tokens"], call["completion_tokens"], call["cached_tokens"]) == (PROMPT, COMPLETION, CACHED)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_every_provider_is_asked_in_its_own_words(
    caller: Caller, provider: Provider, stream: bool, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    says(upstream, provider.tool)
    await ask(gateway, caller.path, caller.body(provider.dialect, tools=caller.tools, stream=stream))
    [asked] = upstream.requests
    assert (asked.method, asked.path) == ("POST", provider.asked_at(stream=stream))
    name, value = provider.credential
    assert asked.header(name) == value
    assert not any(KEY.encode() in value for _, value in asked.headers)
    assert (asked.header(b"anthropic-version") is not None) == (provider.dialect == "anthropic")
    check(provider, sent(upstream), stream=stream)
    assert TOOL in json.dumps(sent(upstream))


def _route(caller: Caller) -> str:
    return {"/v1/chat/completions": "chat", "/v1/messages": "messages", "/v1/responses": "responses"}[caller.path]
