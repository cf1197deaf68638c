"""Rows whose badness is in the body, and what of a body that was served has to reach the upstream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from gateway.simulator import Request, Simulator, Step, json_answer
from tests.bad_inputs.replies import Reply
from tests.bad_inputs.row import MODEL, SERVED, Expected, Row, request, sized
from tests.bad_inputs.ways import Front
from tests.conftest import KEY

HI = b'"messages":[{"role":"user","content":"hi"}]'
NAME = b'"%b"' % MODEL.encode()
REMOTE = NAME.replace(b"first/", b"")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def body(members: bytes = b"", *, model: bytes = NAME, messages: bytes = HI) -> bytes:
    """A good body but for what is given."""
    return b"{%b}" % b",".join(part for part in (b'"model":' + model, messages, members) if part)


def refused(row: str, text: bytes, code: str, param: str | None = None) -> Row:
    """A 400 that names `param`; the body was read, so the connection stays."""

    def check(reply: Reply) -> None:
        assert reply.error["type"] == "invalid_request_error"
        assert reply.error["param"] == param

    return Row(row, sized(text), Expected(400, code), closes=False, check=check)


def served(row: str, text: bytes, check: Callable[[Reply], None] | None = None) -> Row:
    return Row(row, sized(text), SERVED, closes=False, check=check)


def with_key(headers: str, text: bytes = body()) -> bytes:
    """A good request with `headers` (whole lines) in place of its key."""
    return sized(text).replace(f"Authorization: Bearer {KEY}\r\n".encode(), headers.encode("latin-1"))


def typed(content_type: str, text: bytes = body(), headers: str = "") -> bytes:
    """With another Content-Type."""
    return sized(text, headers).replace(b"application/json", content_type.encode(), 1)


def unsized(text: bytes = b"") -> bytes:
    """Without a Content-Length."""
    return request("", text)


def answer_anything(asked: Request) -> list[Step]:
    """A script for an upstream that takes everything."""
    return list(json_answer(200, {"object": "chat.completion", "choices": []}))


@contextmanager
def answering_anything(upstream: Simulator) -> Iterator[None]:
    script, upstream.script = upstream.script, answer_anything
    yield
    upstream.script = script


def asked_of(front: Front) -> tuple[Request, Request]:
    """The row's request as it reached the upstream, and the good one's right behind it."""
    _, good = found = tuple(front.upstream.requests[-2:])
    assert members_of(good.body)["model"] == REMOTE
    return found[0], good


def assert_untouched(front: Front, sent: bytes, *without: str) -> None:
    """Every member got through in the bytes it came in, but the model's name and what is named here."""
    asked, good = asked_of(front)
    expected = {name: value for name, value in members_of(sent).items() if name not in without}
    received = members_of(asked.body)
    if expected["model"] == NAME:
        expected["model"] = REMOTE
    assert received == expected
    assert (asked.method, asked.path) == (good.method, good.path)
    assert _told(asked) == _told(good)


def members_of(text: bytes) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in _members.decode(text).items()}


def _told(asked: Request) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in asked.headers if name.lower() != b"content-length"]
