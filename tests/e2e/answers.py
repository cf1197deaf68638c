"""Whole answers as they came off the wire, read by llhttp."""

from tests.conftest import KEY, Gateway
from tests.e2e.raw import RawClient
from tests.simulator.wire import Parsed


class Answer(Parsed):
    """An answer and how its connection ended: `fin` or `rst`."""

    def __init__(self, raw: bytes, end: str) -> None:
        super().__init__(raw)
        self.end = end

    def header(self, name: str) -> str | None:
        value = self.headers.get(name.lower().encode())
        return None if value is None else value.decode()

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of a refusal, which must have OpenAI's shape, JSON as its type, and a request id."""
        assert self.header("content-type") == "application/json"
        assert self.header("x-request-id")
        error = self.json["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        return self.status, error["code"]


async def answer_to(gateway: Gateway, request: bytes) -> Answer:
    """Reads to the end of the connection, so the request should be one that ends it."""
    client = RawClient(gateway.port)
    await client.send(request)
    return Answer(*await client.rest())


async def get(gateway: Gateway, path: str, *, method: str = "GET", headers: str = "", key: str | None = KEY) -> Answer:
    """`headers` are whole lines with their CRLF."""
    if key is not None:
        headers += f"Authorization: Bearer {key}\r\n"
    return await answer_to(
        gateway, f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode()
    )
