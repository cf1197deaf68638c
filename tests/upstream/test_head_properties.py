"""Whole answers, good and nearly so: what is accepted, a strict reader accepts too, and reads the same."""

import re
from typing import NamedTuple

from hypothesis import example, given

from gateway.core.fault import ProtocolFault
from gateway.upstream.head import HeadParser
from gateway.wire.framing import Body, FramingError
from tests.fuzz.mutation import CUTS, FUZZ, NASTY, cut, mutated, one_by_one

JSON = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"a": [1]}\n'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
    b'5\r\nhello\r\nb\r\n {"b":"c"}\n\r\n0\r\nX-Trailer: 1\r\n\r\n'
)
CLOSED = b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nuntil the end"
EARLY = b"HTTP/1.1 100 Continue\r\n\r\n" + JSON
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
WORDS = [
    b"Content-Length: 5\r\n",
    b"Content-Length: 11\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
    b"HTTP/2 ",
    b"0\r\n\r\n",
    b"0x",
    b"00",
    b";x=y",
]
ANSWERS = mutated([JSON, CHUNKED, CLOSED, EARLY, EMPTY], NASTY + WORDS)


class Reading(NamedTuple):
    """What came of an answer; `complete` is not known of a body that ends with the connection."""

    status: int
    headers: dict[bytes, bytes]
    payload: bytes
    complete: bool
    rest: bytes


def read(reads: list[bytes]) -> Reading | str | None:
    """As a connection does. None while the head is not there, a word for a fault."""
    parser = HeadParser()
    for number, data in enumerate(reads):
        try:
            head = parser.feed(data)
        except ProtocolFault:
            return "no head"
        if head is not None:
            return _read_body(head.status, head.headers, head.body, [parser.rest, *reads[number + 1 :]])
    return None


def _read_body(status: int, headers: dict[bytes, bytes], body: Body, reads: list[bytes]) -> Reading | str:
    payload, rest = b"", b""
    for data in reads:
        if body.complete:
            rest += data
        elif data:
            try:
                payload += body.feed(data)
            except FramingError:
                return "no body"
            rest += body.rest
    return Reading(status, headers, payload, body.complete, rest)


HEAD = re.compile(
    rb"HTTP/(1\.[01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
)
CHUNK_SIZE = re.compile(rb"([1-9A-Fa-f][0-9A-Fa-f]{0,7}|0)\r\n")
TRAILERS = re.compile(rb"(?:(?!\r\n)[^\n]+\r\n)*\r\n")  # dropped, so anything may be in them


def strictly(stream: bytes) -> Reading | None:
    """RFC 9112 by the letter, but for line ends before a head, which llhttp skips; None for what it does not allow."""
    head = HEAD.match(stream.lstrip(b"\r\n"))
    while head is not None and head[2].startswith(b"1"):
        stream = stream.lstrip(b"\r\n")[head.end() :]
        head = HEAD.match(stream.lstrip(b"\r\n"))
    if head is None:
        return None
    fields = [line.split(b":", 1) for line in head[3].split(b"\r\n")[:-1]]
    headers: dict[bytes, bytes] = {}
    for name, value in fields:
        headers.setdefault(name.lower(), value.strip(b" \t"))
    names = [name.lower() for name, _ in fields]
    lengths, codings = names.count(b"content-length"), names.count(b"transfer-encoding")
    if lengths + codings > 1:
        return None
    status, body = int(head[2]), stream.lstrip(b"\r\n")[head.end() :]
    if codings:
        if headers[b"transfer-encoding"].lower() != b"chunked" or head[1] == b"1.0":
            return None
        return _strictly_chunked(status, headers, body)
    if status in (204, 304):
        return Reading(status, headers, b"", True, body)
    if lengths:
        if not re.fullmatch(rb"[0-9]{1,18}", headers[b"content-length"]):
            return None
        length = int(headers[b"content-length"])
        return Reading(status, headers, body[:length], len(body) >= length, body[length:])
    return Reading(status, headers, body, False, b"")


def _strictly_chunked(status: int, headers: dict[bytes, bytes], body: bytes) -> Reading | None:
    """A body that was cut off is as good as its whole chunks, and what there is of the next."""
    payload, at = b"", 0
    while size := CHUNK_SIZE.match(body, at):
        length, at = int(size[1], 16), size.end()
        if not length:
            end = TRAILERS.match(body, at)
            return Reading(status, headers, payload, end is not None, body[end.end() :] if end else b"")
        payload += body[at : at + length]
        if not b"\r\n".startswith(body[at + length : at + length + 2]):
            return None
        at += length + 2
    is_cut = at >= len(body) or CHUNK_SIZE.match(body[at:].rstrip(b"\r\n") + b"\r\n") is not None
    return Reading(status, headers, payload, False, b"") if is_cut else None


@FUZZ
@given(ANSWERS, CUTS)
def test_an_answer_is_read_the_same_at_every_cut(stream: bytes, cuts: list[int]) -> None:
    """And it raises nothing but its faults, and reads nothing past its end."""
    expected = read([stream])
    assert read(cut(stream, cuts)) == expected
    assert read(one_by_one(stream)) == expected


@FUZZ
@given(ANSWERS)
@example(CHUNKED.replace(b"5\r\n", b"05\r\n"))
@example(CHUNKED.replace(b"Connection: keep-alive", b"Transfer-Encoding: chunked"))
@example(JSON.replace(b"Content-Type: application/json", b"Content-Length: 11"))
@example(EMPTY.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"))
def test_what_is_accepted_is_what_a_strict_reader_reads(stream: bytes) -> None:
    found = read([stream])
    if isinstance(found, Reading):
        trimmed = {name: value.rstrip(b" \t") for name, value in found.headers.items()}
        assert found._replace(headers=trimmed) == strictly(stream)


def test_the_strict_reader_reads_what_is_right() -> None:
    for stream in (JSON, CHUNKED, CLOSED, EARLY, EMPTY):
        assert strictly(stream) == read([stream]) != None  # noqa: E711 - both, and something


@FUZZ
@given(ANSWERS, ANSWERS)
def test_what_comes_behind_an_answer_is_no_part_of_it(stream: bytes, behind: bytes) -> None:
    alone = read([stream])
    if isinstance(alone, Reading) and alone.complete:
        assert read([stream + behind]) == alone._replace(rest=alone.rest + behind)
