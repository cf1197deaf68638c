"""What a fault's test runs in: two simulated upstreams, a gateway, clients that keep what they saw, and secrets
that must turn up nowhere. `conftest` makes it, and asserts after the test what holds after every fault.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httptools
from redis.exceptions import RedisError

from gateway.simulator import Simulator
from gateway.store.memory import MemoryStore
from gateway.upstream.pool import Pool
from tests.conftest import KEY, Gateway, StartGateway
from tests.e2e.answers import Answer
from tests.e2e.raw import RawClient, post
from tests.faults.watch import LoopWatch
from tests.redis_server import RedisServer

PROMPT = "canary-prompt-8d1f"
HEADER = "canary-header-27c4"
PROVIDER_KEY = "sk-canary-provider-93b5"
CANARIES = (KEY, PROVIDER_KEY, PROMPT, HEADER)
LAST = "Connection: close\r\n"
PATIENCE = 10.0

# Those of docs/api.md, and 100 for a client that waits for it. 500 would be a bug.
STATUSES = {100, 200, 204, 400, 401, 403, 404, 405, 408, 413, 414, 415, 417, 422, 429, 431, 502, 503, 504}

CONFIG = """
server: {{listen: "127.0.0.1:0"{server}}}
store: {{{store}}}
upstreams:
  first: {{base_url: "{first}", api_key: {key}, connect_timeout: 500ms}}
  second: {{base_url: "{second}", api_key: {key}, connect_timeout: 500ms}}
model_defaults: {{max_retries: 0{models}}}
models:
  "first/*": {{upstream: first, name: "*"}}
  "second/*": {{upstream: second, name: "*"}}
  "rescued/*": {{upstream: first, name: "*", fallbacks: [second/good]}}
  embed: {{upstream: first, kind: embeddings}}
tiers:
  fast: [first/small, second/small]
complexity: {{simple: fast, medium: fast, complex: fast}}
limits:
  wide: {{requests_per_minute: 1000000, tokens_per_minute: 100000000, concurrent_streams: 10000{limits}}}
keys:
  - {{name: tester, key: {client}, limits: wide}}
"""


def ask(model: str, *, stream: bool = True, headers: str = LAST, **fields: Any) -> bytes:
    """A chat request with the secrets in it; `headers` are whole lines with their CRLF."""
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": PROMPT}], **fields}
    return post(body, headers=f"X-Canary: {HEADER}\r\nOpenAI-Beta: {HEADER}\r\n{headers}")


async def until(true: Callable[[], object], what: str) -> None:
    """Raises AssertionError with `what` if it never is."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not true():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(what) from None


class Client(RawClient):
    """Keeps all it read."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        super().__init__(port, receive_buffer)
        self.seen = bytearray()

    async def until(self, end: bytes) -> bytes:
        data = await super().until(end)
        self.seen += data
        return data

    async def rest(self) -> tuple[bytes, str]:
        data, end = await super().rest()
        self.seen += data
        return data, end

    async def answer(self) -> Answer:
        """All that came on this connection, to its end."""
        _, end = await self.rest()
        return Answer(bytes(self.seen), end)


class Said:
    """Every answer that came over one connection: its status, headers in lower case, and body."""

    def __init__(self, seen: bytes) -> None:
        self.answers: list[tuple[int, dict[bytes, bytes], bytearray]] = []
        self._headers: dict[bytes, bytes] = {}
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(seen)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.answers.append((self._parser.get_status_code(), self._headers, bytearray()))
        self._headers = {}

    def on_body(self, body: bytes) -> None:
        self.answers[-1][2].extend(body)


class Rig:
    """`await start()` first. A test says of itself what it does that a gateway must not: `statuses`, `blocking`.

    `redis` is for the store's own checks, where a test has one.
    """

    def __init__(self, start_gateway: StartGateway, first: Simulator, second: Simulator, watch: LoopWatch) -> None:
        self.first = first
        self.second = second
        self.statuses = set(STATUSES)
        self.redis: RedisServer | None = None
        self.gateways: list[Gateway] = []
        self.clients: list[Client] = []
        self._start_gateway = start_gateway
        self._watch = watch

    @property
    def gateway(self) -> Gateway:
        return self.gateways[-1]

    def config(self, *, server: str = "", store: str = "", models: str = "", limits: str = "") -> str:
        """Each adds members, as `idle_timeout: 100ms`, to what is there by default."""
        return CONFIG.format(
            server=server and f", {server}",
            store=store,
            models=models and f", {models}",
            limits=limits and f", {limits}",
            first=self.first.url,
            second=self.second.url,
            key=PROVIDER_KEY,
            client=KEY,
        ).replace("store: {}\n", "")

    async def start(self, config: str | None = None, **members: str) -> Gateway:
        """`config` as a whole, or `members` for that of the rig."""
        self.gateways.append(await self._start_gateway(config or self.config(**members)))
        return self.gateway

    def client(self, receive_buffer: int | None = None) -> Client:
        client = Client(self.gateway.port, receive_buffer)
        self.clients.append(client)
        return client

    async def ask(self, model: str, *, stream: bool = True, **fields: Any) -> Answer:
        return await self.send(ask(model, stream=stream, **fields))

    async def send(self, request: bytes) -> Answer:
        """The answer to a request that is its connection's last."""
        client = self.client()
        await client.send(request)
        return await client.answer()

    @contextmanager
    def blocking(self) -> Iterator[None]:
        """What the test itself keeps the loop from is not the gateway's doing."""
        with self._watch.excused():
            yield

    def metric(self, name: str, **labels: str) -> float:
        """The value of a sample now, 0 if there is none."""
        app = self.gateway.app
        app.recorder.flush()
        return app.metrics.registry.get_sample_value(f"gateway_{name}", labels) or 0.0

    # What holds after every test

    async def check(self) -> None:
        """All of it; raises AssertionError."""
        await self.check_quiet()
        self.check_statuses()
        await self.check_secrets()

    async def check_quiet(self) -> None:
        """I-1 and I-6: nothing is under way, nobody holds a lease, no connection to an upstream is busy."""
        apps = [gateway.app for gateway in self.gateways]
        await until(lambda: not sum(len(app.live) for app in apps), "calls are under way")
        pools = [pool for app in apps for pool in app.sender.pools.values()]
        await until(lambda: not any(map(_busy, pools)), f"busy connections: {pools}")
        stores = [app.store for app in apps if isinstance(app.store, MemoryStore)]
        await until(lambda: not any(map(_running, stores)), "leases are held")
        if self.redis is not None:
            await _eventually_none(self._leases)

    async def _leases(self) -> object:
        assert self.redis is not None
        keys = await self.redis.ask("KEYS", "gw:*:leases")
        return {key: held for key in keys if (held := await self.redis.ask("ZCARD", key))}

    def check_statuses(self) -> None:
        """I-10: nothing undocumented was said, and who is to come back later was told when."""
        for client in self.clients:
            for status, headers, body in Said(bytes(client.seen)).answers:
                assert status in self.statuses, f"{status} is not documented"
                if status in (429, 503) and not _is_final(bytes(body)):
                    assert headers.keys() >= {b"retry-after", b"retry-after-ms"}, f"{status} says not when: {body!r}"

    async def check_secrets(self) -> None:
        """I-11: no log line, no metric, nothing that a client read, and no key in Redis holds one."""
        said = {"what a client read": b"".join(bytes(client.seen) for client in self.clients)}
        for gateway in self.gateways:
            gateway.app.recorder.flush()
            said["the log"] = b"\n".join(gateway.lines)
            said["the metrics"] = gateway.app.metrics.render()
        if self.redis is not None and isinstance(keys := await _or_none(self.redis.ask("KEYS", "*")), list):
            said["the keys in Redis"] = "\n".join(keys).encode()
        for place, text in said.items():
            found = [canary for canary in CANARIES if canary.encode() in text]
            assert not found, f"{found} in {place}"


def _running(store: MemoryStore) -> int:
    return sum(len(account.running) for account in store._accounts.values())


def _busy(pool: Pool) -> int:
    return len(pool._open) - len(pool._idle) + pool._connecting


def _is_final(body: bytes) -> bool:
    """Whether it is one of the two refusals that no waiting helps against (WIRE): a spent budget, a giant request."""
    try:
        error: dict[str, str] = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return False
    return error["code"] == "insufficient_quota" or error["message"].startswith("Request too large")


async def _or_none(asking: Awaitable[object]) -> object:
    """None if the Redis is away."""
    try:
        return await asking
    except (RedisError, OSError):
        return None


async def _eventually_none(ask_for: Callable[[], Awaitable[object]]) -> None:
    """A Redis that the test left stopped holds nothing."""
    left: object = None
    try:
        async with asyncio.timeout(PATIENCE):
            while left := await _or_none(ask_for()):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"leases in Redis: {left}") from None
