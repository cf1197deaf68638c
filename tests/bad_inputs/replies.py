"""Every answer that came on a connection, split by its own framing."""

import json
from dataclasses import dataclass
from typing import Any

_NO_BODY = (204, 304)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """Of a refusal, which must have OpenAI's shape, JSON as its type, and a request id."""
        assert self.headers["content-type"] == "application/json"
        assert self.headers["x-request-id"]
        told = json.loads(self.body)
        assert told.keys() == {"error"}
        error: dict[str, Any] = told["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        return error


def split_replies(raw: bytes, *, is_head: bool = False, ended: bool = False) -> list[Reply]:
    """The complete ones; without `is_head`, what comes without a length is complete where the connection has ended.

    Raises AssertionError for bytes that are no answer.
    """
    replies = []
    while raw:
        head, end, rest = raw.partition(b"\r\n\r\n")
        if not end:
            break
        version, status, *_ = head.split(None, 2)
        assert version in (b"HTTP/1.1", b"HTTP/1.0"), raw[:100]
        pairs = (line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:])
        headers = {name.lower(): value for name, value in pairs}
        reply = Reply(int(status), headers, b"")
        whole = reply if _is_bodiless(reply, is_head) else None
        if whole is None:
            found = _body(headers, rest, ended)
            if found is None:
                break
            body, rest = found
            whole = Reply(reply.status, headers, body)
        raw = rest
        replies.append(whole)
    return replies


def _is_bodiless(reply: Reply, is_head: bool) -> bool:
    return is_head or reply.status < 200 or reply.status in _NO_BODY


def _body(headers: dict[str, str], rest: bytes, ended: bool) -> tuple[bytes, bytes] | None:
    """The body and what follows it; None if it is not whole."""
    if "content-length" in headers:
        length = int(headers["content-length"])
        return (rest[:length], rest[length:]) if len(rest) >= length else None
    if headers.get("transfer-encoding") != "chunked":
        return (rest, b"") if ended else None
    body = b""
    while True:
        line, end, after = rest.partition(b"\r\n")
        if not end:
            return None
        size = int(line, 16)
        if len(after) < size + 2:
            return None
        body, rest = body + after[:size], after[size + 2 :]
        if not size:
            return body, rest
