"""Streams through the real nginx, with the configuration as it is shipped."""

import asyncio
import itertools
import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.process import free_port
from gateway.config.load import parse
from gateway.simulator import Gate, Request, Reset, Send, Silence, Simulator, Step, Wait, chunked, sse_answer
from tests.catalogue import fault
from tests.conftest import KEY, StartGateway
from tests.deploy.conftest import ROOT, StartNginx, localized
from tests.e2e.raw import RawClient, chat, post, unchunked

EVENTS = [b'data: {"choices":[{"index":0,"delta":{"content":"%d"},"finish_reason":null}]}\n\n' % n for n in range(4)]
LAST_EVENT = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
TERMINAL_CHUNK = b"0\r\n\r\n"
MEGABYTE = 2**20
LIMIT = 100 * MEGABYTE  # more than the sockets between the two ends hold


def get(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n".encode()


class Reply:
    """A whole answer, to the end of its connection."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        status_line, *lines = head.decode().split("\r\n")
        self.status = int(status_line.split()[1])
        pairs = (line.split(": ", 1) for line in lines)
        self.headers = {name.lower(): value for name, value in pairs}

    @property
    def error(self) -> dict[str, Any]:
        assert self.headers["content-type"].startswith("application/json")
        found: dict[str, Any] = json.loads(self.body)["error"]
        assert set(found) == {"message", "type", "param", "code"}
        return found


async def ask(port: int, request: bytes) -> Reply:
    client = RawClient(port)
    await client.send(request)
    return Reply((await client.rest())[0])


def test_the_shipped_file_is_valid(nginx: str, tmp_path: Path) -> None:
    command = [nginx, "-t", "-c", str(localized(tmp_path, free_port(), 1)), "-g", f"pid {tmp_path}/nginx.pid;"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "[warn]" not in found.stderr


@fault("N10")
def test_its_numbers_fit_the_defaults_of_the_gateway() -> None:
    text = (ROOT / "deploy/nginx.conf").read_text()

    def number(directive: str) -> int:
        [found] = re.findall(rf"^ *{directive} (\d+)[sm];", text, re.MULTILINE)
        return int(found)

    minimal = f"""
upstreams: {{one: {{base_url: "http://127.0.0.1:1/v1"}}}}
models: {{m: {{upstream: one}}}}
keys: [{{name: k, key: {KEY}}}]
"""
    config = parse(minimal.encode(), "minimal.yaml", {})
    model = config.routes.models["m"]
    _, _, upstream_block = text.partition("upstream gateway {")
    [idle] = re.findall(r"keepalive_timeout (\d+)s;", upstream_block.partition("}")[0])
    assert number("client_max_body_size") * 2**20 == config.server.max_body_bytes
    assert number("client_header_timeout") == config.server.header_timeout
    assert number("client_body_timeout") == config.server.body_timeout
    assert number("send_timeout") == config.server.write_timeout
    assert int(idle) < config.server.keepalive_timeout
    assert number("proxy_read_timeout") > max(model.timeout, model.idle_timeout)


@fault("N02")
async def test_a_stream_arrives_event_by_event(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    client = RawClient(await start_nginx(gateway.port))
    gates = [Gate() for _ in EVENTS]
    head, *rest = sse_answer([LAST_EVENT])
    held: Iterable[Step] = itertools.chain.from_iterable(
        (Send(chunked(event)), Wait(gate)) for event, gate in zip(EVENTS, gates, strict=True)
    )
    steps: list[Step] = [head, *held, *rest]
    upstream.script = lambda request: steps
    await client.send(post(chat("fast"), headers="Connection: close\r\n"))
    for event, gate in zip(EVENTS, gates, strict=True):
        assert event in await client.until(event)
        gate.open()
    seen, _ = await client.rest()
    assert seen.endswith(TERMINAL_CHUNK)
    assert b"[DONE]" in seen
    assert (await gateway.last_call())["outcome"] == "ok"


@fault("N09")
async def test_a_client_that_does_not_read_holds_the_upstream_back(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str, upstream: Simulator
) -> None:
    """Without the gateway's own hint to nginx, so that it is the file that holds."""
    gateway = await start_gateway(two_upstreams)
    port = await start_nginx(gateway.port, also="proxy_ignore_headers X-Accel-Buffering;")
    sent = 0

    def endless(request: Request) -> Iterator[Step]:
        nonlocal sent
        yield sse_answer([])[0]
        yield from (Send(chunked(event)) for event in EVENTS)
        while sent < LIMIT:
            sent += MEGABYTE
            yield Send(chunked(b": %b\n" % (b"x" * MEGABYTE)))

    upstream.script = endless
    client = RawClient(port, receive_buffer=65536)
    await client.send(post(chat("fast")))
    await client.until(EVENTS[-1])
    before = -1
    while before < sent:
        before = sent
        await asyncio.sleep(0.2)
    assert MEGABYTE < sent < LIMIT


async def test_a_stream_that_breaks_ends_as_a_cut(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    client = RawClient(await start_nginx(gateway.port))
    gate = Gate()
    upstream.script = lambda request: [*sse_answer(EVENTS)[:5], Wait(gate), Reset()]
    await client.send(post(chat("fast")))
    begun = await client.until(EVENTS[-1])
    gate.open()
    seen, _ = await client.rest()
    payload, complete = unchunked((begun + seen).partition(b"\r\n\r\n")[2])
    assert b'"code":"upstream_interrupted"' in payload
    assert not complete
    assert b"[DONE]" not in payload


@pytest.mark.parametrize("stream", [True, False], ids=["after the first byte", "before the first byte"])
@fault("N04")
async def test_a_client_that_leaves_takes_the_upstream_call_with_it(
    stream: bool, start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    client = RawClient(await start_nginx(gateway.port))
    gate = Gate()
    upstream.script = lambda request: [*(sse_answer(EVENTS)[:2] if stream else ()), Wait(gate)]
    await client.send(post(chat("fast", stream=stream)))
    async with asyncio.timeout(5):
        await gate.until_reached()
        if stream:
            await client.until(EVENTS[0])
        client.leave()
        departure = await upstream.until_left(upstream.requests[0])
    assert departure.by_peer
    assert (await gateway.last_call())["outcome"] == "client_gone"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/metrics", id="metrics"),
        pytest.param("/metrics?name=x", id="with a query"),
        pytest.param("//metrics", id="two slashes"),
        pytest.param("/%6detrics", id="escaped"),
        pytest.param("/v1/../metrics", id="by way of another folder"),
        pytest.param("/health/ai", id="health of the upstreams"),
        pytest.param("/health//ai", id="health with two slashes"),
        pytest.param("/nginx_error", id="the error page itself"),
    ],
)
async def test_what_operators_ask_is_closed(
    path: str, start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str
) -> None:
    gateway = await start_gateway(two_upstreams)
    reply = await ask(await start_nginx(gateway.port), get(path))
    assert (reply.status, reply.error["code"]) == (404, "unknown_url")
    assert "x-gateway-config-version" not in reply.headers, "the gateway was asked"


@fault("N06")
async def test_a_body_that_is_too_large_is_refused_in_json(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str
) -> None:
    gateway = await start_gateway(two_upstreams)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {20 * 2**20 + 1}\r\n"
    client = RawClient(await start_nginx(gateway.port))
    await client.send(f"{head}X-Request-Id: mine\r\n\r\n".encode())
    reply = Reply(await client.until(b"}}"))
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")
    assert reply.error["type"] == "invalid_request_error"
    assert reply.headers["x-request-id"] == "mine"
    assert "retry-after" not in reply.headers


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        pytest.param(get("/" + "x" * 9000), 414, "uri_too_long", id="a long URL"),
        pytest.param(get("/", f"X: {'x' * 9000}\r\n"), 431, "headers_too_large", id="a long header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request", id="two hosts"),
    ],
)
@fault("N06")
async def test_a_request_that_nginx_refuses_gets_json(
    request_bytes: bytes, status: int, code: str, start_nginx: StartNginx
) -> None:
    reply = await ask(await start_nginx(free_port()), request_bytes)
    assert (reply.status, reply.error["code"]) == (status, code)


@fault("N06")
async def test_a_gateway_that_is_down_is_a_502_in_json(start_nginx: StartNginx) -> None:
    reply = await ask(await start_nginx(free_port()), get("/v1/models", "X-Request-Id: not one\r\n"))
    assert (reply.status, reply.error["code"]) == (502, "gateway_unreachable")
    assert reply.headers["retry-after"] == "1"
    assert re.fullmatch(r"[0-9a-f]{32}", reply.headers["x-request-id"])


@fault("N06")
async def test_a_gateway_that_is_late_is_a_504_in_json(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    upstream.script = lambda request: [Silence()]
    request = post(chat("fast", stream=False), headers="Connection: close\r\n")
    reply = await ask(await start_nginx(gateway.port, read_timeout="100ms"), request)
    assert (reply.status, reply.error["code"]) == (504, "gateway_timeout")


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        pytest.param(get("/v1/models"), 401, "missing_api_key", id="401"),
        pytest.param(get("/nowhere"), 404, "unknown_url", id="404"),
        pytest.param(post(b"{", headers="Connection: close\r\n"), 400, "invalid_json", id="400"),
        pytest.param(post(chat("first/fault-500"), headers="Connection: close\r\n"), 502, "upstream_error", id="502"),
    ],
)
@fault("N06")
async def test_the_gateway_s_own_errors_pass_as_they_are(
    request_bytes: bytes,
    status: int,
    code: str,
    start_gateway: StartGateway,
    start_nginx: StartNginx,
    two_upstreams: str,
) -> None:
    gateway = await start_gateway(two_upstreams)
    reply = await ask(await start_nginx(gateway.port), request_bytes)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert "x-gateway-config-version" in reply.headers


async def test_the_log_has_the_client_s_own_address(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str
) -> None:
    gateway = await start_gateway(two_upstreams.replace('"127.0.0.1:0"', '"127.0.0.1:0", trusted_proxies: [127.0.0.1]'))
    port = await start_nginx(gateway.port)
    headers = "X-Forwarded-For: 203.0.113.9\r\nX-Request-Id: mine\r\nConnection: close\r\n"
    assert (await ask(port, post(chat("fast"), headers=headers))).status == 200
    call = await gateway.last_call()
    assert (call["peer"], call["request_id"]) == ("203.0.113.9", "mine")


async def test_connections_to_the_gateway_are_kept(
    start_gateway: StartGateway, start_nginx: StartNginx, two_upstreams: str
) -> None:
    gateway = await start_gateway(two_upstreams)
    port = await start_nginx(gateway.port)
    for _ in range(3):
        assert (await ask(port, get("/readyz"))).status == 200
    server = gateway.app._server
    assert server is not None
    assert len(server.connections) == 1
