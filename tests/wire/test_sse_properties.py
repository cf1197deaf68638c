"""Streams as a client reads them: what it gets is what the provider sent, whatever way the bytes took."""

import json
import operator
import re
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.outcome import Usage
from gateway.wire.framing import ChunkedBody
from gateway.wire.sse import EventStream
from tests.fuzz.mutation import CUTS, FUZZ, cut, one_by_one

LINE_ENDS = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])
TEXT = st.sampled_from(
    ["Hel", "", "lo \U0001f44b", 'a "quote"', "back\\slash", "[DONE]", '"error": "usage": 1', "\n\r"]
)
REASONS = st.sampled_from([None, None, None, "stop", "length"])


class Facts(NamedTuple):
    """What a stream came to."""

    out: bytes
    events: int
    done: bool
    finished: bool
    failed: bool
    usage: Usage | None


@st.composite
def chunks(draw: st.DrawFn) -> bytes:
    """The JSON of one, spaced and ordered in some way."""
    delta = {draw(st.sampled_from(["content", "reasoning_content"])): draw(TEXT)}
    chunk: dict[str, Any] = {"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": draw(REASONS)}]}
    match draw(st.integers(0, 12)):
        case 0:
            chunk["usage"] = {"prompt_tokens": draw(st.integers(1, 9)), "completion_tokens": 2}
        case 1:
            chunk |= {"choices": [], "usage": {"prompt_tokens": draw(st.integers(1, 9)), "completion_tokens": 2}}
        case 2:
            chunk["usage"] = None
        case 3:
            chunk = {"error": {"message": draw(TEXT)}}
    if draw(st.booleans()):
        chunk = dict(reversed(chunk.items()))
    spaces = draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]))
    return json.dumps(chunk, separators=spaces, ensure_ascii=draw(st.booleans())).encode()


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """One event or comment; its JSON may be on two lines."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        lines = [draw(st.sampled_from([b": ping", b":", b"id: 7", b"retry: 1", b"odd"]))]
    else:
        data = draw(chunks())
        colon = draw(st.sampled_from([b"data: ", b"data: ", b"data:"]))
        parts = data.split(b",", 1) if kind == 1 else [data]
        lines = [colon + part for part in ([parts[0] + b",", parts[1]] if len(parts) > 1 else parts)]
        if kind == 2:
            lines.insert(0, b"event: message")
    if draw(st.integers(0, 3)):
        return b"".join(line + b"\n" for line in [*lines, b""])
    ends = [draw(LINE_ENDS) for _ in lines]
    blank = draw(LINE_ENDS.filter(lambda end: ends[-1] + end != b"\r\n"))  # that would be one line end
    return b"".join(map(operator.add, lines, ends)) + blank


GOOD = b'data: {"choices":[{"delta":{"content":"first"}}]}\n\n'
STREAMS = st.lists(events(), max_size=8).map(lambda found: [GOOD, *found])
ENDINGS = st.sampled_from([[], [b"data: [DONE]\n\n"], [b"data:[DONE]\r\n\r\n", GOOD]])


def client(stream: bytes) -> list[bytes]:
    """The data of each event, as WHATWG HTML 9.2.6 says to read it; of an event that is not closed, none."""
    found, data = [], []
    lines = re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in lines[:-1]:
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line:
            if any(data):
                found.append(b"\n".join(data))
            data = []
    return found


def due(stream: bytes, *, drop_usage: bool) -> tuple[list[bytes], Usage | None, bool]:
    """What a client is to get of it, the usage in it, and whether it ends in an error."""
    got: list[bytes] = []
    usage, finished = None, False
    for data in client(stream):
        if data == b"[DONE]":
            return [*got, data], usage, False
        chunk = json.loads(data)
        if chunk.get("error"):
            return [*got, data], usage, True
        finished = finished or any(choice["finish_reason"] for choice in chunk["choices"] if "finish_reason" in choice)
        if chunk.get("usage"):
            usage = Usage(chunk["usage"]["prompt_tokens"], chunk["usage"]["completion_tokens"])
            if not chunk["choices"] and drop_usage:
                continue
        got.append(data)
    return ([*got, b"[DONE]"] if finished else got), usage, False


def is_usage_alone(data: bytes) -> bool:
    return b'"choices"' in data and json.loads(data)["choices"] == []


def facts(stream: EventStream, out: bytes) -> Facts:
    return Facts(out, stream.events, stream.done, stream.finished, stream.failed, stream.usage)


def fed(reads: list[bytes], *, drop_usage: bool) -> Facts:
    stream = EventStream(drop_usage=drop_usage)
    out = b"".join([stream.feed(data) for data in reads])
    return facts(stream, out + stream.end())


def relayed(reads: list[bytes], *, drop_usage: bool) -> tuple[Facts, int]:
    """From the socket, as a connection and a pipe do it; and how many reads were passed on without being read."""
    body, stream = ChunkedBody(), EventStream(drop_usage=drop_usage)
    out, unread = b"", 0
    for data in reads:
        if body.between and stream.repeats(data):
            out += ChunkedBody().feed(data)
            stream.events += 1
            unread += 1
        elif payload := body.feed(data):
            out += stream.feed(payload)
        if stream.over:
            break
    return facts(stream, out + stream.end()), unread


@settings(FUZZ, max_examples=250)
@given(STREAMS, ENDINGS, st.booleans())
def test_a_client_reads_what_the_provider_sent(sent: list[bytes], ending: list[bytes], drop_usage: bool) -> None:
    stream = b"".join(sent + ending)
    found = fed([stream], drop_usage=drop_usage)
    data, usage, failed = due(stream, drop_usage=drop_usage)
    assert client(found.out) == data
    assert (found.usage, found.failed) == (usage, failed)
    assert found.done == (data[-1:] == [b"[DONE]"])
    assert found.events == sum(not is_usage_alone(each) for each in data) - found.done


@settings(FUZZ, max_examples=200)
@given(STREAMS, ENDINGS, CUTS, st.booleans())
def test_line_ends_of_all_kinds_read_the_same_at_every_cut(
    sent: list[bytes], ending: list[bytes], cuts: list[int], drop_usage: bool
) -> None:
    stream = b"".join(sent + ending)
    expected = fed([stream], drop_usage=drop_usage)
    assert fed(cut(stream, cuts), drop_usage=drop_usage) == expected
    assert fed(one_by_one(stream), drop_usage=drop_usage) == expected
    assert fed(sent + ending, drop_usage=drop_usage) == expected


PLAIN = st.sampled_from(["a", "bc", "lo \U0001f44b", 'a "quote"', "[DONE]"]).map(
    lambda text: b'data: {"id":"1","choices":[{"index":0,"delta":{"content":%b}}]}\n\n' % json.dumps(text).encode()
)
ALIKE = st.lists(PLAIN | PLAIN | PLAIN | events(), max_size=16).map(lambda found: [GOOD, *found])


@settings(FUZZ, max_examples=200)
@given(ALIKE, ENDINGS, CUTS, st.booleans())
def test_reads_that_are_passed_on_unread_make_no_difference(
    sent: list[bytes], ending: list[bytes], cuts: list[int], drop_usage: bool
) -> None:
    """Each event in a chunk of its own, read whole, several at once, or cut anywhere."""
    expected = fed([b"".join(sent + ending)], drop_usage=drop_usage)
    framed = [b"%x\r\n%b\r\n" % (len(event), event) for event in sent + ending]
    for reads in (framed, cut(b"".join(framed), cuts), one_by_one(b"".join(framed))):
        assert relayed(reads, drop_usage=drop_usage)[0] == expected


def test_reads_that_are_alike_are_passed_on_unread() -> None:
    event = b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n'
    framed = [b"%x\r\n%b\r\n" % (len(event % n), event % n) for n in range(9)]
    assert relayed(framed, drop_usage=True)[1] == 7
