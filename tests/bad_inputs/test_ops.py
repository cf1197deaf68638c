"""What operators and probes ask is answered to them alone, and says no more than it must."""

import json
import random
from collections.abc import Callable

import pytest

from bench.process import free_port
from tests.bad_inputs.many import pipelined, series
from tests.bad_inputs.replies import Reply
from tests.bad_inputs.row import CANARY, Expected, Row, on_all_ways
from tests.bad_inputs.ways import Front
from tests.catalogue import bad_input
from tests.conftest import KEY, StartGateway
from tests.e2e.answers import answer_to, get
from tests.e2e.raw import chat, post

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = Expected(404, "unknown_url")
NGINX_UNKNOWN = Expected(404, "unknown_url", own=False)
OPEN = Expected(200)
PATHS = 10_000


def asking(path: str, headers: str = "", *, method: str = "GET") -> bytes:
    """Without a key."""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-Canary: {CANARY}\r\n{headers}\r\n".encode()


def says(text: bytes) -> Callable[[Reply], None]:
    def check(reply: Reply) -> None:
        assert reply.body == text

    return check


FORWARDING = {
    "x-forwarded-for": "X-Forwarded-For: 127.0.0.1",
    "forwarded": "Forwarded: for=127.0.0.1",
    "x-real-ip": "X-Real-IP: 127.0.0.1",
    "true-client-ip": "True-Client-IP: 127.0.0.1",
    "cf-connecting-ip": "CF-Connecting-IP: 127.0.0.1",
    "via": "Via: 1.1 proxy",
}
SECRET = ("/debug", "/config", "/keys", "/admin", "/v1/keys", "/.env", "/metrics/", "/Metrics", "/health/ai/")
ROWS = [
    *(
        Row(f"b145-{path[1:].replace('/', '-')}-{name}", asking(path, f"{header}\r\n"), UNKNOWN, False, NGINX_UNKNOWN)
        for path in ("/metrics", "/health/ai")
        for name, header in FORWARDING.items()
    ),
    Row("b145-healthz", asking("/healthz", "X-Forwarded-For: 6.6.6.6\r\n"), OPEN, closes=False, check=says(b"ok\n")),
    Row("b145-readyz", asking("/readyz", "X-Forwarded-For: 6.6.6.6\r\n"), OPEN, closes=False, check=says(b"ready\n")),
    Row(
        "b146",
        asking("/metrics", method="POST"),
        Expected(405, "method_not_allowed"),
        closes=False,
        nginx=NGINX_UNKNOWN,
    ),
    *(Row(f"b150-{path.strip('/').replace('/', '-')}", asking(path), UNKNOWN, closes=False) for path in SECRET),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways(ROWS))
async def test_what_is_for_operators_is_for_nobody_else(row: Row, way: str, front: Front) -> None:
    await front.run(row, way)


@bad_input("B145")
@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("path", ["/metrics", "/health/ai"])
async def test_b145_a_peer_outside_metrics_allow_is_told_that_there_is_nothing(
    start_gateway: StartGateway, two_upstreams: str, path: str
) -> None:
    listen = 'listen: "127.0.0.1:0"'
    gateway = await start_gateway(two_upstreams.replace(listen, f"{listen}, metrics_allow: [10.0.0.0/8]"))
    for method in ("GET", "POST", "OPTIONS"):
        assert (await get(gateway, path, method=method)).error == (404, "unknown_url")


@bad_input("B147")
@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize(
    ("on_error", "status", "body"),
    [("local", 200, b"ready\n"), ("deny", 503, b"limiter unavailable\n")],
)
async def test_b147_without_redis_the_policy_says_whether_it_is_ready_and_it_lives_either_way(
    start_gateway: StartGateway, two_upstreams: str, on_error: str, status: int, body: bytes
) -> None:
    store = f'store: {{url: "redis://127.0.0.1:{free_port()}/0", on_error: {on_error}}}\n'
    held = two_upstreams.replace(f"key: {KEY}", f"key: {KEY}, limits: small")
    gateway = await start_gateway(held + "limits: {small: {requests_per_minute: 1000}}\n" + store)
    called = await answer_to(gateway, post(chat("fast", stream=False), headers="Connection: close\r\n"))
    assert called.status == status
    ready, alive = await get(gateway, "/readyz", key=None), await get(gateway, "/healthz", key=None)
    assert (ready.status, ready.body) == (status, body)
    assert (alive.status, alive.body) == (200, b"ok\n")


@bad_input("B149", "B148")
async def test_b149_ten_thousand_paths_and_models_make_no_series(front: Front) -> None:
    dice = random.Random(149)
    last = asking("/last", "Connection: close\r\n")

    def request(text: str) -> bytes:
        if dice.random() < 0.5:
            return asking(f"/{text}")
        return post({"model": f'{text}",x="{text}', "messages": ["hi"]})

    await pipelined(front.gateway, [asking("/first"), post(chat("nowhere", stream=False)), last])
    before = await series(front.gateway)
    sent = [request(f"{dice.getrandbits(64):x}") for _ in range(PATHS)]
    answers = await pipelined(front.gateway, [*sent, last])
    assert answers.count(b"HTTP/1.1 404 ") == PATHS + 1
    assert await series(front.gateway) == before


@bad_input("B145", "B150")
async def test_what_probes_and_operators_are_told_names_no_key(front: Front) -> None:
    for path in ("/metrics", "/health/ai", "/healthz", "/readyz"):
        answer = await get(front.gateway, path, key=None)
        assert answer.status == 200
        assert KEY.encode() not in answer.body
    assert json.loads((await get(front.gateway, "/health/ai", key=None)).body)["checks"][0]["service"] == "first"
