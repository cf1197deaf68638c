"""Time goes otherwise than a gateway expects: the wall clock jumps, the process stands still, the loop is blocked."""

import ast
import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from gateway.simulator import Gate, Request, Send, Simulator, Step, Wait, chunked, sse_answer
from tests.catalogue import fault, unable
from tests.conftest import KEY, StartGateway
from tests.e2e.answers import get
from tests.e2e.conftest import closed_sockets
from tests.e2e.raw import RawClient, chat, post, unchunked
from tests.processes.conftest import Configure, configure, redis
from tests.processes.served import ROOT, SERVE, started, total
from tests.redis_server import RedisServer
from tests.simulator.wire import Parsed

__all__ = ["closed_sockets", "configure", "redis"]

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")
HOUR = 3600
BLOCKED = 0.6


class Held:
    """A script: one event, then whatever opens the gate, then the end."""

    def __init__(self) -> None:
        self.gate = Gate()

    def __call__(self, request: Request) -> list[Step]:
        head, *rest = sse_answer([STOP], done=True)
        return [head, Send(chunked(EVENT)), Wait(self.gate), *rest]


async def stream(port: int) -> tuple[RawClient, bytes]:
    """One that has begun."""
    client = RawClient(port)
    await client.send(post(chat("first/small"), headers="Connection: close\r\n"))
    return client, await client.until(EVENT)


async def is_whole(client: RawClient, begun: bytes) -> bool:
    payload, complete = unchunked((begun + (await client.rest())[0]).partition(b"\r\n\r\n")[2])
    return complete and payload.endswith(b"data: [DONE]\n\n")


async def status(port: int, *, streamed: bool = False) -> int:
    client = RawClient(port)
    await client.send(post(chat("first/small", stream=streamed), headers="Connection: close\r\n"))
    return Parsed((await client.rest())[0]).status


class TestWallClock:
    @fault("P10")
    def test_p10_only_what_is_shown_or_compared_with_a_date_asks_for_it(self) -> None:
        """Timeouts, cooldowns and rates take `time.monotonic`, or Redis' own time."""
        asking = {
            str(file.relative_to(ROOT / "gateway"))
            for file in (ROOT / "gateway").rglob("*.py")
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "time.time_ns", "datetime.now")
        }
        assert asking == {
            "app.py",  # the periods of budgets
            "edge/dispatch.py",  # when a key expires
            "edge/listing.py",  # `created` of a model
            "wire/translated.py",  # and of an answer
            "edge/ops.py",  # the time of a report
            "explain.py",  # when a key expires
            "flow/exchange.py",  # when a key expires
            "observe/metrics.py",  # the timestamp of a reload
            "observe/record_log.py",  # the timestamp of a line
            "simulator/chat.py",  # `created` of an answer
            "upstream/attempt.py",  # a Retry-After that is a date, clamped to 1..60 s
        }

    @fault("P10")
    async def test_p10_an_hour_back_and_forth_ends_no_call_and_refuses_none(
        self, request: pytest.FixtureRequest, two_upstreams: str, upstream: Simulator, tmp_path: Path
    ) -> None:
        library = next((found for at in LIBRARIES if (found := Path(at, "libfaketime.so.1")).exists()), None)
        if library is None:
            unable(request, "P10", "needs libfaketime")
            return
        file, clock = tmp_path / "routes.yaml", Clock(tmp_path / "clock")
        held = Held()
        file.write_text(f"{limited(two_upstreams)}\nlimits: {{l: {{requests_per_minute: 10}}}}\n")
        environ = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock.file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
        }
        async with started(*SERVE, str(file), workers=1, **environ) as served:
            upstream.script, plain = held, upstream.script
            begun = await stream(served.port)
            upstream.script = plain
            for count, offset in enumerate((HOUR, -HOUR, 0), 1):
                clock.set(offset)
                assert [await status(served.port, streamed=streamed) for streamed in (True, False)] == [200, 200]
                await served.until("call", 2 * count)
            held.gate.open()
            assert await is_whole(*begun)
            assert [await status(served.port) for _ in range(4)] == [200, 200, 200, 429], "no minute has passed"
            served.send(signal.SIGINT)
            assert await served.ended() == 0  # or the library would leave its own files behind
        calls = served.told("call")
        assert len({call["timestamp"][:13] for call in calls}) >= 3, "each hour is in the log"
        assert {call["outcome"] for call in calls} == {"ok", "refused"}
        assert max(call["total_ms"] for call in calls) < HOUR * 1000


def limited(text: str) -> str:
    return text.replace(f"key: {KEY}", f"key: {KEY}, limits: l")


class Clock:
    """What libfaketime reads: the wall clock's distance from the real one."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """In one step."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.replace(self.file)


class TestStandingStill:
    @fault("P11")
    async def test_p11_a_lease_that_expired_while_the_process_stood_still_is_made_again_once(
        self, configure: Configure, redis: RedisServer, upstream: Simulator
    ) -> None:
        """The stream goes on; the place that was free meanwhile may have been taken, and then no other one is given."""
        file = configure(workers=1)
        text = limited(file.read_text()).replace('/0"}', '/0", lease_ttl: 5s}')
        file.write_text(f"{text}\nlimits: {{l: {{concurrent_streams: 1}}}}\n")
        held = upstream.script = Held()
        await redis.ask("FLUSHALL")
        async with started(*SERVE, str(file), workers=1) as served, started(*SERVE, str(file), workers=1) as other:
            begun = await stream(served.port)
            os.kill(served.process.pid, signal.SIGSTOP)
            async with redis.client() as client:
                (name,) = [name async for name in client.scan_iter("gw:*:leases")]
                (lease,) = await client.zrange(name, 0, -1)
                await redis.ask("ZADD", str(name), 1, str(lease))  # as after five seconds
                second = await stream(other.port)
                assert lease not in await client.zrange(name, 0, -1)
                os.kill(served.process.pid, signal.SIGCONT)
                async with asyncio.timeout(10):
                    while lease not in (leases := await client.zrange(name, 0, -1)):
                        await asyncio.sleep(0.02)
                assert len(leases) == len(set(leases)) == 2
                assert [await status(served.port), await status(other.port)] == [429, 429]
                held.gate.open()
                assert await is_whole(*begun)
                assert await is_whole(*second)
                async with asyncio.timeout(5):
                    while await client.zcard(name):
                        await asyncio.sleep(0.02)
            assert await status(served.port, streamed=True) == 200
            assert {call["outcome"] for call in served.told("call")} <= {"ok", "refused"}


@pytest.fixture
async def blocked(start_gateway: StartGateway, two_upstreams: str) -> tuple[bytes, bytes]:
    """What a gateway says, with calls that came before and while its loop was blocked; and the metrics afterwards."""
    gateway = await start_gateway(two_upstreams)
    clients = [RawClient(gateway.port) for _ in range(2)]
    for client in clients:
        await client.send(post(chat("first/small", stream=False), headers="Connection: close\r\n"))
    threading.Event().wait(BLOCKED)
    answers = [(await client.rest())[0] for client in clients]
    return b"".join(answers), (await get(gateway, "/metrics")).body


@fault("P12")
async def test_p12_a_loop_that_was_blocked_says_so_in_a_metric_and_answers_then(
    blocked: tuple[bytes, bytes],
) -> None:
    answers, metrics = blocked
    assert answers.count(b"HTTP/1.1 200 ") == 2
    everything = total(metrics, "event_loop_lag_seconds_count")
    assert total(metrics, "event_loop_lag_seconds_bucket", le="0.25") < everything
    assert total(metrics, "event_loop_lag_seconds_sum") > BLOCKED / 2
