"""Bodies that are too large, encoded, or not JSON by their own word: refused before anything is made of them."""

import gzip
import tracemalloc
import zlib

import pytest

from tests.bad_inputs.bodies import refused, typed, unsized
from tests.bad_inputs.row import PLAIN, SERVED, Expected, Row, in_chunks, on_all_ways, request, sized
from tests.bad_inputs.ways import Front

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 1 << 16
CHUNKED = "Transfer-Encoding: chunked\r\n"
TOO_LARGE = Expected(413, "request_too_large")
UNSUPPORTED = Expected(415, "unsupported_media_type")


@pytest.fixture(scope="module")
def settings() -> str:
    return "max_body_bytes: 64KiB"


def encoded(coding: str, text: bytes) -> bytes:
    return sized(text, f"Content-Encoding: {coding}\r\n")


def bomb() -> bytes:
    """100 MB of blanks in 100 KB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b" " * 1_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b" " * 1_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + again * 99


MULTIPART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 1000 + b"--x--\r\n"
DASHES = typed("multipart/form-data; boundary=" + "-" * 10**6)
ROWS = [
    Row("b78", unsized(), Expected(400, "invalid_json"), closes=False),
    Row("b78-chunked", request(CHUNKED, b"0\r\n\r\n"), Expected(400, "invalid_json"), closes=False),
    refused("b79-zero", b"", "invalid_json"),
    refused("b79-blanks", b" \t\r\n" * 9, "invalid_json"),
    Row("b80-limit", sized(PLAIN.ljust(LIMIT)), SERVED, closes=False),
    Row("b80-over", sized(PLAIN.ljust(LIMIT + 1)), TOO_LARGE),
    Row("b80-twice", sized(PLAIN.ljust(LIMIT * 2)), TOO_LARGE),
    Row("b81-limit", request(CHUNKED, in_chunks(PLAIN.ljust(LIMIT), 9999)), SERVED, closes=False),
    Row("b81", request(CHUNKED, in_chunks(PLAIN.ljust(LIMIT + 1), 9999)), TOO_LARGE),
    Row("b82", encoded("gzip", gzip.compress(PLAIN)), UNSUPPORTED),
    Row("b83", encoded("gzip", bomb()), UNSUPPORTED),
    Row("b84", encoded("gzip", gzip.compress(b"") * 2500), UNSUPPORTED),
    Row("b85", encoded("gzip", b"\x1f\x8b" + b"\xff\x00" * 100), UNSUPPORTED),
    Row("b86-br", encoded("br", PLAIN), UNSUPPORTED),
    Row("b86-zstd", encoded("zstd", PLAIN), UNSUPPORTED),
    Row("b87", encoded("foo", PLAIN), UNSUPPORTED),
    Row("b88", encoded("gzip, gzip", gzip.compress(gzip.compress(PLAIN))), UNSUPPORTED),
    Row("b88-two", sized(PLAIN, "Content-Encoding: gzip\r\nContent-Encoding: identity\r\n"), UNSUPPORTED),
    Row("b89", typed("multipart/form-data; boundary=x", MULTIPART), UNSUPPORTED),
    Row("b89-long", typed("multipart/form-data; boundary=" + "-" * 8000), UNSUPPORTED),
    Row(
        "b89-endless",
        DASHES,
        Expected(431, "headers_too_large"),
        nginx=Expected(431, "headers_too_large", own=False),
    ),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways(ROWS))
async def test_a_body_is_no_larger_and_nothing_else_than_it_may_be(row: Row, way: str, front: Front) -> None:
    await front.run(row, way)


async def test_b83_a_bomb_is_not_unpacked(front: Front) -> None:
    row = next(row for row in ROWS if row.id == "b83")
    assert len(row.sent) < 150_000
    tracemalloc.start()
    try:
        await front.run(row, "direct")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


async def test_b89_a_body_that_is_no_json_is_refused_before_it_is_read(front: Front) -> None:
    """It never comes, and is not waited for: who expects to be told to go on is told no."""
    sent = typed("multipart/form-data; boundary=x", b"", "Expect: 100-continue\r\n").replace(b"h: 0", b"h: 60000")
    await front.run(Row("b89-unsent", sent, UNSUPPORTED), "direct")
