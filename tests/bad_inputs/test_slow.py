"""Bodies that do not come to an end: answered in the time that is configured, and with little memory."""

import pytest

from tests.bad_inputs.row import PLAIN, TOO_LARGE, Expected, Row, in_chunks, on_all_ways, request
from tests.bad_inputs.ways import Front

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHUNKED = "Transfer-Encoding: chunked\r\n"
LATE = Expected(408, "request_timeout")

SLOW = [
    Row("b08", request("Content-Length: 999\r\n", PLAIN), LATE),
    Row("b25", request(CHUNKED, in_chunks()[:-5]), LATE),
    Row("b25-line", request(CHUNKED, b"5"), LATE),
    Row("b25-extension", request(CHUNKED, b"5;" + b"a" * 30_000), LATE),
    Row("b26", request(CHUNKED, in_chunks(b"x" * 500_000, 1)), TOO_LARGE),
]


@pytest.fixture(scope="module")
def settings() -> str:
    return "body_timeout: 300ms, max_body_bytes: 64KiB"


@pytest.mark.parametrize(("row", "way"), on_all_ways(SLOW))
async def test_a_body_without_an_end(row: Row, way: str, front: Front) -> None:
    await front.run(row, way)
