"""Framing against a reading of the whole stream at once (WHATWG HTML, section 9.2.6)."""

import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import events
from gateway.wire.events import Event, Framing, RawEvent
from tests.wire.steady import steady

BOM = b"\xef\xbb\xbf"


def framed(*reads: bytes) -> list[RawEvent]:
    framing = Framing()
    return [event for read in reads for event in framing.feed(read)] + framing.end()


def said(found: list[RawEvent]) -> list[tuple[bytes, bytes]]:
    """What means something: an event without data is none."""
    return [(event.name, event.data) for event in found if event.data]


def expected(stream: bytes) -> list[tuple[bytes, bytes]]:
    """The standard's own steps, line by line."""
    found: list[tuple[bytes, bytes]] = []
    name, data = b"", list[bytes]()
    for line in [*re.split(rb"\r\n|\n|\r", stream.removeprefix(BOM)), b""]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            found += [(name, joined)] if (joined := b"\n".join(data)) else []
            name, data = b"", []
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return found


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    return [stream[start:end] for start, end in itertools.pairwise([0, *sorted(cuts), len(stream)])]


LINES = [b"data: {}", b"data:x", b"data:  y", b"data: \xc3\xa4", b"event: ping", b"event:a", b": hi", b":", b"id: 7"]
ENDS = [b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n"]
streams = st.builds(
    lambda bom, lines: bom + b"".join(lines),
    st.sampled_from([b"", BOM]),
    st.lists(st.builds(bytes.__add__, st.sampled_from(LINES), st.sampled_from(ENDS)), max_size=12),
)
cuttings = st.lists(st.integers(0, 200), max_size=12)


@steady
@given(streams)
def test_a_stream_is_the_events_that_the_standard_finds_in_it(stream: bytes) -> None:
    assert said(framed(stream)) == expected(stream)


@steady
@given(streams, cuttings)
def test_a_stream_has_the_same_events_in_the_same_bytes_wherever_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    assert framed(*pieces(stream, [min(cut, len(stream)) for cut in cuts])) == framed(stream)


@pytest.mark.parametrize("bom", [pytest.param(b"", id="no BOM"), pytest.param(BOM, id="BOM")])
@pytest.mark.parametrize(
    "end", [pytest.param(b"\n", id="LF"), pytest.param(b"\r", id="CR"), pytest.param(b"\r\n", id="CRLF")]
)
def test_every_single_cut_gives_the_same_events(end: bytes, bom: bytes) -> None:
    lines = [b": a comment", b"", b"event: a", b"data: {", b"data: }", b"", b"data: 2", b"", b"data: [DONE]", b""]
    stream = bom + end.join([*lines, b""])
    whole = framed(stream)
    assert said(whole) == [(b"a", b"{\n}"), (b"", b"2"), (b"", b"[DONE]")]
    for cut in range(len(stream) + 1):
        assert framed(stream[:cut], stream[cut:]) == whole
    assert framed(*[bytes([byte]) for byte in stream]) == whole


@steady
@given(streams, cuttings)
def test_the_events_are_the_whole_stream_but_for_its_byte_order_mark(stream: bytes, cuts: list[int]) -> None:
    given_back = b"".join(event.raw for event in framed(*pieces(stream, [min(cut, len(stream)) for cut in cuts])))
    assert given_back.rstrip(b"\r\n") == stream.removeprefix(BOM).rstrip(b"\r\n")


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        pytest.param(b"data: a\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")], id="two in one read"),
        pytest.param(b"data: a\ndata: b\n\n", [(b"", b"a\nb")], id="two lines of data"),
        pytest.param(b"data:a\n\n", [(b"", b"a")], id="no blank after the colon"),
        pytest.param(b"data:  a\n\n", [(b"", b" a")], id="only one blank is the colon's"),
        pytest.param(b"data: \n\n", [], id="empty data"),
        pytest.param(b"database: a\n\n", [], id="another field that begins alike"),
        pytest.param(b" data: a\n\n", [], id="indented"),
        pytest.param(b"event: x\nevent: y\ndata: a\n\n", [(b"y", b"a")], id="the last name counts"),
        pytest.param(b"data: a\nevent: x\n\n", [(b"x", b"a")], id="name after the data"),
        pytest.param(b"event: x\n\ndata: a\n\n", [(b"", b"a")], id="a name is not kept for the next event"),
        pytest.param(b"id: 1\nretry: 5\nwho: me\ndata: a\n\n", [(b"", b"a")], id="other fields"),
        pytest.param(b": ping\n\n:\n\n", [], id="comments"),
        pytest.param(b": ping\ndata: a\n\n", [(b"", b"a")], id="comment before the data"),
        pytest.param(b"data: a\n\n" + BOM + b"data: b\n\n", [(b"", b"a")], id="a mark that is not the first"),
        pytest.param(b"data: a", [(b"", b"a")], id="no line end"),
        pytest.param(b"data: a\n", [(b"", b"a")], id="no blank line"),
        pytest.param(b"data: a\r", [(b"", b"a")], id="half a line end"),
        pytest.param(b"event: a", [], id="only a name"),
        pytest.param(b"\n\n\n", [], id="blank lines"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(BOM, [], id="a mark alone"),
    ],
)
def test_an_event_is_read_as_the_standard_has_it(stream: bytes, found: list[tuple[bytes, bytes]]) -> None:
    assert said(framed(stream)) == found


def test_an_event_is_given_with_its_last_byte_and_not_before() -> None:
    framing, stream = Framing(), b"event: a\ndata: 1\n\n"
    assert [framing.feed(bytes([byte])) for byte in stream[:-1]] == [[]] * (len(stream) - 1)
    assert framing.feed(stream[-1:]) == [RawEvent(b"a", b"1", stream)]


def test_a_carriage_return_waits_for_its_line_feed() -> None:
    framing = Framing()
    assert framing.feed(b"data: 1\r\n\r") == []
    assert framing.feed(b"\ndata: 2") == [RawEvent(b"", b"1", b"data: 1\r\n\r\n")]
    assert framing.feed(b"\r\r") == []
    assert framing.feed(b"x: 3") == [RawEvent(b"", b"2", b"data: 2\r\r")]


def test_what_came_last_gets_its_blank_line() -> None:
    framing = Framing()
    assert framing.feed(b"event: a\r\ndata: 1\r\n") == []
    assert framing.end() == [RawEvent(b"a", b"1", b"event: a\r\ndata: 1\n\n")]
    assert framing.end() == []


class TestLargeEvents:
    def test_an_event_of_the_largest_size_is_read(self) -> None:
        data = b"x" * (events.MAX_EVENT - len(b"data: "))
        (event,) = framed(b"data: " + data, b"\n\n")
        assert event.data == data

    def test_a_larger_one_is_refused_as_soon_as_it_is_known(self) -> None:
        framing, read = Framing(), b"x" * (1024 * 1024)
        for _ in range(events.MAX_EVENT // len(read)):
            framing.feed(read)
        with pytest.raises(ValueError, match="too large"):
            framing.feed(b"x")

    def test_many_events_are_not_one(self) -> None:
        event = b"data: " + b"x" * (events.MAX_EVENT // 4) + b"\n\n"
        framing = Framing()
        assert [len(framing.feed(event)) for _ in range(6)] == [1] * 6

    def test_an_event_of_a_thousand_lines_in_as_many_reads_is_one(self) -> None:
        read = b"\r" + b"x" * 1023
        framing = Framing()
        for _ in range(1024):
            assert framing.feed(read) == []
        (event,) = framing.feed(b"\n\n")
        assert len(event.raw) == 1024 * 1024 + 2


class TestWrittenEvents:
    @pytest.mark.parametrize(
        ("event", "written"),
        [
            pytest.param(Event("", {"a": 1}), b'data: {"a":1}\n\n', id="no name"),
            pytest.param(Event("a.b", {}), b"event: a.b\ndata: {}\n\n", id="named"),
        ],
    )
    def test_an_event_is_written_as_it_is_read(self, event: Event, written: bytes) -> None:
        assert event.encode() == written

    @steady
    @given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none()))
    def test_no_text_ends_an_event_early(self, data: dict[str, object]) -> None:
        (event,) = framed(Event("name", data).encode())
        assert (event.name, json.loads(event.data)) == (b"name", data)
