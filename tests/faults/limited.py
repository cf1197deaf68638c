"""A gateway that keeps its limits in a real Redis behind a relay, and callers of every kind at its front door."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import pytest
from redis.asyncio import Redis

from gateway.simulator import Gate, Step, Wait, event, sse_answer
from tests.conftest import KEY, Gateway
from tests.e2e.answers import Answer, get
from tests.fault_proxy import NONE, FaultProxy
from tests.faults.rig import CANARIES, PROVIDER_KEY, Client, Rig, ask
from tests.redis_server import RedisServer
from tests.waits import timed

TIMEOUT = 0.1
RECOVERY = 5.0
BURST, STREAMS = 40, 12
# One of four gateways.
SHARE = BURST // 4
PAYER = "sk-gw-" + "p" * 43
FOREIGN = "sk-gw-" + "f" * 43
VAST = "sk-gw-" + "v" * 43

_CONFIG = f"""
server: {{listen: "127.0.0.1:0"}}
store: {{url: "STORE", on_error: POLICY, replicas: 4, lease_ttl: 5s, timeout: TIMEOUT}}
upstreams: {{first: {{base_url: "UPSTREAM", api_key: {PROVIDER_KEY}}}}}
model_defaults: {{max_retries: 0}}
models: {{"first/*": {{upstream: first, name: "*", price: {{input: 1, output: 2}}}}}}
keys:
  - {{name: tester, key: {KEY}, limits: small}}
  - {{name: payer, key: {PAYER}, limits: paid}}
  - {{name: foreign, key: {FOREIGN}, limits: small}}
  - {{name: vast, key: {VAST}, limits: vast}}
limits:
  small:
    {{requests_per_minute: 60, request_burst: {BURST}, tokens_per_minute: 60, token_burst: 1000000,
    concurrent_streams: {STREAMS}}}
  paid: {{requests_per_minute: 6000, budget: {{usd: 1000, period: month}}}}
  vast: {{requests_per_minute: 1000000, concurrent_streams: 100000}}
"""
_HELD = """
local held, time = 0, redis.call('TIME')
local now = string.format('(%.0f', time[1] * 1000000 + time[2])
for _, key in ipairs(redis.call('KEYS', 'gw:*:leases')) do
  held = held + redis.call('ZCOUNT', key, now, '+inf')
end
return held
"""

EVENT = event({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]})
STOP = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


@pytest.fixture(name="limited")
async def limited_gateway(rig: Rig, tmp_path: Path) -> AsyncIterator["Limited"]:
    with RedisServer(tmp_path) as server:
        async with FaultProxy(server.port) as proxy:
            limited = Limited(rig, server, proxy)
            yield limited
            await limited.exits.aclose()
            proxy.to_server = proxy.to_client = NONE
            await limited.check_secrets()


class Limited:
    """`await start()` first. Calls wait for their answers; `stream` holds a call open until `end_streams`.

    `only` is for a test that lets nobody else be connected to Redis, until `exits` are closed.
    """

    def __init__(self, rig: Rig, server: RedisServer, proxy: FaultProxy) -> None:
        self.rig = rig
        self.server = server
        self.proxy = proxy
        self.waits: list[float] = []
        self.exits = AsyncExitStack()
        self.only: Redis | None = None
        self._gate = Gate()

    async def start(self, policy: str = "local", *, url: str | None = None, patient: bool = False) -> Gateway:
        """The gateway is one of four on this Redis. A patient one waits for it as long as one may be told to."""
        provider = self.rig.first.script
        self.rig.first.script = lambda asked: self._held() if b'"held"' in asked.body else provider(asked)
        config = _CONFIG.replace("STORE", url or self.proxy.url).replace("POLICY", policy)
        config = config.replace("TIMEOUT", "1s" if patient else f"{TIMEOUT}s")
        return await self.rig.start(config.replace("UPSTREAM", self.rig.first.url))

    async def call(self, key: str = KEY, *, stream: bool = False) -> Answer:
        with timed(self.waits, TIMEOUT):
            return await self.rig.send(request(key, stream=stream))

    async def calls(self, count: int, key: str = KEY) -> list[Answer]:
        """At once."""
        return await asyncio.gather(*(self.call(key) for _ in range(count)))

    async def admitted(self, count: int, key: str = KEY) -> int:
        """How many of so many get in, one after another."""
        return sum([(await self.call(key)).status == 200 for _ in range(count)])

    async def stream(self, key: str = KEY) -> Client:
        """One that is under way."""
        client = self.rig.client()
        await client.send(request(key, "first/held", stream=True))
        await client.until(b'"x"')
        return client

    def _held(self) -> list[Step]:
        head, event, *rest = sse_answer([EVENT, EVENT, STOP])
        return [head, event, Wait(self._gate), *rest]

    async def end_streams(self, *clients: Client) -> list[Answer]:
        self._gate.open()
        return [await client.answer() for client in clients]

    async def get(self, path: str) -> Answer:
        """Of the gateway's own: probes are no callers."""
        return await get(self.rig.gateway, path)

    async def used(self) -> dict[str, dict[str, float]]:
        """How far the limits are used, by the gateway's own word."""
        return limits_of(await self.get("/v1/key"))

    async def is_back(self) -> bool:
        return not is_degraded(await self.call(VAST))

    async def recovered(self) -> None:
        """Within the time that is promised every call goes by Redis again."""

        async def whole() -> bool:
            answers = await self.calls(50, VAST)
            return all(answer.status == 200 and not is_degraded(answer) for answer in answers)

        await until(self.is_back, RECOVERY)
        await until(whole, RECOVERY)

    async def held(self) -> int:
        """Leases that still run, in Redis."""
        return int(await self.server.ask("EVAL", _HELD, 0))

    async def spent(self, micro_usd: int) -> None:
        """Wait until that is what the payer's budget has paid, and see that it stays so."""

        async def paid() -> int:
            names = await self.server.ask("KEYS", "gw:*:spend:*")
            return sum([int(await self.server.ask("GET", name)) for name in names])

        try:
            await until(lambda: _equals(paid, micro_usd), 5.0)
        finally:
            assert await paid() == micro_usd

    async def check_secrets(self) -> None:
        """I-11: no name of a key in Redis holds one."""
        names = "\n".join(await self.server.ask("KEYS", "*"))
        assert not [canary for canary in (*CANARIES, PAYER, FOREIGN, VAST) if canary in names]

    async def until_held(self, count: int) -> None:
        await until(lambda: _equals(self.held, count))

    async def all_free(self) -> None:
        await self.until_held(0)


def request(key: str = KEY, model: str = "first/small", *, stream: bool = False) -> bytes:
    return ask(model, stream=stream, max_tokens=10).replace(KEY.encode(), key.encode(), 1)


def limits_of(answer: Answer) -> dict[str, dict[str, float]]:
    """By `/v1/key`."""
    return cast(dict[str, dict[str, float]], answer.json["limits"])


def usage_of(answer: Answer) -> tuple[int, int]:
    """Tokens of the prompt and of the completion, as the provider reports them."""
    usage = cast(dict[str, int], answer.json["usage"])
    return usage["prompt_tokens"], usage["completion_tokens"]


def is_degraded(answer: Answer) -> bool:
    return answer.header("x-gateway-degraded") == "limiter"


def assert_denied(answer: Answer) -> None:
    assert answer.error == (503, "limiter_unavailable")
    assert answer.header("retry-after") == "1"
    assert is_degraded(answer)


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.005)


async def _equals(ask_for: Callable[[], Awaitable[int]], number: int) -> bool:
    return await ask_for() == number
