"""Everything but the calls themselves: probes, metrics, listings, CORS, ids, methods and URLs."""

import asyncio
import re

import pytest

from gateway.simulator import Gate, Simulator, Wait, error_answer, json_answer
from tests.conftest import KEY, Gateway, StartGateway
from tests.e2e.answers import get
from tests.e2e.raw import RawClient, chat, post

NARROW = "sk-gw-" + "n" * 43
SERVER = 'listen: "127.0.0.1:0"'
CHAT = "/v1/chat/completions"


@pytest.fixture
async def gateway(start_gateway: StartGateway, two_upstreams: str) -> Gateway:
    narrow = f'  - {{name: narrow, key: {NARROW}, models: ["second/*"]}}'
    return await start_gateway(two_upstreams.rstrip() + f"\n{narrow}\n")


# probes


@pytest.mark.parametrize(("path", "body"), [("/", b"ok\n"), ("/healthz", b"ok\n"), ("/readyz", b"ready\n")])
async def test_probes_need_no_key(gateway: Gateway, path: str, body: bytes) -> None:
    answer = await get(gateway, path, key=None)
    assert (answer.status, answer.body) == (200, body)


async def test_while_draining_it_is_alive_but_not_ready(gateway: Gateway, upstream: Simulator) -> None:
    gate = Gate()
    upstream.script = lambda request: [Wait(gate)]
    client = RawClient(gateway.port)
    await client.send(post(chat("first/small")))
    await gate.until_reached()
    gateway.app.live.draining = True
    ready, alive = await get(gateway, "/readyz"), await get(gateway, "/healthz")
    assert (ready.status, ready.body) == (503, b"draining\n")
    assert (alive.status, alive.header("connection")) == (200, "close")


@pytest.mark.parametrize("path", ["/metrics", "/health/ai"])
async def test_operators_are_answered_without_a_key(gateway: Gateway, path: str) -> None:
    assert (await get(gateway, path, key=None)).status == 200


@pytest.mark.parametrize("path", ["/metrics", "/health/ai"])
@pytest.mark.parametrize("header", ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1"])
async def test_whoever_comes_through_a_proxy_is_no_operator(gateway: Gateway, path: str, header: str) -> None:
    assert (await get(gateway, path, headers=f"{header}\r\n")).error == (404, "unknown_url")


@pytest.mark.parametrize("path", ["/metrics", "/health/ai"])
async def test_a_peer_that_is_not_listed_is_no_operator(
    start_gateway: StartGateway, two_upstreams: str, path: str
) -> None:
    gateway = await start_gateway(two_upstreams.replace(SERVER, f"{SERVER}, metrics_allow: [10.0.0.0/8]"))
    assert (await get(gateway, path)).error == (404, "unknown_url")


async def test_metrics_count_calls_and_name_no_key(gateway: Gateway) -> None:
    client = RawClient(gateway.port)
    await client.send(post(chat("fast", stream=False), headers="Connection: close\r\n"))
    await client.rest()
    answer = await get(gateway, "/metrics")
    assert (answer.header("content-type") or "").startswith("text/plain; version=0.0.4")
    counted = [line for line in answer.body.decode().splitlines() if line.startswith("gateway_requests_total{")]
    assert [line.rpartition(" ")[2] for line in counted] == ["1.0"]
    assert 'route="chat"' in counted[0]
    assert KEY.encode() not in answer.body


@pytest.mark.parametrize(
    ("ill", "overall", "error"),
    [
        pytest.param(0, "healthy", None, id="all healthy"),
        pytest.param(1, "degraded", "upstream_unreachable", id="one down"),
        pytest.param(2, "down", "upstream_unreachable", id="all down"),
    ],
)
async def test_health_of_the_upstreams(
    gateway: Gateway, upstream: Simulator, second: Simulator, ill: int, overall: str, error: str | None
) -> None:
    for simulator in (second, upstream)[:ill]:
        await simulator.close()
    report = (await get(gateway, "/health/ai")).json
    checks = {check["service"]: check for check in report["checks"]}
    assert report["status"] == overall
    assert report["timestamp"].endswith("Z")
    assert checks.keys() == {"first", "second"}
    assert checks["second"].keys() == {"service", "status", "latency_ms", "error"}
    assert (checks["second"]["status"], checks["second"]["error"]) == ("down" if ill else "healthy", error)


async def test_an_upstream_with_another_status_is_degraded(gateway: Gateway, second: Simulator) -> None:
    second.script = lambda request: error_answer(500, "No.")
    report = (await get(gateway, "/health/ai")).json
    assert report["status"] == "degraded"
    assert [check["status"] for check in report["checks"]] == ["healthy", "degraded"]


async def test_upstreams_are_probed_once_in_ten_seconds(gateway: Gateway, upstream: Simulator) -> None:
    first, again = [(await get(gateway, "/health/ai")).json for _ in range(2)]
    assert first["checks"] == again["checks"]
    assert [request.path for request in upstream.requests] == ["/v1/models"]


# what a key may use


async def test_a_key_sees_itself_and_never_its_key(gateway: Gateway) -> None:
    answer = await get(gateway, "/v1/key")
    assert answer.json == {"object": "key", "name": "tester", "models": ["*"], "limits": None, "expires": None}
    assert KEY[6:].encode() not in answer.body


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/fast", "/v1/key"])
async def test_listings_need_a_key(gateway: Gateway, path: str) -> None:
    answer = await get(gateway, path, key=None)
    assert answer.error == (401, "missing_api_key")
    assert answer.header("www-authenticate") == "Bearer"


async def test_models_are_those_that_the_key_may_use(gateway: Gateway) -> None:
    for key, names in ((KEY, ["fast", "auto", "gpt-4o-mini", "embed"]), (NARROW, ["fast", "auto", "gpt-4o-mini"])):
        listed = (await get(gateway, "/v1/models", key=key)).json
        assert listed["object"] == "list"
        assert [model["id"] for model in listed["data"]] == names
        assert all(model.keys() == {"id", "object", "created", "owned_by"} for model in listed["data"])


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/v1/models/fast", NARROW, 200),
        ("/v1/models/second/any:thing", NARROW, 200),
        ("/v1/models/second%2Fany%3Athing", NARROW, 200),
        ("/v1/models/first/any", NARROW, 404),
        ("/v1/models/nowhere", KEY, 404),
        ("/v1/models/*", KEY, 404),
        ("/v1/models/first/%0d%0aX:y", KEY, 404),
    ],
)
async def test_one_model(gateway: Gateway, path: str, key: str, status: int) -> None:
    answer = await get(gateway, path, key=key)
    assert answer.status == status
    if status == 404:
        assert answer.error == (404, "model_not_found")


VERSION = "anthropic-version: 2023-06-01\r\n"


async def test_models_in_anthropics_shape(gateway: Gateway) -> None:
    for key, names in ((KEY, ["fast", "auto", "gpt-4o-mini", "embed"]), (NARROW, ["fast", "auto", "gpt-4o-mini"])):
        page = (await get(gateway, "/v1/models", key=key, headers=VERSION)).json
        assert [model["id"] for model in page["data"]] == names
        assert (page["has_more"], page["first_id"], page["last_id"]) == (False, names[0], names[-1])
    one = (await get(gateway, "/v1/models/second%2Fany:thing", headers=VERSION)).json
    assert one.keys() == {"type", "id", "display_name", "created_at", "lifecycle"}
    assert (one["type"], one["id"]) == ("model", "second/any:thing")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        pytest.param("GET", "/v1/models/nowhere", 404, "not_found_error", id="no such model"),
        pytest.param("GET", "/v1/nothing", 404, "not_found_error", id="no such URL"),
        pytest.param("DELETE", "/v1/models", 405, "invalid_request_error", id="another method"),
    ],
)
async def test_errors_in_anthropics_shape(gateway: Gateway, method: str, path: str, status: int, kind: str) -> None:
    answer = await get(gateway, path, method=method, headers=VERSION)
    assert answer.status == status
    assert answer.json == {
        "type": "error",
        "error": {"type": kind, "message": answer.json["error"]["message"]},
        "request_id": answer.header("request-id"),
    }
    assert answer.header("request-id") == answer.header("x-request-id")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
async def test_errors_of_messages_have_anthropics_shape_without_being_asked(gateway: Gateway, path: str) -> None:
    answer = await get(gateway, path, key=None)
    assert (answer.status, answer.json["error"]["type"]) == (405, "invalid_request_error")
    assert answer.json["request_id"] == answer.header("request-id")


async def test_chat_completions_keep_openais_shape(gateway: Gateway) -> None:
    answer = await get(gateway, CHAT, headers=VERSION)
    assert answer.error == (405, "method_not_allowed")
    assert answer.header("request-id") is None


# CORS


async def test_cors_is_off_unless_origins_are_set(gateway: Gateway) -> None:
    answer = await get(gateway, "/v1/models", headers="Origin: https://app.example\r\n")
    preflight = await get(gateway, CHAT, method="OPTIONS", headers=PREFLIGHT)
    assert preflight.error == (405, "method_not_allowed")
    assert not [name for name in (*answer.headers, *preflight.headers) if name.startswith(b"access-control")]


PREFLIGHT = (
    "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
    "Access-Control-Request-Headers: authorization, content-type, x-stainless-os, anthropic-version\r\n"
)


@pytest.fixture
async def open_gateway(start_gateway: StartGateway, two_upstreams: str) -> Gateway:
    return await start_gateway(two_upstreams.replace(SERVER, f'{SERVER}, cors_origins: ["https://app.example"]'))


async def test_a_preflight_is_answered(open_gateway: Gateway) -> None:
    answer = await get(open_gateway, CHAT, method="OPTIONS", headers=PREFLIGHT, key=None)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == "https://app.example"
    assert "POST" in (answer.header("access-control-allow-methods") or "")
    allowed = (answer.header("access-control-allow-headers") or "").split(", ")
    assert {"authorization", "content-type", "x-stainless-os", "x-api-key"} <= set(allowed)
    # What Anthropic's SDK sends from a browser.
    assert {"anthropic-version", "anthropic-beta", "anthropic-dangerous-direct-browser-access"} <= set(allowed)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing"], ids=["an answer", "an error"])
async def test_an_origin_may_read_the_answer_and_our_headers(open_gateway: Gateway, path: str) -> None:
    answer = await get(open_gateway, path, headers="Origin: https://app.example\r\n")
    assert answer.header("access-control-allow-origin") == "https://app.example"
    assert answer.header("vary") == "Origin"
    exposed = (answer.header("access-control-expose-headers") or "").split(", ")
    assert {"x-request-id", "x-gateway-attempts", "x-ratelimit-remaining-requests", "retry-after"} <= set(exposed)
    assert {"request-id", "x-gateway-dropped"} <= set(exposed)


async def test_a_stream_may_be_read_by_its_origin(open_gateway: Gateway) -> None:
    client = RawClient(open_gateway.port)
    await client.send(post(chat("fast"), headers="Origin: https://app.example\r\nConnection: close\r\n"))
    seen, _ = await client.rest()
    assert b"access-control-allow-origin: https://app.example\r\n" in seen


@pytest.mark.parametrize("origin", ["https://other.example", "https://app.example.evil", "null"])
async def test_another_origin_gets_nothing(open_gateway: Gateway, origin: str) -> None:
    answer = await get(open_gateway, "/v1/models", headers=f"Origin: {origin}\r\n")
    preflight = await get(
        open_gateway, CHAT, method="OPTIONS", headers=PREFLIGHT.replace("https://app.example", origin)
    )
    assert (answer.status, preflight.status) == (200, 405)
    assert not [name for name in (*answer.headers, *preflight.headers) if name.startswith(b"access-control")]


# request ids


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
@pytest.mark.parametrize("path", ["/healthz", "/v1/nothing"], ids=["an answer", "an error"])
async def test_a_good_request_id_is_echoed(gateway: Gateway, given: str, path: str) -> None:
    answer = await get(gateway, path, headers=f"X-Request-Id: {given}\r\n")
    assert answer.header("x-request-id") == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a%0d%0aX", "ü", "{}", "a,b"])
async def test_any_other_request_id_is_replaced(gateway: Gateway, given: str) -> None:
    answer = await get(gateway, "/healthz", headers=f"X-Request-Id: {given}\r\n")
    chosen = answer.header("x-request-id") or ""
    assert len(chosen) == 32
    assert int(chosen, 16) >= 0


async def test_a_streams_request_id_is_echoed_and_logged(gateway: Gateway) -> None:
    client = RawClient(gateway.port)
    await client.send(post(chat("fast"), headers="X-Request-Id: stream-1\r\nConnection: close\r\n"))
    seen, _ = await client.rest()
    assert b"x-request-id: stream-1\r\n" in seen
    assert gateway.calls()[0]["request_id"] == "stream-1"
    assert gateway.calls()[0]["call_id"] != "stream-1"


# methods and URLs


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/v1/models", "/v1/models/fast", "/v1/key"])
async def test_head_is_get_without_the_body(gateway: Gateway, path: str) -> None:
    whole, head = await get(gateway, path), await get(gateway, path, method="HEAD")
    assert (head.status, head.body, whole.body != b"") == (200, b"", True)
    assert head.header("content-type") == whole.header("content-type")
    if path != "/metrics":
        assert head.header("content-length") == whole.header("content-length")


@pytest.mark.parametrize(
    ("path", "methods", "allow"),
    [
        (CHAT, ["GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"], "POST"),
        ("/v1/embeddings", ["GET", "PUT"], "POST"),
        ("/v1/responses", ["GET", "DELETE"], "POST"),
        ("/v1/audio/transcriptions", ["GET"], "POST"),
        ("/", ["POST", "PUT"], "GET, HEAD"),
        ("/v1/models", ["POST", "DELETE"], "GET, HEAD"),
        ("/v1/models/fast", ["DELETE"], "GET, HEAD"),
        ("/healthz", ["POST", "OPTIONS"], "GET, HEAD"),
    ],
)
async def test_another_method_is_told_which_are_allowed(
    gateway: Gateway, path: str, methods: list[str], allow: str
) -> None:
    for method in methods:
        answer = await get(gateway, path, method=method)
        assert answer.error == (405, "method_not_allowed")
        assert answer.header("allow") == allow


async def test_head_where_only_post_is_allowed(gateway: Gateway) -> None:
    answer = await get(gateway, CHAT, method="HEAD")
    assert (answer.status, answer.body, answer.header("allow")) == (405, b"", "POST")


@pytest.mark.parametrize(
    "path",
    [
        "//",
        "/v1",
        "/v1/",
        "//v1/models",
        "/v1/models/",
        "/v1/chat/completions/",
        "/v1/../v1/chat/completions",
        "/v1/./models",
        "/v1%2Fchat/completions",
        "/v1/chat/completions%00",
        "/v1/chat/completions;x",
        "/V1/models",
        "/v1/responses/",
        "/v1/messages/batches",
        "/admin",
    ],
)
async def test_there_is_nothing_elsewhere(gateway: Gateway, path: str) -> None:
    assert (await get(gateway, path)).error == (404, "unknown_url")


@pytest.mark.parametrize("path", ["/v1/m%6fdels", "/v1/models?model=evil", "/v1/models?" + "x=&" * 1000])
async def test_escapes_of_plain_characters_and_queries_change_nothing(gateway: Gateway, path: str) -> None:
    assert (await get(gateway, path)).json == (await get(gateway, "/v1/models")).json


async def test_a_preflights_answer_has_no_length(open_gateway: Gateway) -> None:
    """RFC 9110, section 8.6: none with a 204."""
    answer = await get(open_gateway, CHAT, method="OPTIONS", headers=PREFLIGHT, key=None)
    assert answer.header("content-length") is None


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/metrics", "/health/ai"])
async def test_who_is_no_operator_does_not_learn_the_methods(gateway: Gateway, path: str, method: str) -> None:
    answer = await get(gateway, path, method=method, headers="X-Real-IP: 1.2.3.4\r\n")
    assert answer.error == (404, "unknown_url")


@pytest.mark.parametrize("path", ["/healthz", "/v1/models"])
async def test_an_expectation_is_refused_everywhere(gateway: Gateway, path: str) -> None:
    answer = await get(gateway, path, headers="Expect: miracles\r\n")
    assert answer.error == (417, "expectation_failed")


async def test_another_scheme_of_authorization_does_not_hide_an_api_key(gateway: Gateway) -> None:
    answer = await get(gateway, "/v1/models", headers=f"Authorization: Basic dTpw\r\nx-api-key: {KEY}\r\n", key=None)
    assert answer.status == 200


async def test_calls_that_failed_count_in_the_durations_and_uploads_are_no_overhead(
    gateway: Gateway, upstream: Simulator
) -> None:
    upstream.script = lambda _: error_answer(500, "no")
    client = RawClient(gateway.port)
    request = post(chat("first/x", stream=False))
    await client.send(request[:-3])
    await asyncio.sleep(0.1)
    await client.send(request[-3:])
    await client.until(b"upstream_error")
    upstream.script = lambda _: json_answer(200, {"choices": []})
    await client.send(request[:-3])
    await asyncio.sleep(0.1)
    await client.send(request[-3:])
    answer = await client.until(b"choices")
    (overhead,) = re.findall(rb"x-gateway-overhead-ms: ([0-9.]+)", answer)
    assert float(overhead) < 90
    metrics = (await get(gateway, "/metrics")).body.decode()
    assert 'gateway_request_duration_seconds_count{model="first/*",route="chat",upstream="first"} 2.0' in metrics
