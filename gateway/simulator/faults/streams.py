"""Streams without a good event, streams that break, and streams that are odd but complete."""

import gzip
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec

from gateway.simulator.answer import DONE, LAST_CHUNK, chunked, error_body, event, json_answer, sse_answer
from gateway.simulator.chat import Completion
from gateway.simulator.step import Close, Pause, Reset, Send, Silence, Step

_ERROR = error_body("The server had an error while processing your request.", "server_error", "server_error")


def _three(completion: Completion) -> list[Step]:
    """A stream's head and three events."""
    return sse_answer(itertools.islice(completion.events(), 3))[:4]


# without a good event


def _error_first(_: Completion) -> list[Step]:
    return sse_answer([event(_ERROR)], done=False)


def _error_string(_: Completion) -> list[Step]:
    return sse_answer([event({"error": "The model could not be loaded."})], done=False)


def _empty(_: Completion) -> list[Step]:
    return sse_answer([], done=False)


def _comments_only(_: Completion) -> Iterator[Step]:
    yield from sse_answer([])[:1]
    while True:
        yield Send(chunked(b": ping\n\n"))
        yield Pause(0.05)


def _gzip(completion: Completion) -> list[Step]:
    encoding = [("Content-Encoding", "gzip")]
    if not completion.stream:
        return json_answer(200, gzip.compress(msgspec.json.encode(completion.plain())), encoding)
    return sse_answer([gzip.compress(b"".join(completion.events()) + DONE)], done=False, headers=encoding)


# that break


def _stall_mid(completion: Completion) -> list[Step]:
    return [*_three(completion), Silence()]


def _reset_mid(completion: Completion) -> list[Step]:
    return [*_three(completion), Reset()]


def _close_mid(completion: Completion) -> list[Step]:
    return [*_three(completion), Close()]


def _cut_event(completion: Completion) -> list[Step]:
    fourth = chunked(next(itertools.islice(completion.events(), 3, None)))
    return [*_three(completion), Send(fourth[: len(fourth) // 2]), Close()]


def _bad_chunk(completion: Completion) -> list[Step]:
    return [*_three(completion), Send(b"XYZ\r\ndata: {}\n\n\r\n"), Close()]


def _error_mid(completion: Completion) -> list[Step]:
    return [*_three(completion), Send(chunked(event(_ERROR))), Send(LAST_CHUNK)]


def _truncated(completion: Completion) -> list[Step]:
    return [*_three(completion), Send(LAST_CHUNK)]


# odd, but complete


def _no_done(completion: Completion) -> list[Step]:
    return sse_answer(completion.events(), done=False)


def _after_done(completion: Completion) -> list[Step]:
    events = list(completion.events())
    return sse_answer([*events, DONE, events[1]], done=False)


def _garbage(completion: Completion) -> list[Step]:
    first, *rest = completion.events()
    odd = [
        b"data: {not json\n\n",
        b"data: \xff\xfe\xc3(\n\n",
        b'data: {"choices":\ndata: [],\ndata: "note": "three lines"}\n\n',
        b"a line without a colon\n\n",
        b"event: odd\nid: 1\nretry: 10\ndata: []\n\n",
        b"data: 1e999\n\n",
    ]
    return sse_answer([first, *odd, *rest])


def _bom(completion: Completion) -> list[Step]:
    return sse_answer(b"\xef\xbb\xbf" * (number == 0) + each for number, each in enumerate(completion.events()))


def _crlf(completion: Completion) -> list[Step]:
    return sse_answer((each.replace(b"\n", b"\r\n") for each in [*completion.events(), DONE]), done=False)


def _pings(completion: Completion) -> list[Step]:
    return sse_answer(piece for each in completion.events() for piece in (b":\n\n", each))


def _huge_line(completion: Completion) -> list[Step]:
    first, *rest = completion.tokens
    return sse_answer(replace(completion, tokens=(first, "a" * 2**20, *rest)).events())


def _one_byte(completion: Completion) -> Iterator[Step]:
    begin, *_ = sse_answer([])
    yield begin
    for byte in b"".join(completion.events()) + DONE:
        yield Send(chunked(bytes([byte])))
        yield Pause(0)
    yield Send(LAST_CHUNK)


def _two_in_one(completion: Completion) -> list[Step]:
    events = [*completion.events(), DONE]
    return sse_answer((b"".join(events[at : at + 2]) for at in range(0, len(events), 2)), done=False)


def _usage_split(completion: Completion) -> list[Step]:
    usage = completion.usage_event()
    half = usage.index(b'"usage"') + 12
    *whole, done, end = sse_answer(replace(completion, include_usage=False).events())
    return [*whole, Send(chunked(usage[:half])), Pause(0.01), Send(chunked(usage[half:])), done, end]


def _eof_delimited(completion: Completion) -> list[Step]:
    return sse_answer(completion.events(), chunked=False)


def _keepalive_lie(completion: Completion) -> Iterable[Step]:
    keep_alive = [("Connection", "keep-alive"), ("Keep-Alive", "timeout=5, max=100")]
    return [*sse_answer(completion.events(), headers=keep_alive), Close()]


WITHOUT_EVENT = {
    "error-first": _error_first,
    "error-string": _error_string,
    "empty": _empty,
    "comments-only": _comments_only,
    "gzip": _gzip,
}
BREAKING = {
    "stall-mid": _stall_mid,
    "reset-mid": _reset_mid,
    "close-mid": _close_mid,
    "cut-event": _cut_event,
    "bad-chunk": _bad_chunk,
    "error-mid": _error_mid,
    "truncated": _truncated,
}
ODD = {
    "no-done": _no_done,
    "after-done": _after_done,
    "garbage": _garbage,
    "bom": _bom,
    "crlf": _crlf,
    "pings": _pings,
    "huge-line": _huge_line,
    "one-byte": _one_byte,
    "two-in-one": _two_in_one,
    "usage-split": _usage_split,
    "eof-delimited": _eof_delimited,
    "keepalive-lie": _keepalive_lie,
}
