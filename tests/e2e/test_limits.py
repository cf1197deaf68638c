"""A key held to its limits over real sockets: what is refused, how it is told, what is charged."""

import asyncio
import re
from collections.abc import Callable

import pytest

from gateway.simulator import Silence, Simulator, json_answer, sse_answer
from tests.conftest import KEY, Gateway, StartGateway
from tests.e2e.answers import Answer, answer_to, get
from tests.e2e.raw import RawClient, chat, post

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
USED = {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
CLOSE = "Connection: close\r\n"


Limited = Callable[[str], str]


@pytest.fixture
def limited(two_upstreams: str) -> Limited:
    """A configuration whose one key has the limits given."""
    priced = two_upstreams.replace('name: "*"}', 'name: "*", price: {input: 1000, output: 2000}}')
    priced = priced.replace("kind: embeddings", "kind: embeddings, price: {input: 1}")
    held = priced.replace(f"key: {KEY}", f"key: {KEY}, limits: small")
    return lambda limits: held + f"limits: {{small: {{{limits}}}}}\n"


async def ask(gateway: Gateway, *, stream: bool = False, model: str = "fast", headers: str = "") -> Answer:
    return await answer_to(gateway, post(chat(model, stream=stream, max_tokens=10), headers=headers + CLOSE))


def plain(upstream: Simulator) -> None:
    upstream.script = lambda request: json_answer(200, USED)


async def hold(gateway: Gateway, upstream: Simulator, count: int = 1) -> list[RawClient]:
    """Streams that stay open after their first event."""
    upstream.script = lambda request: [*sse_answer([EVENT])[:2], Silence()]
    clients = [RawClient(gateway.port) for _ in range(count)]
    for client in clients:
        await client.send(post(chat("fast", max_tokens=10)))
        await client.until(EVENT)
    return clients


class TestRequests:
    async def test_past_the_burst_a_call_is_refused_with_the_time_to_wait(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("requests_per_minute: 2"))
        plain(upstream)
        assert [(await ask(gateway)).status for _ in range(2)] == [200, 200]
        refused = await ask(gateway)
        assert refused.error == (429, "rate_limit_exceeded")
        error = refused.json["error"]
        assert error["type"] == "requests"
        found = re.fullmatch(
            r"Rate limit reached for fast on requests per min \(RPM\): Limit 2, Used 2, Requested 1\. "
            r"Please try again in ([0-9.]+)s\.",
            error["message"],
        )
        assert found
        assert 25 < float(found[1]) <= 30
        assert refused.header("retry-after") == "30"
        assert 25_000 < int(refused.header("retry-after-ms") or 0) <= 30_000
        assert refused.header("x-should-retry") is None
        assert len(upstream.requests) == 2, "a refused call goes nowhere"
        line = await gateway.last_call(3)
        assert (line["outcome"], line["code"], line["limit"]) == ("refused", "rate_limit_exceeded", "requests")

    async def test_every_answer_tells_what_is_left(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator, second: Simulator
    ) -> None:
        gateway = await start_gateway(limited("requests_per_minute: 60, tokens_per_minute: 60000"))
        plain(upstream)
        first = await ask(gateway)
        assert first.header("x-ratelimit-limit-requests") == first.header("x-ratelimit-limit") == "60"
        assert first.header("x-ratelimit-remaining-requests") == first.header("x-ratelimit-remaining") == "59"
        assert first.header("x-ratelimit-reset-requests") == "1s"
        assert first.header("x-ratelimit-limit-tokens") == "60000"
        streamed = await ask(gateway, stream=True)
        assert streamed.header("x-ratelimit-remaining-requests") == "58"
        failed = await ask(gateway, model="second/fail-second")
        assert failed.status == 502
        assert failed.header("x-ratelimit-remaining-requests") == "57"

    async def test_calls_that_share_a_request_id_count_one_by_one(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("requests_per_minute: 40"))
        plain(upstream)
        answers = await asyncio.gather(*(ask(gateway, headers="X-Request-Id: same\r\n") for _ in range(50)))
        assert sorted(answer.status for answer in answers) == [200] * 40 + [429] * 10
        assert len(upstream.requests) == 40

    async def test_a_burst_is_what_may_come_at_once(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("requests_per_minute: 6, request_burst: 1"))
        plain(upstream)
        assert [(await ask(gateway)).status for _ in range(2)] == [200, 429]

    async def test_what_is_refused_for_another_reason_costs_nothing(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("requests_per_minute: 1"))
        plain(upstream)
        assert (await ask(gateway, model="nothing")).error == (404, "model_not_found")
        assert (await answer_to(gateway, post(b"{", headers=CLOSE))).error == (400, "invalid_json")
        assert (await ask(gateway)).status == 200


class TestTokens:
    async def test_the_reservation_becomes_what_the_provider_reported(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("tokens_per_minute: 1000"))
        plain(upstream)
        first = await ask(gateway)
        reserved = 1000 - int(first.header("x-ratelimit-remaining-tokens") or 0)
        assert reserved > 10
        left = (await get(gateway, "/v1/key")).json["limits"]["tokens_per_minute"]
        assert left["remaining"] in (990, 991)
        assert left["used"] == 1000 - left["remaining"]

    async def test_a_call_that_failed_costs_no_tokens(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("requests_per_minute: 60, tokens_per_minute: 1000"))
        assert (await ask(gateway, model="second/fail-second")).status == 502
        limits = (await get(gateway, "/v1/key")).json["limits"]
        assert limits["tokens_per_minute"]["remaining"] == 1000
        assert limits["requests_per_minute"]["remaining"] == 59

    async def test_more_than_the_bucket_ever_holds_is_not_worth_a_retry(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("tokens_per_minute: 19"))
        refused = await ask(gateway)
        assert refused.error == (429, "rate_limit_exceeded")
        assert refused.json["error"]["type"] == "tokens"
        assert refused.json["error"]["message"].startswith(
            "Request too large for fast on tokens per min (TPM): Limit 19, Requested 20."
        )
        assert refused.header("x-should-retry") == "false"
        assert refused.header("retry-after") is None

    async def test_past_the_burst_a_call_is_refused(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("tokens_per_minute: 30"))
        await hold(gateway, upstream)
        refused = await ask(gateway)
        assert refused.error == (429, "rate_limit_exceeded")
        assert refused.json["error"]["type"] == "tokens"
        assert "on tokens per min (TPM): Limit 30, Used " in refused.json["error"]["message"]


class TestStreams:
    async def test_plain_calls_and_streams_share_the_places(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("concurrent_streams: 2"))
        await hold(gateway, upstream, 2)
        for stream in (True, False):
            refused = await ask(gateway, stream=stream)
            assert refused.error == (429, "concurrency_limit_exceeded")
            assert refused.json["error"]["type"] == "requests"
            assert 500 <= int(refused.header("retry-after-ms") or 0) <= 2000
        assert (await get(gateway, "/v1/key")).json["limits"]["concurrent_streams"] == {
            "limit": 2,
            "used": 2,
            "remaining": 0,
        }

    @pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
    async def test_a_client_that_leaves_gives_its_place_back(
        self, reset: bool, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("concurrent_streams: 1"))
        (client,) = await hold(gateway, upstream)
        client.leave(reset=reset)
        await gateway.last_call()
        plain(upstream)
        assert (await ask(gateway)).status == 200
        assert (await ask(gateway)).status == 200


class TestBudget:
    async def test_a_spent_budget_is_not_worth_a_retry(
        self, start_gateway: StartGateway, limited: Limited, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(limited("budget: {usd: 0.1, period: month}"))
        plain(upstream)
        assert (await ask(gateway)).status == 200
        told = (await get(gateway, "/v1/key")).json["limits"]["budget"]
        assert (told["limit_usd"], told["spent_usd"], told["remaining_usd"]) == (0.1, 0.013, 0.087)
        assert re.fullmatch(r"\d{4}-\d\d-01T00:00:00Z", told["resets"])
        assert [(await ask(gateway)).status for _ in range(6)] == [200] * 5 + [429], "the dearest call has to fit"
        refused = await ask(gateway)
        assert refused.error == (429, "insufficient_quota")
        assert refused.json["error"]["type"] == "insufficient_quota"
        assert refused.header("x-should-retry") == "false"
        assert refused.header("retry-after") is None


async def test_a_key_without_limits_is_told_none(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    plain(upstream)
    answer = await ask(gateway)
    assert not [name for name in answer.headers if b"ratelimit" in name]


async def test_refusals_are_counted_by_limit(
    start_gateway: StartGateway, limited: Limited, upstream: Simulator
) -> None:
    gateway = await start_gateway(limited("requests_per_minute: 1"))
    plain(upstream)
    for _ in range(3):
        await ask(gateway)
    assert b'gateway_refusals_total{limit="requests"} 2.0' in (await get(gateway, "/metrics")).body
