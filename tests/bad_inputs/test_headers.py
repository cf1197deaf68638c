"""Headers: hosts, names and values, too many, twice; what is asked for in them and what is only said."""

import pytest

from tests.bad_inputs.row import (
    CANARY,
    HEADERS_TOO_LARGE,
    NGINX_400,
    NGINX_431,
    POST,
    SERVED,
    Expected,
    Row,
    on_all_ways,
    sized,
)
from tests.bad_inputs.ways import Front

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNSUPPORTED = Expected(415, "unsupported_media_type")


def to(host: str) -> bytes:
    return sized(host=f"Host: {host}\r\n")


def saying(headers: str) -> bytes:
    return sized(headers=headers)


def typed(lines: str) -> bytes:
    """With these lines in place of its Content-Type."""
    return sized().replace(b"Content-Type: application/json\r\n", lines.encode())


HOSTS = [
    Row("b34", sized(host=""), nginx=NGINX_400),
    Row("b34-none-needed", sized(line=POST.replace("1.1", "1.0"), host=""), SERVED),
    Row("b35", sized(host="Host: x\r\nHost: y\r\n"), nginx=NGINX_400),
    Row("b35-equal", sized(host="Host: x\r\nHost: x\r\n"), nginx=NGINX_400),
    Row("b36", to(""), nginx=NGINX_400),
    Row("b37-fragment", to("a/#"), nginx=NGINX_400),
    Row("b37-query", to("a/?"), nginx=NGINX_400),
    Row("b38-user", to("u@a")),
    Row("b38-port", to("a:99999"), nginx=SERVED),
    Row("b38-bracket", to("[::1")),
    Row("b38-long", to("a" * 5000)),
]

SYNTAX = [
    Row("b57", saying("X: a\r\n b\r\n"), nginx=NGINX_400),
    Row("b58-zero", saying(f"X: {CANARY}\x00\r\n"), nginx=NGINX_400),
    Row("b58-control", saying(f"X: {CANARY}\x01\r\n")),
    Row("b58-return", saying(f"X: {CANARY}\rb\r\n"), nginx=NGINX_400),
    Row("b60-space", saying("X Y: a\r\n"), nginx=NGINX_400),
    Row("b60-empty", saying(": a\r\n"), nginx=NGINX_400),
    Row("b60-brackets", saying("(x): a\r\n"), nginx=SERVED),
    Row("b62-9k", saying(f"X: {CANARY}{'a' * 9216}\r\n"), HEADERS_TOO_LARGE, nginx=NGINX_431),
    Row("b62-64k", saying(f"X: {CANARY}{'a' * 65536}\r\n"), HEADERS_TOO_LARGE, nginx=NGINX_431),
    Row("b63", saying(f"X: {CANARY}\r\n" * 200), HEADERS_TOO_LARGE),
    Row("b71", saying("Content-Type: text/plain\r\n")),
    Row("b72", saying(f"Authorization: Bearer {CANARY}\r\n"), nginx=NGINX_400),
    Row("b73", saying(f"x-api-key: {CANARY}\r\n")),
]

TYPES = [
    Row("b74-missing", typed(""), SERVED, closes=False),
    Row("b74-text", typed("Content-Type: text/plain\r\n"), UNSUPPORTED),
    Row("b74-multipart", typed("Content-Type: multipart/form-data; boundary=x\r\n"), UNSUPPORTED),
    Row("b74-form", typed("Content-Type: application/x-www-form-urlencoded\r\n"), UNSUPPORTED),
    Row("b74-utf-16", typed("Content-Type: application/json; charset=utf-16\r\n"), UNSUPPORTED),
    Row("b75-utf-8", typed("Content-Type: application/json; charset=utf-8\r\n"), SERVED, closes=False),
    Row("b75-upper", typed("Content-Type: application/JSON\r\n"), SERVED, closes=False),
    Row("b75-vendor", typed("Content-Type: application/vnd.x+json\r\n"), UNSUPPORTED),
    Row("b76-html", saying("Accept: text/html\r\n"), SERVED, closes=False),
    Row("b76-encoding", saying("Accept-Encoding: br;q=x\r\n"), SERVED, closes=False),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways([*HOSTS, *SYNTAX, *TYPES]))
async def test_a_header_that_is_odd(row: Row, way: str, front: Front) -> None:
    await front.run(row, way)


IGNORED = [
    Row("b49", saying("X-HTTP-Method-Override: GET\r\n"), SERVED, closes=False),
    Row("b59", sized(headers="User-Agent: \xff\xfe\r\n"), SERVED, closes=False),
    Row("b61", saying("X_Forwarded_For: 203.0.113.9\r\n"), SERVED, closes=False),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways(IGNORED))
async def test_a_header_that_nobody_asked_for_reaches_neither_the_upstream_nor_the_log(
    row: Row, way: str, front: Front
) -> None:
    await front.run(row, way)
    names = {name.lower() for name, _ in front.upstream.requests[0].headers}
    assert names.isdisjoint({b"user-agent", b"x_forwarded_for", b"x-http-method-override", b"x-canary"})
    assert "203.0.113.9" not in str(front.gateway.log())


IDS = [
    Row("b77-crlf", saying("x-request-id: a%0d%0aX: y\r\n"), SERVED, closes=False),
    Row("b77-long", saying(f"x-request-id: {'a' * 65}\r\n"), SERVED, closes=False),
    Row("b77-longer", saying(f"x-request-id: {'a' * 10_240}\r\n"), HEADERS_TOO_LARGE, nginx=NGINX_431),
    Row("b77-unicode", saying("x-request-id: \xc3\xa9\r\n"), SERVED, closes=False),
]
TWO_IDS = Row("b77-twice", saying("x-request-id: a\r\nx-request-id: b\r\n"), SERVED, closes=False)


@pytest.mark.parametrize(("row", "way"), [*on_all_ways(IDS), *on_all_ways([TWO_IDS], ("direct", "bytewise"))])
async def test_an_odd_request_id_is_replaced(row: Row, way: str, front: Front) -> None:
    reply = (await front.run(row, way))[-1]
    shown = reply.headers["x-request-id"]
    assert len(shown) == 32
    assert int(shown, 16)


KEPT = Row("b77-kept", saying("x-request-id: Aa0._-\r\n"), SERVED, closes=False)


@pytest.mark.parametrize(("row", "way"), on_all_ways([KEPT]))
async def test_a_sound_request_id_is_kept(row: Row, way: str, front: Front) -> None:
    reply = (await front.run(row, way))[-1]
    assert reply.headers["x-request-id"] == "Aa0._-"
