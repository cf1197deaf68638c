"""A body that does not end is read no further than a body may be large."""

import pytest

from tests.conftest import KEY, StartGateway
from tests.e2e.answers import Answer
from tests.e2e.raw import RawClient

SERVER = 'listen: "127.0.0.1:0"'
HEAD = (
    f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
).encode()


@pytest.mark.parametrize("size", [7, 4096])
async def test_a_413_is_there_while_the_body_still_comes(
    start_gateway: StartGateway, two_upstreams: str, size: int
) -> None:
    gateway = await start_gateway(two_upstreams.replace(SERVER, f"{SERVER}, max_body_bytes: 32KiB"))
    client = RawClient(gateway.port)
    await client.send(HEAD + b"%x\r\n%b\r\n" % (size, b"x" * size) * (32_768 // size + 1))
    assert Answer(await client.until(b'"}}'), "").error == (413, "request_too_large")
    client.leave()
