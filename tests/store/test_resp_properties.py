"""What comes over a connection to Redis, good and nearly so: the same at every cut, and as a strict reader reads it."""

import re

from hypothesis import given

from gateway.store.resp import ErrorReply, Replies, Reply
from tests.fuzz.mutation import CUTS, FUZZ, cut, mutated, one_by_one

STREAM = b"+OK\r\n:12\r\n$5\r\na\r\nbc\r\n*3\r\n:-1\r\n$2\r\nok\r\n+x y\r\n-NOSCRIPT none\r\n+1 2 3\r\n$0\r\n\r\n*0\r\n"
SENT = mutated([b"+OK\r\n", b"+1 2 3\r\n:7\r\n", b"*2\r\n$3\r\nabc\r\n:9\r\n", b"-ERR x\r\n+OK\r\n", STREAM])

LINE = re.compile(rb"([+\-:$*])((?:(?!\r\n).)*)\r\n", re.DOTALL)
NUMBER = re.compile(rb"[ \t\n\x0b\f\r]*[+-]?[0-9]+(?:_[0-9]+)*[ \t\n\x0b\f\r]*")  # as Python's own


def read(reads: list[bytes]) -> tuple[list[Reply], bool]:
    """The replies, and whether the connection would be given up: then nothing more is fed."""
    replies = Replies()
    found: list[Reply] = []
    for data in reads:
        found += replies.feed(data)
        if replies.broken:
            break
    return found, replies.broken


def strictly(stream: bytes) -> list[Reply]:
    """All replies up to the first that is not whole, or not what is asked for. Written for no other use."""
    replies: list[Reply] = []
    at = 0
    while (found := _reply(stream, at)) is not None:
        reply, at = found
        replies.append(reply)
    return replies


def _reply(stream: bytes, at: int) -> tuple[Reply, int] | None:
    line = LINE.match(stream, at)
    if line is None or line[1] != b"*":
        return _plain(stream, at)
    at, items = line.end(), []
    if not NUMBER.fullmatch(line[2]) or int(line[2]) < 0:
        return None
    for _ in range(min(int(line[2]), len(stream))):
        item = _plain(stream, at)
        if item is None or isinstance(item[0], ErrorReply):
            return None
        items.append(item[0])
        at = item[1]
    return (items, at) if len(items) == int(line[2]) else None


def _plain(stream: bytes, at: int) -> tuple[bytes | int | ErrorReply, int] | None:
    line = LINE.match(stream, at)
    if line is None:
        return None
    kind, text, at = line[1], line[2], line.end()
    if kind in b"+-":
        return (text if kind == b"+" else ErrorReply(text)), at
    if not NUMBER.fullmatch(text):
        return None
    number = int(text)
    if kind == b":":
        return number, at
    field = stream[at : at + max(0, number)]
    # Nothing that is asked for has line ends in it.
    whole = kind == b"$" and number == len(field) and b"\r\n" not in field + stream[at + number : at + number + 1]
    return (field, at + number + 2) if whole and stream[at + number : at + number + 2] == b"\r\n" else None


@FUZZ
@given(SENT, CUTS)
def test_any_bytes_are_the_same_replies_at_every_cut(stream: bytes, cuts: list[int]) -> None:
    expected = read([stream])
    assert read(cut(stream, cuts)) == expected
    assert read(one_by_one(stream)) == expected


@FUZZ
@given(SENT)
def test_the_replies_are_those_that_a_strict_reader_reads(stream: bytes) -> None:
    assert read([stream])[0] == strictly(stream)
