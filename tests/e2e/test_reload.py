"""A new configuration while calls run: what is new is new at once, what began before ends as it began."""

import asyncio
import contextlib
import gc
import itertools
import json
import signal
import sys
import time
import weakref
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.reload import ConfigFile, Reloader
from gateway.simulator import Gate, Request, Simulator, Wait, error_answer, json_answer, sse_answer
from tests.catalogue import fault
from tests.conftest import KEY, Gateway, StartGateway
from tests.e2e.answers import Answer, answer_to, get
from tests.e2e.raw import RawClient, chat, post, unchunked
from tests.e2e.test_cli import ROOT
from tests.e2e.test_serve import Served

INTERVAL = 0.002
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
PLAIN = b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}'
OLD_KEY = "sk-gw-" + "o" * 43


def version(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


@dataclass
class Reloading:
    """A gateway that watches its file."""

    gateway: Gateway
    file: ConfigFile
    reloader: Reloader

    def write(self, text: str) -> None:
        """In one step: a thread may be reading."""
        new = self.file.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file.path)

    async def until_it_runs(self, text: str) -> None:
        async with asyncio.timeout(5):
            while self.running != version(text):
                await asyncio.sleep(0.001)

    @property
    def running(self) -> str:
        """The version that the next call will get."""
        return self.gateway.app.config.version

    async def take(self, text: str) -> None:
        self.write(text)
        self.reloader.hang_up()
        await self.until_it_runs(text)

    async def ask(self, model: str = "small", **fields: Any) -> Answer:
        request = post(chat(model, **{"stream": False, **fields}), headers="Connection: close\r\n")
        return await answer_to(self.gateway, request)

    async def open(self, model: str, **fields: Any) -> RawClient:
        client = RawClient(self.gateway.port)
        await client.send(post(chat(model, **fields), headers="Connection: close\r\n"))
        return client

    async def metric(self, name: str) -> str | None:
        lines = (await get(self.gateway, "/metrics")).body.decode().splitlines()
        return next((line.rpartition(" ")[2] for line in lines if line.startswith(f"gateway_{name}")), None)


StartReloading = Callable[[str], Awaitable[Reloading]]


@pytest.fixture
async def start_reloading(start_gateway: StartGateway, tmp_path: Path) -> AsyncIterator[StartReloading]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(text: str) -> Reloading:
            file = ConfigFile(tmp_path / "routes.yaml", {})
            file.path.write_text(text)
            gateway = await start_gateway(text)
            app = gateway.app
            reloader = Reloader(file, file.load(), app.take, app.metrics.config_refused, interval=INTERVAL)
            task = asyncio.get_running_loop().create_task(reloader.run(), name="reload")
            stack.callback(task.cancel)
            return Reloading(gateway, file, reloader)

        yield start


Configured = Callable[..., str]


@pytest.fixture
def configured(upstream: Simulator, second: Simulator) -> Configured:
    """A configuration with the models given, their keys and what else stands in it."""

    def configure(models: str, keys: str = f"{{name: tester, key: {KEY}}}", more: str = "", of_first: str = "") -> str:
        return f"""\
server: {{listen: "127.0.0.1:0"}}
upstreams:
  first: {{base_url: "{upstream.url}"{of_first}}}
  second: {{base_url: "{second.url}"}}
model_defaults: {{max_retries: 0}}
models: {{{models}}}
keys: [{keys}]
{more}
"""

    return configure


def complete(answer: bytes) -> bool:
    """Whether a stream came to its end, by its framing and by its content."""
    payload, ended = unchunked(answer.partition(b"\r\n\r\n")[2])
    return ended and payload.endswith(b"data: [DONE]\n\n")


class TestCallsUnderWay:
    @fault("K05")
    async def test_k05_a_stream_ends_on_the_route_that_is_gone(
        self, start_reloading: StartReloading, configured: Configured, upstream: Simulator
    ) -> None:
        gate = Gate()
        upstream.script = lambda _: [*sse_answer([EVENT])[:2], Wait(gate), *sse_answer([EVENT], done=True)[1:]]
        old, new = configured("small: {upstream: first}"), configured("large: {upstream: second}")
        reloading = await start_reloading(old)
        client = await reloading.open("small")
        begun = await client.until(EVENT)
        app = reloading.gateway.app
        watched = weakref.ref(app.config.routes)
        await reloading.take(new)
        assert (await reloading.ask("small")).error == (404, "model_not_found")
        assert (await reloading.ask("large")).header("x-gateway-config-version") == version(new)
        gc.collect()
        assert watched() is not None
        gate.open()
        rest, _ = await client.rest()
        assert complete(begun + rest)
        assert version(old).encode() in begun
        await reloading.gateway.last_call(3)
        async with asyncio.timeout(5):
            while watched() is not None:
                gc.collect()
                await asyncio.sleep(0.001)

    @fault("K07")
    async def test_k07_a_key_revoked_meanwhile_ends_its_stream_and_begins_no_other(
        self, start_reloading: StartReloading, configured: Configured, upstream: Simulator
    ) -> None:
        gate = Gate()
        upstream.script = lambda _: [*sse_answer([EVENT])[:2], Wait(gate), *sse_answer([EVENT], done=True)[1:]]
        reloading = await start_reloading(configured("small: {upstream: first}"))
        client = await reloading.open("small")
        begun = await client.until(EVENT)
        new = configured("small: {upstream: first}", keys=f"{{name: tester, key: {OLD_KEY}}}")
        reloading.write(new)
        await reloading.until_it_runs(new)
        assert (await reloading.ask()).error == (401, "invalid_api_key")
        gate.open()
        rest, _ = await client.rest()
        assert complete(begun + rest)

    @fault("K06")
    async def test_k06_a_lower_limit_refuses_until_the_use_is_below_it(
        self, start_reloading: StartReloading, configured: Configured, upstream: Simulator
    ) -> None:
        gates: list[Gate] = [Gate(), Gate()]
        turns = iter(gates)
        upstream.script = lambda _: [*sse_answer([EVENT])[:2], Wait(next(turns)), *sse_answer([EVENT], done=True)[1:]]

        def limited(streams: int) -> str:
            held = f"{{name: tester, key: {KEY}, limits: few}}"
            return configured("small: {upstream: first}", held, f"limits: {{few: {{concurrent_streams: {streams}}}}}")

        reloading = await start_reloading(limited(2))
        clients = [await reloading.open("small") for _ in range(2)]
        begun = [await client.until(EVENT) for client in clients]
        await reloading.take(limited(1))
        assert (await reloading.ask()).error == (429, "concurrency_limit_exceeded")
        for gate, client, start in zip(gates, clients, begun, strict=True):
            assert (await reloading.ask()).error == (429, "concurrency_limit_exceeded")
            gate.open()
            rest, _ = await client.rest()
            assert complete(start + rest)
        upstream.script = lambda _: json_answer(200, json.loads(PLAIN))
        assert (await reloading.ask()).status == 200

    async def test_a_call_falls_back_to_an_upstream_that_is_gone_meanwhile(
        self, start_reloading: StartReloading, configured: Configured, upstream: Simulator, second: Simulator
    ) -> None:
        gate = Gate()
        upstream.script = lambda _: [Wait(gate), *error_answer(503, "down")]
        models = "small: {upstream: first, fallbacks: [large]}, large: {upstream: second}"
        reloading = await start_reloading(configured(models))
        assert (await reloading.ask("large")).status == 200
        client = await reloading.open("small", stream=False)
        await gate.until_reached()
        new = configured("small: {upstream: first}").replace(f'  second: {{base_url: "{second.url}"}}\n', "")
        await reloading.take(new)
        assert (await second.until_left(second.requests[0])).by_peer, "an idle connection is closed"
        gate.open()
        answer = Answer(*await client.rest())
        assert (answer.status, answer.header("x-provider")) == (200, "second")
        await second.until_left(second.requests[1])
        assert (await reloading.ask("large")).error == (404, "model_not_found")


class TestWhatStays:
    async def test_an_unchanged_upstream_keeps_its_connections(
        self, start_reloading: StartReloading, configured: Configured, upstream: Simulator
    ) -> None:
        reloading = await start_reloading(configured("small: {upstream: first}"))
        for number in range(3):
            assert (await reloading.ask()).status == 200
            await reloading.take(configured("small: {upstream: first}", more=f"# {number}"))
        assert (await reloading.ask()).status == 200
        assert upstream.connections == 1

    async def test_a_changed_one_gets_new_ones(
        self, start_reloading: StartReloading, configured: Configured, upstream: Simulator
    ) -> None:
        reloading = await start_reloading(configured("small: {upstream: first}"))
        assert (await reloading.ask()).status == 200
        await reloading.take(configured("small: {upstream: first}", of_first=", api_key: sk-new"))
        await upstream.until_left(upstream.requests[0])
        assert (await reloading.ask()).status == 200
        assert upstream.connections == 2
        assert upstream.requests[1].header(b"authorization") == b"Bearer sk-new"

    async def test_a_cooldown_goes_on(
        self, start_reloading: StartReloading, configured: Configured, upstream: Simulator
    ) -> None:
        reloading = await start_reloading(configured("small: {upstream: first}, large: {upstream: first}"))
        upstream.script = lambda _: error_answer(429, "slow down", headers=[("Retry-After", "30")])
        assert (await reloading.ask()).error == (429, "upstream_rate_limited")
        assert await reloading.metric('target_state{model="small"') == "3.0"
        await reloading.take(configured("small: {upstream: first}"))
        assert (await reloading.ask()).error == (503, "no_available_upstream")
        assert await reloading.metric('target_state{model="large"') is None
        await reloading.take(configured("large: {upstream: first}"))
        assert await reloading.metric('target_state{model="large"') == "0.0"
        assert await reloading.metric('target_state{model="small"') is None

    async def test_what_was_counted_is_counted_on(
        self, start_reloading: StartReloading, configured: Configured
    ) -> None:
        reloading = await start_reloading(configured("small: {upstream: first}"))
        for number in range(3):
            assert (await reloading.ask()).status == 200
            await reloading.take(configured("small: {upstream: first}", more=f"# {number}"))
        assert await reloading.metric("requests_total{") == "3.0"


class TestWhatIsTaken:
    @fault("K01")
    async def test_k01_an_invalid_file_changes_nothing_but_a_metric(
        self, start_reloading: StartReloading, configured: Configured, lines: list[bytes]
    ) -> None:
        good = configured("small: {upstream: first}")
        reloading = await start_reloading(good)
        reloading.write(good.replace("upstream: first}", "upstream: third}"))
        async with asyncio.timeout(5):
            while await reloading.metric("config_last_reload_successful") != "0.0":
                await asyncio.sleep(0.001)
        assert (await reloading.ask()).header("x-gateway-config-version") == version(good)
        assert (await get(reloading.gateway, "/readyz", key=None)).status == 200
        fault = next(line for line in reloading.gateway.log() if line["event"] == "configuration fault")
        assert fault["detail"].startswith(f"{reloading.file.path}:6:")
        lines[:] = [line for line in lines if b'"event":"configuration ' not in line]
        better = configured("large: {upstream: first}")
        await reloading.take(better)
        assert await reloading.metric("config_last_reload_successful") == "1.0"
        assert await reloading.metric(f'config_version_info{{version="{version(better)}"}}') == "1.0"
        assert await reloading.metric(f'config_version_info{{version="{version(good)}"}}') is None
        stamp = await reloading.metric("config_last_reload_timestamp_seconds")
        assert abs(time.time() - float(stamp or 0)) < 60

    async def test_the_upstreams_that_are_probed(
        self, start_reloading: StartReloading, configured: Configured, second: Simulator
    ) -> None:
        with_both = configured("small: {upstream: first}")
        reloading = await start_reloading(with_both)
        await reloading.take(with_both.replace(f'  second: {{base_url: "{second.url}"}}\n', ""))
        report = (await get(reloading.gateway, "/health/ai")).json
        assert [check["service"] for check in report["checks"]] == ["first"]

    async def test_how_long_a_new_connection_may_be_silent(
        self, start_reloading: StartReloading, configured: Configured
    ) -> None:
        text = configured("small: {upstream: first}")
        reloading = await start_reloading(text)
        await reloading.take(text.replace('"127.0.0.1:0"', '"127.0.0.1:0", header_timeout: 10ms'))
        client = RawClient(reloading.gateway.port)
        await client.send(b"GET")
        assert await client.rest() == (b"", "fin")

    async def test_how_large_a_body_may_be(self, start_reloading: StartReloading, configured: Configured) -> None:
        text = configured("small: {upstream: first}")
        reloading = await start_reloading(text)
        await reloading.take(text.replace('"127.0.0.1:0"', '"127.0.0.1:0", max_body_bytes: 1KiB'))
        assert (await reloading.ask(padding="x" * 2000)).error == (413, "request_too_large")


class Load:
    """Clients that call without a pause. `seen` are the upstream that answered, and the version told, of each call."""

    def __init__(self, gateway: Gateway) -> None:
        self.seen: list[tuple[str, str]] = []
        self.over = False
        self._port = gateway.port

    async def plain(self) -> None:
        """On one connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while not self.over:
            writer.write(post(chat("both", stream=False)))
            head = await reader.readuntil(b"\r\n\r\n")
            told = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
            answer = json.loads(await reader.readexactly(int(told["content-length"])))
            assert head.startswith(b"HTTP/1.1 200 "), answer
            self.seen.append((answer["by"], told["x-gateway-config-version"]))
        writer.close()
        await writer.wait_closed()

    async def streams(self) -> None:
        """On a connection each."""
        while not self.over:
            client = RawClient(self._port)
            await client.send(post(chat("both"), headers="Connection: close\r\n"))
            seen, end = await client.rest()
            assert (end, complete(seen)) == ("fin", True)
            answer = Answer(seen, end)
            self.seen.append((json.loads(answer.events[0])["by"], answer.header("x-gateway-config-version") or ""))
            client.leave()


def naming(name: str) -> Callable[[Request], Any]:
    """A script whose answers say who gave them."""

    def answer(request: Request) -> Any:
        if not json.loads(request.body)["stream"]:
            return json_answer(200, {"by": name, "choices": []})
        event = json.dumps({"by": name, "choices": [{"index": 0, "delta": {"content": "x"}}]}).encode()
        return sse_answer([b"data: %b\n\n" % event] * 3, done=True)

    return answer


_SERVE = """
import sys
from pathlib import Path
from gateway.reload import ConfigFile
from gateway.worker import run, serve

file = ConfigFile(Path(sys.argv[1]), {}, ("127.0.0.1", 0))
run(serve(file.load(), file=file))
"""


async def test_a_process_takes_its_file_again_on_sighup(configured: Configured, tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(configured("small: {upstream: first}"))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SERVE, str(file), cwd=ROOT, stdout=PIPE)
    served = Served(process)
    try:
        await served.until("listening")
        file.write_text(configured("large: {upstream: first}"))
        process.send_signal(signal.SIGHUP)
        told = await served.until("configuration reloaded")
        assert told["config_version"] == version(file.read_text())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@fault("K13")
async def test_k13_of_100_reloads_under_load_each_call_sees_exactly_one(
    start_reloading: StartReloading, configured: Configured, upstream: Simulator, second: Simulator
) -> None:
    upstream.script, second.script = naming("first"), naming("second")
    texts = {name: configured(f"both: {{upstream: {name}}}") for name in ("first", "second")}
    reloading = await start_reloading(texts["first"])
    load = Load(reloading.gateway)
    async with asyncio.timeout(30), asyncio.TaskGroup() as clients:
        for _ in range(3):
            clients.create_task(load.plain(), name="plain")
            clients.create_task(load.streams(), name="streams")
        for name in itertools.islice(itertools.cycle(("second", "first")), 100):
            await reloading.take(texts[name])
            before = len(load.seen)
            while len(load.seen) < before + 3:
                await asyncio.sleep(0)
        load.over = True
    versions = {name: version(text) for name, text in texts.items()}
    assert [seen for seen in load.seen if seen[1] != versions[seen[0]]] == []
    assert {name for name, _ in load.seen} == {"first", "second"}
    reloaded = [line for line in reloading.gateway.log() if line["event"] == "configuration reloaded"]
    assert len(reloaded) == 100
    assert all(call["outcome"] == "ok" for call in reloading.gateway.calls())
