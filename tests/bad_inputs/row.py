"""A bad input as data: the bytes, and what is to come of them."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.bad_inputs.replies import Reply
from tests.catalogue import bad_input
from tests.conftest import KEY
from tests.e2e.raw import chat

WAYS = ("direct", "bytewise", "nginx")
HEALTHZ = "GET /healthz HTTP/1.1"
CANARY = "sk-gw-canary-canary-canary-canary"
MODEL = "first/small"
PLAIN = json.dumps(chat(MODEL, stream=False)).encode()
POST = "POST /v1/chat/completions HTTP/1.1"


@dataclass(frozen=True)
class Expected:
    """`code` is None where it is no refusal; `reaches` counts the requests that get to the upstream and are charged.

    `statuses` are those of all answers on the connection, where there are several; `status` and `code` are the last's.
    `own` is False for an answer that nginx gives itself.
    """

    status: int
    code: str | None = None
    reaches: int = 0
    statuses: tuple[int, ...] = ()
    own: bool = True

    @property
    def all_statuses(self) -> tuple[int, ...]:
        return self.statuses or (self.status,)


SERVED = Expected(200, reaches=1)
BAD_REQUEST = Expected(400, "bad_request")
UNKNOWN_URL = Expected(404, "unknown_url")
WRONG_METHOD = Expected(405, "method_not_allowed")
TOO_LARGE = Expected(413, "request_too_large")
HEADERS_TOO_LARGE = Expected(431, "headers_too_large")
# What nginx itself says of what it does not take; the gateway never sees it.
NGINX_400 = Expected(400, "bad_request", own=False)
NGINX_413 = Expected(413, "request_too_large", own=False)
NGINX_414 = Expected(414, "uri_too_long", own=False)
NGINX_431 = Expected(431, "headers_too_large", own=False)
NGINX_405 = Expected(405, "method_not_allowed", own=False)
NGINX_VERSION = Expected(400, "bad_request", own=False)


@dataclass(frozen=True)
class Row:
    """`id` begins with the catalogue's: `b05-plus`.

    `closes`: the connection is closed behind the answer, else it serves another request. `nginx` is what comes through
    nginx, if that is something else. `is_head`: answers have no body. `check` looks at the last answer, on every way.
    """

    id: str
    sent: bytes
    expected: Expected = BAD_REQUEST
    closes: bool = True
    nginx: Expected | None = None
    is_head: bool = False
    check: Callable[[Reply], None] | None = None

    @property
    def number(self) -> str:
        """In the catalogue."""
        return self.id.partition("-")[0].upper()

    def expected_by(self, way: str) -> Expected:
        return self.nginx if way == "nginx" and self.nginx is not None else self.expected


def on_all_ways(rows: Iterable[Row], ways: tuple[str, ...] = WAYS) -> Any:
    """For `pytest.mark.parametrize(("row", "way"), ...)`: a test each, marked for the catalogue."""
    return [pytest.param(row, way, marks=bad_input(row.number), id=f"{row.id}-{way}") for row in rows for way in ways]


def request(headers: str = "", body: bytes = b"", *, line: str = POST, host: str = "Host: x\r\n") -> bytes:
    """A good request but for what is given; `headers` are whole lines. It holds a canary that nobody may repeat."""
    head = (
        f"{line}\r\n{host}X-Canary: {CANARY}\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\n{headers}\r\n"
    )
    return head.encode("latin-1") + body


def sized(body: bytes = PLAIN, headers: str = "", *, line: str = POST, host: str = "Host: x\r\n") -> bytes:
    """With the Content-Length of its body."""
    return request(f"Content-Length: {len(body)}\r\n{headers}", body, line=line, host=host)


def in_chunks(body: bytes = PLAIN, size: int = 1 << 20) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
