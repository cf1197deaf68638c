"""HTTP as clients really speak it, good and bad, on bare sockets: bodies, limits, framing, connections."""

import asyncio
import gzip
import json
from collections.abc import Callable

import pytest

from gateway.simulator import Simulator
from tests.catalogue import bad_input
from tests.conftest import KEY, Gateway, StartGateway
from tests.e2e.answers import Answer, answer_to
from tests.e2e.raw import RawClient, chat, post

SERVER = 'listen: "127.0.0.1:0"'
SMALL = ", max_body_bytes: 64KiB, body_timeout: 200ms"
CLOSE = "Connection: close\r\n"
PLAIN = json.dumps(chat("fast", stream=False)).encode()
CANARY = "sk-gw-canary-canary-canary-canary"


@pytest.fixture
async def gateway(start_gateway: StartGateway, two_upstreams: str) -> Gateway:
    """Its limits are small, so that they are reached soon."""
    return await start_gateway(two_upstreams.replace(SERVER, SERVER + SMALL))


def request(headers: str = "", body: bytes = b"", *, line: str = "POST /v1/chat/completions HTTP/1.1") -> bytes:
    """A good request but for what is given."""
    head = f"{line}\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n{headers}\r\n"
    return head.encode("latin-1") + body


async def refusal_of(gateway: Gateway, sent: bytes) -> Answer:
    """As soon as it is there; the connection lingers for a second, for what the client may still send."""
    client = RawClient(gateway.port)
    await client.send(sent)
    seen = await client.until(b'"}}')
    client.leave()
    return Answer(seen, "")


def chunked(body: bytes, size: int = 1 << 20) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


# bodies


async def test_a_chunked_body_is_read(gateway: Gateway) -> None:
    answer = await answer_to(gateway, request("Transfer-Encoding: chunked\r\n" + CLOSE, chunked(PLAIN, 7)))
    assert answer.status == 200


@bad_input("B31")
async def test_a_client_that_expects_100_continue_is_told_to(gateway: Gateway) -> None:
    client = RawClient(gateway.port)
    await client.send(request(f"Expect: 100-continue\r\nContent-Length: {len(PLAIN)}\r\n{CLOSE}"))
    assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(PLAIN)
    assert Answer(*await client.rest()).status == 200


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        pytest.param("Expect: 200-ok\r\nContent-Length: 9\r\n", (417, "expectation_failed"), id="417"),
        pytest.param("Expect: 100-continue\r\nContent-Length: 999999\r\n", (413, "request_too_large"), id="413"),
        pytest.param(
            "Expect: 100-continue\r\nContent-Encoding: br\r\nContent-Length: 9\r\n",
            (415, "unsupported_media_type"),
            id="415",
        ),
    ],
)
async def test_a_client_that_expects_is_refused_before_it_sends(
    gateway: Gateway, headers: str, error: tuple[int, str]
) -> None:
    answer = await refusal_of(gateway, request(headers))
    assert answer.error == error
    assert answer.header("connection") == "close"


async def test_an_unknown_key_is_not_told_to_continue(gateway: Gateway) -> None:
    expecting = request("Expect: 100-continue\r\nContent-Length: 9\r\n").replace(KEY.encode(), b"sk-gw-wrong")
    assert (await refusal_of(gateway, expecting)).error == (401, "invalid_api_key")


@pytest.mark.parametrize("size", [300_000, 3_000_000])
async def test_a_401_arrives_though_a_large_body_is_under_way(gateway: Gateway, size: int) -> None:
    client = RawClient(gateway.port)
    await client.send(post(b"", headers="").replace(KEY.encode(), b"sk-gw-wrong").replace(b"h: 0", b"h: %d" % size))

    async def upload() -> None:
        for _ in range(size // 10_000):
            await client.send(b"x" * 10_000)

    async with asyncio.TaskGroup() as group:
        uploading = group.create_task(upload())
        seen = await client.until(b"invalid_api_key")
        uploading.cancel()
    assert Answer(seen, "").error == (401, "invalid_api_key")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(request(f"Content-Length: {2**16 + 1}\r\n", b"x" * (2**16 + 1)), id="by its length"),
        pytest.param(request("Transfer-Encoding: chunked\r\n", chunked(b"x" * (2**16 + 1), 9999)), id="by its chunks"),
    ],
)
async def test_a_body_over_the_limit_is_413(gateway: Gateway, upstream: Simulator, sent: bytes) -> None:
    answer = await answer_to(gateway, sent)
    assert answer.error == (413, "request_too_large")
    assert answer.header("connection") == "close"
    assert not upstream.requests


async def test_a_body_of_just_the_limit_is_read(gateway: Gateway) -> None:
    body = PLAIN.ljust(2**16)
    assert (await answer_to(gateway, request(f"Content-Length: {len(body)}\r\n{CLOSE}", body))).status == 200


@pytest.mark.parametrize(
    "framed",
    [
        pytest.param(lambda body: (f"Content-Length: {len(body)}\r\n", body), id="by its length"),
        pytest.param(lambda body: ("Transfer-Encoding: chunked\r\n", chunked(body, 65_536)), id="by its chunks"),
    ],
)
async def test_a_body_that_reading_was_paused_for_is_read_to_its_end(
    framed: Callable[[bytes], tuple[str, bytes]], start_gateway: StartGateway, two_upstreams: str
) -> None:
    headers, body = framed(PLAIN.ljust(4 << 20))
    answer = await answer_to(await start_gateway(two_upstreams), request(headers + CLOSE, body))
    assert answer.status == 200


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(request("Content-Length: 999\r\n", PLAIN), id="less than its length"),
        pytest.param(request("Transfer-Encoding: chunked\r\n", chunked(PLAIN)[:-5]), id="chunks without an end"),
    ],
)
async def test_a_body_that_does_not_come_is_408(gateway: Gateway, sent: bytes) -> None:
    answer = await refusal_of(gateway, sent)
    assert answer.error == (408, "request_timeout")
    assert answer.header("connection") == "close"


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Type: text/plain",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: application/json; charset=utf-16",
        "Content-Type: application/vnd.x+json",
        "Content-Type: application/json\r\nContent-Encoding: gzip",
        "Content-Type: application/json\r\nContent-Encoding: foo",
    ],
)
async def test_a_body_that_is_not_plain_json_is_415(gateway: Gateway, headers: str) -> None:
    body = gzip.compress(PLAIN)
    given = request(f"Content-Length: {len(body)}\r\n", body)
    given = given.replace(b"Content-Type: application/json", headers.encode())
    assert (await answer_to(gateway, given)).error == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "headers", ["", "Content-Type: application/json; charset=UTF-8\r\n", "Content-Type: application/JSON\r\n"]
)
async def test_json_by_any_of_its_names_is_read(gateway: Gateway, headers: str) -> None:
    given = request(f"Content-Length: {len(PLAIN)}\r\n{CLOSE}", PLAIN)
    given = given.replace(b"Content-Type: application/json\r\n", headers.encode())
    assert (await answer_to(gateway, given)).status == 200


# heads


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param(
            request(line=f"GET /healthz?api_key={CANARY}{'a' * 10_000} HTTP/1.1"), (414, "uri_too_long"), id="414"
        ),
        pytest.param(request(f"X: {CANARY}{'a' * 9000}\r\n"), (431, "headers_too_large"), id="431 a long header"),
        pytest.param(request(f"X: {CANARY}\r\n" * 200), (431, "headers_too_large"), id="431 many headers"),
    ],
)
async def test_a_head_too_large_is_refused(
    gateway: Gateway, lines: list[bytes], sent: bytes, error: tuple[int, str]
) -> None:
    answer = await answer_to(gateway, sent)
    assert (answer.error, answer.header("connection")) == (error, "close")
    assert answer.header("x-gateway-config-version") == gateway.app.config.version
    assert_unseen(CANARY, answer, gateway, lines)


def assert_unseen(canary: str, answer: Answer, gateway: Gateway, lines: list[bytes]) -> None:
    gateway.log()
    assert canary.encode() not in b"".join([answer.body, *answer.headers, *answer.headers.values(), *lines])


LENGTH = f"Content-Length: {len(PLAIN)}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
NOT_HTTP = [
    pytest.param(request(LENGTH + CHUNKED, chunked(PLAIN)), id="B01 length and chunks"),
    pytest.param(request(LENGTH * 2, PLAIN), id="B02 two lengths"),
    pytest.param(request("Content-Length: 13, 13\r\n", PLAIN), id="B04 a list of lengths"),
    pytest.param(request("Content-Length: +13\r\n", PLAIN), id="B05 a signed length"),
    pytest.param(request("Content-Length: 18446744073709551616\r\n"), id="B06 a length beyond 64 bits"),
    pytest.param(request("Transfer-Encoding: xchunked\r\n", chunked(PLAIN)), id="B10 an unknown encoding"),
    pytest.param(request("Transfer-Encoding: chunked, identity\r\n", chunked(PLAIN)), id="B11 chunked not last"),
    pytest.param(request(CHUNKED * 2, chunked(PLAIN)), id="B14 chunked twice"),
    pytest.param(request("Transfer-Encoding : chunked\r\n", chunked(PLAIN)), id="B15 a space before the colon"),
    pytest.param(request("Transfer-Encoding: \x0bchunked\r\n", chunked(PLAIN)), id="B16 a vertical tab"),
    pytest.param(request(CHUNKED, chunked(PLAIN).replace(b"\r\n", b"\n", 1)), id="B22 a bare line feed in chunks"),
    pytest.param(request(CHUNKED, b"0x5\r\nabcde\r\n0\r\n\r\n"), id="B23 a chunk size with 0x"),
    pytest.param(request(CHUNKED, b"5\r\n" + PLAIN + b"\r\n0\r\n\r\n"), id="B24 more than its chunk size"),
    pytest.param(request(CHUNKED, chunked(PLAIN)[:-2] + b"Content-Length: 5\r\n\r\n"), id="B28 a length as trailer"),
    pytest.param(request(LENGTH, PLAIN).replace(b"Host: x\r\n", b""), id="B34 no Host"),
    pytest.param(request(LENGTH + "Host: y\r\n", PLAIN), id="B35 two Hosts"),
    pytest.param(request(line="GET file:///etc/passwd HTTP/1.1"), id="B40 a file"),
    pytest.param(request(line="FOO!~ / HTTP/1.1"), id="B48 an odd method"),
    pytest.param(request(line="GET /healthz HTTP/1.2"), id="B52 an unknown version"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="B53 HTTP/2"),
    pytest.param(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"a" * 150, id="B54 TLS"),
    pytest.param(b"\x00" * 200, id="B55 zeros"),
    pytest.param(request(LENGTH, PLAIN).replace(b"\r\n", b"\n"), id="B56 bare line feeds"),
    pytest.param(request(LENGTH + "X: a\r\n b\r\n", PLAIN), id="B57 a folded header"),
    pytest.param(request(LENGTH + "X: a\x00b\r\n", PLAIN), id="B58 a zero in a header"),
    pytest.param(request(LENGTH + "X: a\rb\r\n", PLAIN), id="B58 a bare carriage return"),
    pytest.param(request(LENGTH + "X Y: a\r\n", PLAIN), id="B60 a space in a header's name"),
    pytest.param(request(line="GET /a b HTTP/1.1"), id="B65 a space in the target"),
    pytest.param(request(LENGTH + "Content-Type: text/plain\r\n", PLAIN), id="B71 two Content-Types"),
    pytest.param(request(LENGTH + f"Authorization: Bearer {CANARY}\r\n", PLAIN), id="B72 two keys"),
    pytest.param(request(LENGTH + f"x-api-key: {CANARY}\r\n", PLAIN), id="B73 another key in x-api-key"),
]


@pytest.mark.parametrize("sent", NOT_HTTP)
async def test_what_is_no_http_is_refused_in_json_without_an_echo(
    gateway: Gateway, upstream: Simulator, lines: list[bytes], sent: bytes
) -> None:
    sent = sent.replace(b"Host: x\r\n", f"Host: x\r\nX-Canary: {CANARY}\r\n".encode(), 1)
    answer = await answer_to(gateway, sent)
    assert answer.error == (400, "bad_request")
    for secret in (CANARY, KEY):
        assert_unseen(secret, answer, gateway, lines)
    assert not upstream.requests
