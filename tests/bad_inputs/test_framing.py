"""Where a body ends: whatever can be read in two ways is refused, so that nothing can be hidden in it."""

import pytest

from tests.bad_inputs.conversation import send
from tests.bad_inputs.replies import Reply, split_replies
from tests.bad_inputs.row import (
    HEADERS_TOO_LARGE,
    HEALTHZ,
    NGINX_400,
    NGINX_413,
    PLAIN,
    POST,
    SERVED,
    TOO_LARGE,
    Expected,
    Row,
    in_chunks,
    on_all_ways,
    request,
    sized,
)
from tests.bad_inputs.ways import Front
from tests.catalogue import bad_input
from tests.e2e.raw import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

LENGTH = f"Content-Length: {len(PLAIN)}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
CHUNKS = in_chunks()
SIZE_LINE = b"%x\r\n" % len(PLAIN)


def of_length(value: str) -> bytes:
    return request(f"Content-Length: {value}\r\n", PLAIN)


def encoded(value: str, *, line: str = "POST /v1/chat/completions HTTP/1.1") -> bytes:
    return request(f"Transfer-Encoding: {value}\r\n", CHUNKS, line=line)


def first_chunk(size_line: bytes) -> bytes:
    """The whole body in a chunk behind this size line."""
    return request(CHUNKED, size_line + CHUNKS.removeprefix(SIZE_LINE))


def with_trailer(lines: str) -> bytes:
    return request(CHUNKED, CHUNKS[:-2] + lines.encode() + b"\r\n")


LENGTHS = [
    Row("b01", request(LENGTH + CHUNKED, CHUNKS), nginx=NGINX_400),
    Row("b01-chunks-first", request(CHUNKED + LENGTH, CHUNKS), nginx=NGINX_400),
    Row("b02", request(LENGTH * 2, PLAIN), nginx=NGINX_400),
    Row("b03", request(LENGTH + "Content-Length: 13\r\n", PLAIN), nginx=NGINX_400),
    Row("b04", of_length("13, 13"), nginx=NGINX_400),
    Row("b05-plus", of_length("+13"), nginx=NGINX_400),
    Row("b05-minus", of_length("-1"), nginx=NGINX_400),
    Row("b05-hex", of_length("0x0d"), nginx=NGINX_400),
    Row("b05-exponent", of_length("1e1"), nginx=NGINX_400),
    Row("b05-blank", of_length(" "), nginx=NGINX_400),
    Row("b05-empty", request("Content-Length:\r\n", PLAIN), nginx=NGINX_400),
    Row("b06", of_length(str(2**64)), nginx=NGINX_400),
    Row("b07", request(f"Content-Length: {2**63 - 1}\r\n", b"x" * 13), TOO_LARGE, nginx=NGINX_413),
    Row("b07-most", request(f"Content-Length: {2**64 - 1}\r\n", b"x" * 13), TOO_LARGE, nginx=NGINX_400),
    Row(
        "b09",
        sized(PLAIN) + b"more than its length",
        Expected(400, "bad_request", 1, (200, 400)),
        nginx=Expected(400, "bad_request", 1, (200, 400), own=False),
    ),
]

ENCODINGS = [
    Row("b10", encoded("xchunked"), nginx=NGINX_400),
    Row("b11", encoded("chunked, identity"), nginx=NGINX_400),
    Row("b12", request("Transfer-Encoding: identity\r\n" + LENGTH, PLAIN), nginx=NGINX_400),
    Row("b13", encoded("gzip, chunked"), nginx=NGINX_400),
    Row("b14", request(CHUNKED * 2, CHUNKS), nginx=NGINX_400),
    Row("b15", request("Transfer-Encoding : chunked\r\n", CHUNKS), nginx=NGINX_400),
    Row("b16-before", encoded("\x0bchunked"), nginx=NGINX_400),
    Row("b16-behind", encoded("chunked\x0b"), nginx=NGINX_400),
    Row("b16-quoted", encoded('"chunked"'), nginx=NGINX_400),
    Row("b17", encoded("CHUNKED"), SERVED, closes=False),
    Row("b18", encoded("chunked", line="POST /v1/chat/completions HTTP/1.0"), nginx=NGINX_400),
]

CHUNK_LINES = [
    Row("b19", first_chunk(b"%x;a=b\r\n" % len(PLAIN)), SERVED, closes=False),
    Row("b20", first_chunk(b"%x;%b\r\n" % (len(PLAIN), b"a" * 20_480)), nginx=SERVED),
    Row("b21", first_chunk(b"%x;a\nb\r\n" % len(PLAIN)), nginx=NGINX_400),
    Row("b22", first_chunk(b"%x\n" % len(PLAIN)), nginx=SERVED),
    Row("b23-minus", first_chunk(b"-1\r\n"), nginx=NGINX_400),
    Row("b23-hex", first_chunk(b"0xd\r\n"), nginx=NGINX_400),
    Row("b23-space", first_chunk(b"%x \r\n" % len(PLAIN)), nginx=SERVED),
    Row("b23-long", first_chunk(b"%017x\r\n" % (16**16 + len(PLAIN))), nginx=NGINX_400),
    Row("b24", first_chunk(b"5\r\n"), nginx=NGINX_400),
    Row("b27", with_trailer("X: y\r\n" * 1000), HEADERS_TOO_LARGE, nginx=SERVED),
    Row("b28-length", with_trailer("Content-Length: 5\r\n"), nginx=SERVED),
    Row("b28-key", with_trailer("Authorization: Bearer sk-gw-other\r\n"), SERVED),
    Row("b28-host", with_trailer("Host: evil\r\n"), SERVED),
    Row(
        "b28-merged",
        with_trailer("Authorization: Bearer sk-gw-other\r\n") + sized(),
        SERVED,
        nginx=Expected(200, None, 2, (200, 200)),
    ),
    Row("b28-unread", with_trailer("Host: evil\r\n").replace(POST.encode(), HEALTHZ.encode()), Expected(200)),
]

HIDDEN = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"


def is_about_health(reply: Reply) -> None:
    assert reply.body == b"ok\n"
    assert "upgrade" not in reply.headers


SEQUENCES = [
    Row("b29", sized(HIDDEN, line=HEALTHZ), Expected(200), closes=False, check=is_about_health),
    Row(
        "b30",
        sized(PLAIN) + request(line=HEALTHZ) + sized(PLAIN),
        Expected(200, None, 2, (200, 200, 200)),
        closes=False,
    ),
    Row("b31", sized(PLAIN, "Expect: 100-continue\r\n"), SERVED, closes=False),
    Row("b31-large", request("Expect: 100-continue\r\nContent-Length: 99999999\r\n"), TOO_LARGE, nginx=NGINX_413),
    Row("b32", sized(PLAIN, "Expect: foo\r\n"), Expected(417, "expectation_failed"), nginx=SERVED),
    Row(
        "b33-h2c",
        request("Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", line=HEALTHZ),
        Expected(200),
        closes=False,
        check=is_about_health,
    ),
    Row(
        "b33-websocket",
        request("Connection: upgrade\r\nUpgrade: websocket\r\n", line=HEALTHZ) + b"\x81\x05hello",
        Expected(400, "bad_request", 0, (200, 400)),
        nginx=Expected(400, "bad_request", 0, (200, 400), own=False),
    ),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways([*LENGTHS, *ENCODINGS, *CHUNK_LINES, *SEQUENCES]))
async def test_a_body_that_can_be_read_in_two_ways(row: Row, way: str, front: Front) -> None:
    await front.run(row, way)


@pytest.mark.parametrize("row", [pytest.param(row, marks=bad_input("B07")) for row in LENGTHS if row.id == "b07"])
async def test_a_refusal_and_the_end_are_there_at_once(row: Row, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the rest of the body is waited for behind them."""
    monkeypatch.setattr("gateway.edge.request.DISCARD_TIME", 3600.0)
    await front.run(row, "direct")


async def test_a_body_that_breaks_behind_its_answer_ends_the_connection(front: Front) -> None:
    client = RawClient(front.gateway.port)
    await client.send(request(CHUNKED, line=HEALTHZ))
    assert b"connection: close" in await client.until(b"ok\n")
    await client.send(b"no chunk\r\n")
    assert await client.rest() == (b"", "fin")


@bad_input("B09")
@pytest.mark.parametrize("at", [1, 40, 4000])
async def test_requests_before_one_that_is_broken_are_answered_however_they_are_cut(front: Front, at: int) -> None:
    """The first part may end within a head, a body, or behind both."""
    sent = request(line=HEALTHZ) * 20 + sized() + b"?" + request(line=HEALTHZ)
    client = RawClient(front.gateway.port)
    await send(client, [sent[:at], sent[at:]])
    raw, _ = await client.rest()
    assert [reply.status for reply in split_replies(raw)] == [*[200] * 21, 400]
