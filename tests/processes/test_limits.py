"""Limits across workers and a real Redis, proven at the upstream's own log and through outages."""

import asyncio
import os
import random
import re
import signal
import sys
import time
import urllib.parse
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from gateway.simulator import Pause, Simulator, Step, sse_answer
from tests.catalogue import fault
from tests.conftest import KEY
from tests.e2e.raw import RawClient, chat, post
from tests.processes.conftest import Configure
from tests.processes.load import Load
from tests.processes.served import ROOT, SERVE, Served, started
from tests.processes.test_workers import open_streams, payload_of
from tests.processes.upstream_log import UpstreamLog
from tests.redis_server import RedisServer
from tests.simulator.wire import Parsed

RATE, BURST, STREAMS = 20, 40, 6
# Between an admission and the upstream lie two processes and their scheduling, on machines that do more than this.
JITTER = 0.25
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def limit(file: Path, limits: str, *, store: str = "") -> Path:
    """The test key under these limits; `store` are more fields of that section."""
    text = file.read_text().replace(f"key: {KEY}", f"key: {KEY}, limits: small").replace('/0"}', f'/0"{store}}}')
    file.write_text(f"{text}\nlimits: {{small: {{{limits}}}}}\n")
    return file


async def ask(served: Served, body: object, headers: str = "") -> Parsed:
    client = RawClient(served.port)
    await client.send(post(body, headers=f"Connection: close\r\n{headers}"))
    return Parsed((await client.rest())[0])


async def use(served: Served) -> dict[str, dict[str, float]]:
    """A worker that has just lost its store has no numbers for a moment."""
    async with asyncio.timeout(5):
        while (answer := await served.get("/v1/key")).status != 200:
            await asyncio.sleep(0.02)
    limits: dict[str, dict[str, float]] = answer.json["limits"]
    return limits


async def until_free(served: Served, redis: RedisServer, within: float = 5.0) -> None:
    """No place is taken, and no call is held in Redis: at most the mark that one is over."""
    async with asyncio.timeout(within):
        while (await use(served))["concurrent_streams"]["used"]:
            await asyncio.sleep(0.05)
    async with redis.client() as client:
        for name in [name async for name in client.scan_iter("gw:*:held")]:
            assert set(await client.hvals(name)) <= {"void"}


@pytest.fixture(autouse=True)
async def empty_store(redis: RedisServer) -> None:
    await redis.ask("FLUSHALL")


@pytest.fixture
async def served(configure: Configure) -> AsyncIterator[Served]:
    limits = f"requests_per_minute: {RATE * 60}, request_burst: {BURST}, concurrent_streams: {STREAMS}"
    async with started(*SERVE, str(limit(configure(), limits)), workers=2) as served:
        yield served


class TestExact:
    """Two workers and one Redis let through what one limit says, and not one call more."""

    async def test_clients_that_leave_at_random_never_get_more_than_the_limits(
        self, served: Served, upstream: Simulator, redis: RedisServer
    ) -> None:
        upstream.script = log = UpstreamLog(upstream, lambda request: slow_stream())
        dice = random.Random(3)
        end = time.monotonic() + 4

        async def client() -> None:
            while time.monotonic() < end:
                raw = RawClient(served.port)
                await raw.send(post(chat("first/small"), headers="Connection: close\r\n"))
                stays = dice.choice([0.0, 0.01, 0.1, 10.0])
                try:
                    async with asyncio.timeout(stays):
                        seen, _ = await raw.rest()
                    refused = b" 429 " in seen[:20]
                except TimeoutError:
                    refused = False
                raw.leave(reset=dice.random() < 0.5)
                await asyncio.sleep(0.05 if refused else 0)

        await asyncio.gather(*(client() for _ in range(24)))
        await until_free(served, redis)
        assert len(log.arrivals) > BURST, "the rate was never the limit"
        assert log.most_at_once() == STREAMS
        assert log.excess(BURST, RATE) <= RATE * JITTER

    async def test_calls_with_one_request_id_count_one_by_one(
        self, configure: Configure, upstream: Simulator, redis: RedisServer
    ) -> None:
        file = limit(configure(), "requests_per_minute: 40")
        async with started(*SERVE, str(file), workers=2) as served:
            body = chat("first/small", stream=False)
            answers = await asyncio.gather(*(ask(served, body, "X-Request-Id: same\r\n") for _ in range(50)))
            assert sorted(answer.status for answer in answers) == [200] * 40 + [429] * 10
            assert len(upstream.requests) == 40

    async def test_what_one_worker_let_in_the_other_knows(
        self, configure: Configure, upstream: Simulator, redis: RedisServer
    ) -> None:
        """Tokens and money too."""
        file = configure()
        file.write_text(
            file.read_text()
            .replace('name: "*"}', 'name: "*", price: {input: 1, output: 2}}')
            .replace("kind: embeddings}", "kind: embeddings, price: {input: 1}}")
        )
        limit(file, "tokens_per_minute: 60000, budget: {usd: 1, period: month}")
        async with started(*SERVE, str(file), workers=2) as served:
            answers = [await ask(served, chat("first/small", stream=False)) for _ in range(8)]
            used = sum(
                sum(answer.json["usage"][f"{kind}_tokens"] for kind in ("prompt", "completion")) for answer in answers
            )
            paid = sum(
                answer.json["usage"]["prompt_tokens"] + 2 * answer.json["usage"]["completion_tokens"]
                for answer in answers
            )
            async with asyncio.timeout(5):
                while round((await use(served))["budget"]["spent_usd"] * 1e6) != paid:
                    await asyncio.sleep(0.02)
            async with asyncio.timeout(5):
                while await served.metric("tokens_total") != used:
                    await asyncio.sleep(0.02)
            assert await served.metric("cost_usd_total") == pytest.approx(paid / 1e6)


def slow_stream() -> Iterator[Step]:
    """An event every 20 ms; the last one brings the end along, which is where the gateway's call ends."""
    *events, done, last = sse_answer([EVENT] * 7 + [STOP])
    for step in events:
        yield step
        yield Pause(0.02)
    yield done
    yield last


class TestKilledWorker:
    @fault("P01")
    async def test_its_places_are_free_within_the_lease_and_nobody_else_notices(
        self, configure: Configure, redis: RedisServer
    ) -> None:
        file = limit(configure(), "concurrent_streams: 12", store=", lease_ttl: 5s")
        async with started(*SERVE, str(file), workers=2) as served:
            streams = await open_streams(served, 12)
            killed = time.monotonic()
            os.kill(served.pids[0], signal.SIGKILL)
            whole = [complete for _, complete in await asyncio.gather(*(payload_of(*each) for each in streams))]
            assert 0 < whole.count(True) < 12, "the other worker's streams go on to their end"
            async with asyncio.timeout(8):
                while (await use(served))["concurrent_streams"]["used"]:
                    await asyncio.sleep(0.05)
            assert time.monotonic() - killed < 5 + 2
            assert len(await open_streams(served, 12)) == 12


class TestOutage:
    """SIGSTOP and restart of Redis under load: no call hangs, none is lost, and it is over soon after."""

    @pytest.mark.parametrize("how", ["stopped", "restarted"])
    async def test_calls_go_on_within_the_share_of_each_worker(
        self, how: str, configure: Configure, upstream: Simulator, redis: RedisServer
    ) -> None:
        file = limit(configure(), "requests_per_minute: 600, request_burst: 40, concurrent_streams: 50")
        async with started(*SERVE, str(file), workers=2) as served:
            upstream.script = log = UpstreamLog(upstream, upstream.script)
            calls = Calls(served)
            running = asyncio.get_running_loop().create_task(calls.run(8), name="calls")
            await calls.until(lambda: calls.count >= 100)
            if how == "stopped":
                redis.pause()
            else:
                redis.kill()
            try:
                await calls.until(lambda: calls.degraded >= 20)
                # The limit's own bucket, and what each of two workers may add: a half of it.
                assert log.excess(2 * 40, 2 * 10) <= 2 * 10 * JITTER
            finally:
                if how == "stopped":
                    redis.resume()
                else:
                    redis.start()
            back = time.monotonic()
            await calls.until(lambda: calls.whole_since(back) >= 20)
            calls.stopped = True
            await running
            assert calls.failed == []
            assert calls.recovered - back < 5
            # Of 150 ms; the rest is for a machine that does more than this.
            assert calls.slowest < 0.15 + 0.35
            await until_free(served, redis)

    async def test_where_it_is_denied_no_call_hangs_and_the_gateway_is_not_ready(
        self, configure: Configure, redis: RedisServer
    ) -> None:
        file = limit(configure(), "requests_per_minute: 6000", store=", on_error: deny")
        async with started(*SERVE, str(file), workers=2) as served:
            redis.pause()
            try:
                body = chat("first/small", stream=False)
                async with asyncio.timeout(5):
                    while [(await ask(served, body)).status for _ in range(6)] != [503] * 6:
                        pass
                refused = await ask(served, body)
                assert refused.json["error"]["code"] == "limiter_unavailable"
                assert refused.headers[b"retry-after"] == b"1"
                assert refused.headers[b"x-gateway-degraded"] == b"limiter"
                assert (await served.get("/readyz")).status == 503
            finally:
                redis.resume()
            async with asyncio.timeout(5):
                while (await ask(served, body)).status != 200 or (await served.get("/readyz")).status != 200:
                    await asyncio.sleep(0.05)


class Calls:
    """Plain calls in closed loops, each on a connection of its own, and how they were answered."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.stopped = False
        self.count = self.degraded = 0
        self.slowest = 0.0
        self.recovered = 0.0
        self.failed: list[bytes] = []
        self._whole: list[float] = []

    async def run(self, clients: int) -> None:
        await asyncio.gather(*(self._client() for _ in range(clients)))

    async def _client(self) -> None:
        while not self.stopped:
            began = time.monotonic()
            answer = await ask(self._served, chat("first/small", stream=False))
            ended = time.monotonic()
            self.count += 1
            self.slowest = max(self.slowest, ended - began)
            if b"x-gateway-degraded" in answer.headers:
                self.degraded += 1
                self.recovered = ended
            else:
                self._whole.append(began)
            if answer.status == 429:
                await asyncio.sleep(0.02)
            elif answer.status != 200:
                self.failed.append(answer.body)

    def whole_since(self, moment: float) -> int:
        """Calls begun after it that Redis decided on."""
        return sum(began > moment for began in self._whole)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)


class TestReload:
    async def test_what_takes_a_restart_is_not_taken_by_a_worker_that_comes_later(
        self, configure: Configure, redis: RedisServer
    ) -> None:
        """It would count by itself, beside the others."""
        file = limit(configure(), "concurrent_streams: 4")
        async with started(*SERVE, str(file), workers=2) as served:
            file.write_text(file.read_text().replace("workers: 2", "workers: 1").replace(redis.url, "memory://"))
            served.send(signal.SIGHUP)
            await served.until("configuration reloaded", 2)
            warned = {line["detail"].partition(" ")[0] for line in served.told("configuration")}
            assert warned == {"server.workers", "store.url"}
            for pid in served.pids:
                os.kill(pid, signal.SIGKILL)
            await served.until("listening", 4)
            await open_streams(served, 4)
            refused = [(await ask(served, chat("first/small"))).status for _ in range(8)]
            assert refused == [429] * 8

    @fault("K07")
    async def test_every_worker_takes_each_reload_and_no_call_fails(self, configure: Configure) -> None:
        """Each answer is of one version, and of one that there was."""
        file = configure()
        texts = [file.read_text() + f"# version {number}\n" for number in range(2)]
        async with started(*SERVE, str(file), workers=2) as served:
            load = Load(served.port)
            running = asyncio.get_running_loop().create_task(load.run(8), name="load")
            for number in range(4):
                file.write_text(texts[number % 2])
                served.send(signal.SIGHUP)
                await served.until("configuration reloaded", 2 * (number + 1))
            load.stopped = True
            await running
            assert (load.failed, load.cut) == ([], 0)
            versions = {line["config_version"] for line in served.told("call")}
            assert versions <= {line["config_version"] for line in served.told("configuration reloaded")} | {
                served.told("listening")[0]["config_version"]
            }
            assert len(versions) > 1
            assert await served.metric("config_version_info") == 1


async def test_the_demo_runs_on_a_redis_with_two_workers(redis: RedisServer) -> None:
    """Ctrl-C reaches both, and is passed on once more: nobody minds."""
    command = [sys.executable, "-m", "gateway", "demo", "--store", redis.url, "--workers", "2"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env={}, stdout=PIPE)
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(15):
        while seen.count(b'"listening"') < 2:
            line = await process.stdout.readline()
            assert line, seen
            seen += line
    key, url = (re.findall(rb"^%b: (.+)$" % name, seen, re.MULTILINE)[0].decode() for name in (b"key", b"url"))
    assert urllib.parse.urlsplit(url).port
    async with AsyncOpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0) as client:
        events = [
            event
            async for event in await client.chat.completions.create(
                model="fast", stream=True, messages=[{"role": "user", "content": "Hello"}]
            )
        ]
    assert events[-1].choices[0].finish_reason == "stop"
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(15):
        assert await process.wait() == 0
