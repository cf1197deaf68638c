"""The first line: what is asked for, how, and in which version."""

import random

import pytest

from tests.bad_inputs.replies import Reply
from tests.bad_inputs.row import (
    CANARY,
    HEALTHZ,
    NGINX_400,
    NGINX_405,
    NGINX_414,
    NGINX_VERSION,
    SERVED,
    UNKNOWN_URL,
    WRONG_METHOD,
    Expected,
    Row,
    on_all_ways,
    request,
    sized,
)
from tests.bad_inputs.ways import Front

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
DICE = random.Random("b55")
NOISE = DICE.randbytes(200)


def asked(method: str, target: str = CHAT, version: str = "HTTP/1.1") -> bytes:
    return request(line=f"{method} {target} {version}")


def posted(target: str) -> bytes:
    return sized(line=f"POST {target} HTTP/1.1")


def allows_post(reply: Reply) -> None:
    assert reply.headers["allow"] == "POST"


def has_no_body(reply: Reply) -> None:
    assert reply.body == b""


TARGETS = [
    Row("b39", posted(f"https://evil{CHAT}"), nginx=SERVED),
    Row("b39-upper", posted(f"HTTP://EVIL{CHAT}"), nginx=SERVED),
    Row("b40", asked("GET", f"file:///{CANARY}/passwd"), nginx=NGINX_400),
    Row("b41", asked("POST", "evil:443"), nginx=NGINX_400),
    Row(
        "b64", asked("GET", f"/healthz?api_key={CANARY}{'a' * 10_000}"), Expected(414, "uri_too_long"), nginx=NGINX_414
    ),
    Row("b65-utf-8", asked("GET", "/h\xc3\xa9althz")),
    Row("b65-space", asked("GET", "/healthz now"), nginx=NGINX_400),
    Row("b66-parent", posted("/v1/../v1/chat/completions"), UNKNOWN_URL),
    Row("b66-here", posted("/v1/./chat/completions"), UNKNOWN_URL),
    Row("b67-slash", posted("/v1%2Fchat/completions"), UNKNOWN_URL),
    Row("b67-dots", posted("/v1/%2e%2e/v1/chat/completions"), UNKNOWN_URL),
    Row("b67-zero", posted(f"{CHAT}%00"), UNKNOWN_URL, nginx=NGINX_400),
    Row("b67-parameter", posted(f"{CHAT};x"), UNKNOWN_URL),
    Row("b68-two", posted(f"/{CHAT}"), UNKNOWN_URL),
    Row("b68-behind", posted(f"{CHAT}/"), UNKNOWN_URL),
    Row("b69", posted("/v1/ch%61t/completions"), SERVED, closes=False),
    Row("b70-many", posted(f"{CHAT}?{'&'.join(['x='] * 1000)}"), SERVED, closes=False),
    Row("b70-model", posted(f"{CHAT}?model=evil"), SERVED, closes=False),
]

METHODS = [
    Row("b42", asked("CONNECT", "evil:443"), WRONG_METHOD, nginx=NGINX_400),
    Row("b42-path", asked("CONNECT"), WRONG_METHOD, nginx=NGINX_405),
    Row("b43", asked("OPTIONS", "*"), UNKNOWN_URL, closes=False, nginx=NGINX_400),
    Row("b44", asked("TRACE"), WRONG_METHOD, closes=False, nginx=NGINX_405),
    *(
        Row(f"b45-{method.lower()}", asked(method), WRONG_METHOD, closes=False, check=allows_post)
        for method in ("GET", "PUT", "DELETE", "PATCH")
    ),
    Row("b46", asked("HEAD"), WRONG_METHOD, closes=False, is_head=True, check=has_no_body),
    Row("b47", asked("post"), nginx=NGINX_400),
    Row("b48-odd", asked("FOO!~"), nginx=NGINX_400),
    Row("b48-long", asked("A" * 10_240), nginx=NGINX_414),
]

NOT_HTTP = [
    Row("b51", request(line="GET /healthz HTTP/2.0"), nginx=NGINX_VERSION),
    Row("b51-post", sized(line=f"POST {CHAT} HTTP/2.0"), nginx=NGINX_VERSION),
    Row("b52-two", request(line="GET /healthz HTTP/1.2"), nginx=Expected(200)),
    Row("b52-ten", request(line="GET /healthz HTTP/1.10"), nginx=Expected(200)),
    Row("b52-digit", request(line="GET /healthz HTTP/1.\xd9\xa1"), nginx=NGINX_400),
    Row("b53", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", nginx=NGINX_400),
    Row("b54", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + NOISE[:150], nginx=NGINX_400),
    Row("b55-zeros", bytes(200), nginx=NGINX_400),
    Row("b55-random", NOISE, nginx=NGINX_400),
    Row("b56-lf", request(line=HEALTHZ).replace(b"\r\n", b"\n"), nginx=Expected(200)),
    Row("b56-cr", request(line=HEALTHZ).replace(b"\r\n", b"\r"), nginx=NGINX_400),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways([Row("b50", b"GET /healthz\r\n\r\n")], ("direct", "bytewise")))
async def test_a_request_of_http_0_9(row: Row, way: str, front: Front) -> None:
    """nginx serves it, with an answer that has no head."""
    await front.run(row, way)


@pytest.mark.parametrize(("row", "way"), on_all_ways([*TARGETS, *METHODS, *NOT_HTTP]))
async def test_a_first_line_that_is_odd(row: Row, way: str, front: Front) -> None:
    await front.run(row, way)
