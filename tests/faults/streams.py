"""What broken and odd streams are made of, and how a client may find them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.simulator import LAST_CHUNK, Send, Step, chunked, event, head
from tests.e2e.answers import Answer

DONE = b"data: [DONE]\n\n"
SSE = ("Content-Type", "text/event-stream")
CHUNKED_HEAD = Send(head(200, [SSE, ("Transfer-Encoding", "chunked")]))
CLOSE_HEAD = Send(head(200, [SSE, ("Connection", "close")]))


def content(text: str, *, index: int = 0, finish: str | None = None) -> bytes:
    return event({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]})


A, B, STOP = content("a"), content("b"), content("", finish="stop")


def pieces(*payloads: bytes) -> list[Step]:
    """Each a chunk and a write of its own."""
    return [Send(chunked(payload)) for payload in payloads]


def whole(*payloads: bytes) -> list[Step]:
    """A stream that is complete by its framing."""
    return [CHUNKED_HEAD, *pieces(*payloads), Send(LAST_CHUNK)]


@dataclass(frozen=True)
class StreamRow:
    """`does` is the answer, `passed` what of it the client gets, and `code` that of the error event behind it.

    Without a code, `cut` says whether the stream just ends, or is complete. `notes` are in the call's log line.
    """

    id: str
    title: str
    does: Sequence[Step]
    passed: bytes
    code: str | None = None
    cut: bool = False
    usage: str = "estimated"
    notes: Sequence[str] = field(default=())

    @property
    def is_complete(self) -> bool:
        return self.code is None and not self.cut


def check_bytes(answer: Answer, row: StreamRow) -> None:
    """I-4: no byte is lost, and what is not complete is not to be taken for it."""
    body = answer.body
    assert answer.status == 200
    assert answer.complete == row.is_complete, "the terminal chunk"
    if row.code is not None:
        body, error = without_error(body)
        assert error == row.code
    assert body == row.passed
    if not row.is_complete:
        assert DONE not in answer.body


def without_error(body: bytes) -> tuple[bytes, str | None]:
    """What came before the last event, and that one's error code, if it is an error."""
    begin = body.rfind(b"data: ")
    assert body.endswith(b"\n\n")
    code = json.loads(body[begin + 6 :])["error"]["code"]
    assert body[:begin] == b"" or body[:begin].endswith((b"\n\n", b"\r\r", b"\r\n\r\n"))
    return body[:begin], code
