"""Builders of answers: HTTP heads, chunks, JSON, errors in OpenAI's shape, and SSE streams."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus

import msgspec

from gateway.simulator.step import Close, Pause, Send, Step

Headers = Iterable[tuple[str, str]]

LAST_CHUNK = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_ERROR_TYPES = {403: "permission_error", 429: "requests"}


def chunked(payload: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def event(data: object) -> bytes:
    """One SSE event: bytes are sent as they are, anything else as JSON."""
    return b"data: %b\n\n" % (data if isinstance(data, bytes) else msgspec.json.encode(data))


def head(status: int, headers: Headers = ()) -> bytes:
    """An HTTP/1.1 head, its empty line included."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}",
        *(f"{name}: {value}" for name, value in headers),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1")


def json_answer(status: int, obj: object, headers: Headers = ()) -> list[Step]:
    """A whole answer in one write: bytes are sent as they are, anything else as JSON."""
    body = obj if isinstance(obj, bytes) else msgspec.json.encode(obj)
    framing = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return [Send(head(status, [*framing, *headers]) + body)]


def error_body(message: str, kind: str, code: str | None = None, param: str | None = None) -> dict[str, object]:
    """An error in OpenAI's shape, as it stands in answers and in events."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_answer(
    status: int, message: str, *, code: str | None = None, param: str | None = None, headers: Headers = ()
) -> list[Step]:
    """An answer with an error in OpenAI's shape; its type follows from the status."""
    kind = "server_error" if status >= 500 else _ERROR_TYPES.get(status, "invalid_request_error")
    return json_answer(status, error_body(message, kind, code, param), headers)


def sse_answer(
    events: Iterable[bytes],
    *,
    chunked: bool = True,
    done: bool = True,
    interval: float = 0.0,
    headers: Headers = (),
) -> list[Step]:
    """A stream: its head, then every event in a write (and chunk) of its own, `[DONE]`, and the end.

    Without `chunked` its end is the connection's. `interval` is the pause after each event, in seconds.
    So `sse_answer(events)[:4]` is the head and three events.
    """
    return list(sse_steps(events, chunked=chunked, done=done, interval=interval, headers=headers))


def sse_steps(
    events: Iterable[bytes], *, chunked: bool, done: bool, interval: float, headers: Headers
) -> Iterator[Step]:
    """As `sse_answer`, made while it is sent."""
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Connection", "close")
    content = [("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache")]
    yield Send(head(200, [*content, framing, *headers]))
    pause = Pause(interval)
    for piece in events:
        yield Send(_framed(piece) if chunked else piece)
        if interval:
            yield pause
    if done:
        yield Send(_framed(DONE) if chunked else DONE)
    yield Send(LAST_CHUNK) if chunked else Close()


_framed = chunked
