"""A key's limits hold at every front door, whichever dialect is behind it."""

import itertools

import pytest

from gateway.simulator import Silence, Simulator, sse_answer
from tests.conftest import KEY, Gateway, StartGateway
from tests.dialects.callers import CALLERS, Caller
from tests.dialects.providers import COMPLETION, PROMPT, PROVIDERS, Json, Provider
from tests.dialects.wire import ask, request, says
from tests.e2e.answers import get
from tests.e2e.raw import RawClient

PAIRS = [
    pytest.param(caller, provider, id=f"{caller.path.rpartition('/')[2]} at {provider.dialect}")
    for caller, provider in itertools.product(CALLERS, PROVIDERS)
]


def held(routes: str, limits: str) -> str:
    return routes.replace(f"key: {KEY}", f"key: {KEY}, limits: small") + f"limits: {{small: {{{limits}}}}}\n"


async def used(gateway: Gateway) -> Json:
    limits: Json = (await get(gateway, "/v1/key")).json["limits"]  # type: ignore[assignment]
    return limits


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_what_the_provider_reported_is_charged(
    caller: Caller, provider: Provider, stream: bool, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    """Of a bucket that fills by a token a minute."""
    gateway = await start_gateway(held(routes, "requests_per_minute: 60, tokens_per_minute: 1, token_burst: 5000"))
    says(upstream, provider.text)
    answer = await ask(gateway, caller.path, caller.body(provider.dialect, stream=stream))
    assert answer.header("x-ratelimit-limit-requests") == answer.header("x-ratelimit-limit") == "60"
    assert answer.header("x-ratelimit-remaining-requests") == "59"
    assert int(answer.header("x-ratelimit-remaining-tokens") or 0) < 5000 - 64, "what it may come to is held first"
    assert (await used(gateway))["tokens_per_minute"]["used"] == PROMPT + COMPLETION


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_a_stream_takes_a_slot_and_gives_it_back(
    caller: Caller, provider: Provider, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(held(routes, "concurrent_streams: 1"))
    begun = sse_answer(provider.text.events[: provider.begun], done=False)[:-1]
    upstream.script = lambda asked: [*begun, Silence()]
    client = RawClient(gateway.port)
    await client.send(request(caller.path, caller.body(provider.dialect, stream=True)))
    await client.until(b"Hello")
    assert (await used(gateway))["concurrent_streams"]["used"] == 1
    refused = await ask(gateway, caller.path, caller.body(provider.dialect))
    assert refused.status == 429
    assert caller.read_error(refused.json)[0] in ("requests", "rate_limit_error")
    assert refused.header("retry-after") is not None
    client.leave()
    await gateway.last_call(2)
    assert (await used(gateway))["concurrent_streams"]["used"] == 0


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.path)
async def test_a_call_past_the_limit_is_refused_in_the_callers_shape(
    caller: Caller, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(held(routes, "requests_per_minute: 1"))
    says(upstream, PROVIDERS[0].text)
    assert (await ask(gateway, caller.path, caller.body("openai"))).status == 200
    refused = await ask(gateway, caller.path, caller.body("openai"))
    kind, message = caller.read_error(refused.json)
    assert (refused.status, kind in ("requests", "rate_limit_error")) == (429, True)
    assert message.startswith("Rate limit reached for openai on requests per min (RPM): Limit 1, Used 1, Requested 1.")
    assert refused.header("x-ratelimit-remaining-requests") == "0"
    assert len(upstream.requests) == 1
