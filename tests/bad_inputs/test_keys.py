"""Who may call: whatever else is sent as a key learns nothing, and whatever else says who it is, is not believed."""

from dataclasses import replace

import pytest

from gateway.core.errors import InvalidApiKey, MissingApiKey
from gateway.wire.errors import error_body
from tests.bad_inputs.bodies import asked_of, body, with_key
from tests.bad_inputs.replies import Reply
from tests.bad_inputs.row import BAD_REQUEST, CANARY, NGINX_400, SERVED, Expected, Row, on_all_ways, sized
from tests.bad_inputs.ways import Front
from tests.conftest import KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

MISSING = Expected(401, "missing_api_key")
INVALID = Expected(401, "invalid_api_key")
TOO_LARGE = Expected(431, "headers_too_large")
NGINX_431 = replace(TOO_LARGE, own=False)
WRONG = "sk-gw-" + CANARY


def is_challenge(reply: Reply) -> None:
    """The same for every wrong key."""
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.body in (error_body(InvalidApiKey()), error_body(MissingApiKey()))


def unknown(row: str, headers: str, expected: Expected = INVALID) -> Row:
    """`headers` are whole lines in place of the key. The body is not read, so the connection closes."""
    return Row(row, with_key(headers), expected, check=is_challenge)


def wrong(row: str, key: str) -> Row:
    return unknown(row, f"Authorization: Bearer {key}\r\n")


def welcome(row: str, headers: str) -> Row:
    return Row(row, with_key(headers), SERVED, closes=False)


def alongside(row: str, headers: str) -> Row:
    """With the key, and these headers too, which change nothing."""
    return Row(row, sized(body(), headers), SERVED, closes=False)


ROWS = [
    unknown("b126", "", MISSING),
    unknown("b127-alone", "Authorization: Bearer\r\n", MISSING),
    unknown("b127-empty", "Authorization: Bearer \r\n", MISSING),
    unknown("b127-empty-x", "x-api-key: \r\n", MISSING),
    unknown("b127-tab", f"Authorization: Bearer\t{KEY}\r\n", MISSING),
    welcome("b127-lower", f"Authorization: bearer {KEY}\r\n"),
    welcome("b127-upper", f"AUTHORIZATION: BEARER {KEY}\r\n"),
    welcome("b127-two-blanks", f"Authorization: Bearer  {KEY}\r\n"),
    welcome("b127-behind", f"Authorization: Bearer {KEY} \r\n"),
    welcome("b127-x", f"X-Api-Key: {KEY}\r\n"),
    unknown("b128-basic", "Authorization: Basic dTpw\r\n", MISSING),
    unknown("b128-token", f"Authorization: Token {KEY}\r\n", MISSING),
    unknown("b128-bare", f"Authorization: {KEY}\r\n", MISSING),
    unknown("b128-digest", f'Authorization: Digest username="{KEY}"\r\n', MISSING),
    unknown("b128-negotiate", "Authorization: Negotiate YII=\r\n", MISSING),
    wrong("b129-other", WRONG),
    wrong("b129-tail", KEY[:-1] + "x"),
    wrong("b129-longer", KEY + "k"),
    wrong("b129-shorter", KEY[:-1]),
    wrong("b129-upper", KEY.upper()),
    unknown("b129-x", f"x-api-key: {WRONG}\r\n"),
    wrong("b130-8000", WRONG + "k" * 8000),
    Row("b130-10k", with_key(f"Authorization: Bearer {WRONG}{'k' * 10_240}\r\n"), TOO_LARGE, nginx=NGINX_431),
    wrong("b131-latin", "sk-\xe9"),
    wrong("b131-utf8", "\xc3\xa9\xc3\xa9"),
    wrong("b131-emoji", "\U0001f600".encode().decode("latin-1")),
    wrong("b131-bytes", "\xff\xfe\xff"),
    wrong("b131-surrogate", b"\xed\xa0\x80".decode("latin-1")),
    unknown("b131-x", "x-api-key: \xff\xfe\r\n"),
    Row("b132-zero", with_key(f"Authorization: Bearer {WRONG}\0\r\n"), BAD_REQUEST, nginx=NGINX_400),
    Row("b132-control", with_key(f"Authorization: Bearer {WRONG}\x01\r\n"), BAD_REQUEST),
    Row("b132-return", with_key(f"Authorization: Bearer {WRONG}\rX\r\n"), BAD_REQUEST, nginx=NGINX_400),
    wrong("b133-sql", "' OR pg_sleep(8)--"),
    wrong("b133-star", "*"),
    wrong("b133-glob", "gw:*"),
    wrong("b133-escapes", r"\r\nFLUSHALL"),
    wrong("b133-tag", "{tag}"),
    wrong("b133-lua", '"..redis.call("FLUSHALL").."'),
    Row("b133-line", with_key(f"Authorization: Bearer {WRONG}\r\nFLUSHALL\r\n"), BAD_REQUEST, nginx=INVALID),
    wrong("b134", f"{WRONG}, Bearer {WRONG}x"),
    wrong("b134-good", f"{KEY}, Bearer {WRONG}"),
    unknown("b135-cookie", f"Cookie: api_key={KEY}\r\n", MISSING),
    Row("b135-query", with_key("").replace(b" HTTP", f"?api_key={KEY} HTTP".encode(), 1), MISSING, check=is_challenge),
    Row("b135-body", with_key("", body(b'"api_key":"%b"' % KEY.encode())), MISSING, check=is_challenge),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways(ROWS))
async def test_only_a_key_that_is_known_opens(row: Row, way: str, front: Front) -> None:
    await front.run(row, way)


LONG = ", ".join(["203.0.113.7"] * 500)
IDENTITY = [
    alongside(f"b139-{name}", f"{header}\r\n")
    for name, header in {
        "one": "X-Forwarded-For: 203.0.113.7",
        "many": f"X-Forwarded-For: {LONG}",
        "ipv6": "X-Forwarded-For: [2001:db8::7]:443",
        "unknown": "X-Forwarded-For: unknown",
        "real-ip": "X-Real-IP: 203.0.113.7",
        "forwarded": 'Forwarded: for=203.0.113.7;host="evil"',
        "true-client": "True-Client-IP: 203.0.113.7",
        "cloudflare": "CF-Connecting-IP: 203.0.113.7",
    }.items()
]
ELSEWHERE = [
    alongside(f"b140-{name.lower()}", f"{name}: {value}\r\n")
    for name, value in {
        "X-Forwarded-Host": "evil",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Prefix": "/evil",
        "X-Original-URL": "/metrics",
        "X-Rewrite-URL": "/v1/models",
    }.items()
]
HOP_BY_HOP = [
    alongside(f"b141-{name}", headers)
    for name, headers in {
        "authorization": "Connection: Authorization\r\n",
        "key": "Connection: x-gateway-key, keep-alive\r\n",
        "te": "TE: trailers\r\nConnection: TE\r\n",
        "keep-alive": "Keep-Alive: timeout=1, max=1\r\n",
        "proxy": f"Proxy-Authorization: Bearer {CANARY}\r\n",
        "upgrade": "Connection: Upgrade\r\nUpgrade: h2c\r\n",
    }.items()
]
INTERNAL = [
    alongside(f"b142-{name}", f"{name}: {CANARY}\r\n")
    for name in (
        "x-gateway-degraded",
        "x-gateway-config-version",
        "x-config-version",
        "x-model-name",
        "openai-organization",
        "openai-project",
        "anthropic-version",
    )
]
TRACES = [
    alongside("b143-garbage", f"traceparent: 00-zz-{CANARY}\r\ntracestate: ===\r\n"),
    alongside("b143-baggage", f"baggage: {CANARY}={'x' * 8000}\r\n"),
    Row("b143-10k", sized(body(), f"baggage: {'x' * 10_240}\r\n"), TOO_LARGE, nginx=NGINX_431),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways([*IDENTITY, *ELSEWHERE, *HOP_BY_HOP, *INTERNAL, *TRACES]))
async def test_what_else_a_head_says_changes_nothing(row: Row, way: str, front: Front) -> None:
    [*_, reply] = await front.run(row, way)
    peers = {line["peer"] for line in front.gateway.calls()}
    assert peers == {"127.0.0.1"}
    if reply.status != 200:
        return
    assert "x-gateway-degraded" not in reply.headers
    assert reply.headers["x-gateway-config-version"] == front.gateway.app.config.version
    assert reply.headers["x-model-name"] == "first/small"
    asked, good = asked_of(front)
    assert (asked.method, asked.path) == (good.method, good.path)
    assert {name for name, _ in asked.headers} == {name for name, _ in good.headers}
    assert {header for header in asked.headers if header[0].lower() != b"content-length"} <= {*good.headers}
