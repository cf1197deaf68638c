"""Every row of the streaming rules, each cut in two at every byte, fed byte by byte, and cut at random."""

import time
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.outcome import Usage
from gateway.wire.sse import HOLD, EventStream

HEL = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}\n\n'
LO = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"lo \xf0\x9f\x91\x8b"}}]}\n\n'
LAST = b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"id":"1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}\n\n'
ERROR = b'{"error":{"message":"it broke","type":"server_error","param":null,"code":null}}'
DONE = b"data: [DONE]\n\n"
BOM = b"\xef\xbb\xbf"
SEVEN_TWO = Usage(7, 2)


@dataclass(frozen=True)
class Reading:
    """What a stream came to; by default that of a complete one of three events."""

    out: bytes
    events: int = 3
    started: bool = True
    finished: bool = True
    done: bool = True
    appended_done: bool = False
    failed: bool = False
    error: bytes | None = None
    usage: Usage | None = None
    usage_invalid: bool = False


def read(reads: list[bytes], *, drop_usage: bool = True) -> Reading:
    """As an attempt and then a pipe do: nothing more is fed after an error in the place of an answer."""
    stream = EventStream(drop_usage=drop_usage)
    out = b""
    for data in reads:
        out += stream.feed(data)
        if stream.error is not None:
            break
    else:
        out += stream.end()
    return Reading(
        out,
        stream.events,
        stream.started,
        stream.finished,
        stream.done,
        stream.appended_done,
        stream.failed,
        stream.error,
        stream.usage,
        stream.usage_invalid,
    )


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(place % (len(stream) + 1) for place in at)})
    return [stream[a:b] for a, b in pairwise(places)]


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]


def crlf(stream: bytes) -> bytes:
    return stream.replace(b"\n", b"\r\n")


def cr(stream: bytes) -> bytes:
    return stream.replace(b"\n", b"\r")


def same_at_every_cut(stream: bytes, expected: Reading, *, drop_usage: bool = True) -> None:
    assert read([stream], drop_usage=drop_usage) == expected
    for at in range(1, len(stream)):
        assert read([stream[:at], stream[at:]], drop_usage=drop_usage) == expected, f"cut at {at}"
    assert read(one_by_one(stream), drop_usage=drop_usage) == expected, "byte by byte"


MULTI = b'data: {"choices":\ndata: [{"delta":\ndata: {}}]}\n\n'
WITH_CHOICES = LAST.replace(b"}]}", b'}],"usage":{"prompt_tokens":7,"completion_tokens":2}}')
NULLS = [event.replace(b"}\n\n", b',"usage":null}\n\n') for event in (HEL, LO, LAST)]
SPACED = [event.replace(b":", b": ").replace(b"data:  ", b"data: ") for event in (HEL, LO, LAST, USAGE)]
GARBAGE = [
    b"data: {not json\n\n",
    b"data: \xff\xfe\xc3(\n\n",
    b"a line without a colon\n\n",
    b"event: odd\nid: 1\nretry: 10\ndata: []\n\n",
    b"data: 1e999\n\n",
    b'data: {"choices":7,"usage":[],"error":null}\n\n',
]
TALK = (
    rb'data: {"choices":[{"delta":{"content":"data: [DONE]\n\n \"usage\": {\"prompt_tokens\": 1} \"error\": 1'
    rb' \"finish_reason\":\"stop\" "}}]}' + b"\n\n"
)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(HEL + LO + LAST + DONE, Reading(HEL + LO + LAST + DONE), id="ordinary"),
        pytest.param(BOM + HEL + LO + LAST + DONE, Reading(HEL + LO + LAST + DONE), id="BOM is stripped"),
        pytest.param(
            crlf(HEL + LO + LAST), Reading(crlf(HEL + LO + LAST) + DONE, appended_done=True), id="CRLF line ends"
        ),
        pytest.param(
            BOM + crlf(HEL + LO + LAST), Reading(crlf(HEL + LO + LAST) + DONE, appended_done=True), id="BOM and CRLF"
        ),
        pytest.param(cr(HEL + LO + LAST) + DONE, Reading(cr(HEL + LO + LAST) + DONE), id="CR line ends"),
        pytest.param(
            crlf(HEL + LO + LAST + DONE),
            Reading(crlf(HEL + LO + LAST + DONE)),
            id="CRLF to the end",
        ),
        pytest.param(
            (HEL + LO + LAST + DONE).replace(b"data: ", b"data:"),
            Reading((HEL + LO + LAST + DONE).replace(b"data: ", b"data:")),
            id="no space to the end",
        ),
        pytest.param(
            HEL + LO + LAST + b": ping\n" + DONE,
            Reading(HEL + LO + LAST + b": ping\n" + DONE),
            id="a ping right before DONE",
        ),
        pytest.param(
            (HEL + LO + LAST).replace(b"data: ", b"data:") + DONE,
            Reading((HEL + LO + LAST).replace(b"data: ", b"data:") + DONE),
            id="data without a space",
        ),
        pytest.param(
            b": hi\n\n:\n\n" + HEL + b": ping\n" + LO + b":\n\n" + LAST + b": bye\n\n" + DONE,
            Reading(b": hi\n\n:\n\n" + HEL + b": ping\n" + LO + b":\n\n" + LAST + b": bye\n\n" + DONE),
            id="comments, also before the first event",
        ),
        pytest.param(
            b"retry: 9\n\n" + HEL + b"id: 7\n\n" + b"event: message\nid: 8\n" + LO + LAST + DONE,
            Reading(b"retry: 9\n\n" + HEL + b"id: 7\n\n" + b"event: message\nid: 8\n" + LO + LAST + DONE),
            id="id, retry and event lines",
        ),
        pytest.param(MULTI + LO + LAST + DONE, Reading(MULTI + LO + LAST + DONE), id="data of several lines"),
        pytest.param(
            HEL + b"\n\n" + LO + b"\n" + LAST + DONE,
            Reading(HEL + b"\n\n" + LO + b"\n" + LAST + DONE),
            id="more blank lines than needed",
        ),
        pytest.param(b"".join(NULLS) + DONE, Reading(b"".join(NULLS) + DONE), id="usage null on every chunk"),
        pytest.param(
            HEL + LO + WITH_CHOICES + DONE,
            Reading(HEL + LO + WITH_CHOICES + DONE, usage=SEVEN_TWO),
            id="usage in a chunk with choices stays",
        ),
        pytest.param(
            HEL + LO + LAST + USAGE + DONE, Reading(HEL + LO + LAST + DONE, usage=SEVEN_TWO), id="usage chunk dropped"
        ),
        pytest.param(
            b"".join(SPACED) + DONE, Reading(b"".join(SPACED[:3]) + DONE, usage=SEVEN_TWO), id="JSON with blanks"
        ),
        pytest.param(
            HEL + LO + LAST + crlf(USAGE).replace(b',"usage"', b',\r\ndata: "usage"') + DONE,
            Reading(HEL + LO + LAST + DONE, usage=SEVEN_TWO),
            id="usage chunk of two lines dropped",
        ),
        pytest.param(
            HEL + LO + LAST + USAGE.replace(b'"prompt_tokens":7', b'"prompt_tokens":-7') + DONE,
            Reading(HEL + LO + LAST + DONE, usage_invalid=True),
            id="usage that makes no sense",
        ),
        pytest.param(
            HEL + USAGE.replace(b":7", b":6") + LO + LAST + USAGE + DONE,
            Reading(HEL + LO + LAST + DONE, usage=SEVEN_TWO),
            id="usage twice: the last counts",
        ),
        pytest.param(HEL + LO + LAST + DONE[:-1], Reading(HEL + LO + LAST + DONE), id="DONE with a single newline"),
        pytest.param(HEL + LO + LAST + DONE[:-2], Reading(HEL + LO + LAST + DONE), id="DONE with no newline"),
        pytest.param(HEL + LO + LAST, Reading(HEL + LO + LAST + DONE, appended_done=True), id="no DONE: appended"),
        pytest.param(
            HEL + LO + LAST + USAGE,
            Reading(HEL + LO + LAST + DONE, appended_done=True, usage=SEVEN_TWO),
            id="usage, no DONE: appended",
        ),
        pytest.param(
            HEL + LO + LAST[:-1],
            Reading(HEL + LO + LAST + DONE, appended_done=True),
            id="last event with a single newline",
        ),
        pytest.param(
            HEL + LO + LAST[:-2],
            Reading(HEL + LO + LAST + DONE, appended_done=True),
            id="last event with no newline",
        ),
        pytest.param(
            HEL + LO + HEL, Reading(HEL + LO + HEL, finished=False, done=False), id="neither reason nor DONE: not done"
        ),
        pytest.param(HEL + LO + LO + DONE, Reading(HEL + LO + LO + DONE, finished=False), id="DONE without a reason"),
        pytest.param(
            HEL + LO + LAST[:40],
            Reading(HEL + LO, events=2, finished=False, done=False),
            id="half an event is never passed on",
        ),
        pytest.param(HEL + LO + LAST + DONE + LO + DONE, Reading(HEL + LO + LAST + DONE), id="data after DONE dropped"),
        pytest.param(
            HEL + b"data: " + ERROR + b"\n\n",
            Reading(HEL + b"data: " + ERROR + b"\n\n", 2, finished=False, done=False, failed=True),
            id="error in the middle",
        ),
        pytest.param(
            HEL + b'data: {"error":"it broke"}\n\n' + DONE,
            Reading(HEL + b'data: {"error":"it broke"}\n\n', 2, finished=False, done=False, failed=True),
            id="error text in the middle, and DONE",
        ),
        pytest.param(
            b'data: {"error":null,"choices":[]}\n\n' + LO + LAST + DONE,
            Reading(b'data: {"error":null,"choices":[]}\n\n' + LO + LAST + DONE),
            id="error null is none",
        ),
        pytest.param(
            HEL + b"".join(GARBAGE) + LAST + DONE,
            Reading(HEL + b"".join(GARBAGE) + LAST + DONE, events=7),
            id="garbage passes as it came",
        ),
        pytest.param(
            GARBAGE[0] + LO + LAST + DONE, Reading(GARBAGE[0] + LO + LAST + DONE), id="garbage as the first event"
        ),
        pytest.param(
            HEL + TALK + LO, Reading(HEL + TALK + LO, finished=False, done=False), id="content that talks about events"
        ),
        pytest.param(
            TALK + TALK + LAST + DONE, Reading(TALK + TALK + LAST + DONE), id="content that talks, as the first event"
        ),
    ],
)
def test_a_stream_reads_the_same_at_every_cut(stream: bytes, expected: Reading) -> None:
    same_at_every_cut(stream, expected)


@pytest.mark.parametrize("cut", [b'"choices"', b'"usage"'])
def test_data_of_several_lines_is_read_as_one(cut: bytes) -> None:
    """A line may end between a key and its colon."""
    usage = USAGE.replace(cut, cut + b"\ndata: ")
    same_at_every_cut(HEL + LO + LAST + usage + DONE, Reading(HEL + LO + LAST + DONE, usage=SEVEN_TWO))


def test_the_usage_chunk_stays_for_a_client_that_asked() -> None:
    stream = HEL + LO + LAST + USAGE + DONE
    same_at_every_cut(stream, Reading(stream, usage=SEVEN_TWO), drop_usage=False)


@pytest.mark.parametrize(
    ("before", "data"),
    [
        pytest.param(b"", ERROR, id="object"),
        pytest.param(b"", b'{"error":"no such model"}', id="text"),
        pytest.param(b": wait\n\n", ERROR, id="after a comment"),
        pytest.param(BOM, ERROR, id="after a BOM"),
        pytest.param(b"event: error\n", ERROR, id="of a named event"),
    ],
)
def test_an_error_first_is_a_fact_and_nothing_of_it_is_passed_on(before: bytes, data: bytes) -> None:
    nothing = Reading(b"", 0, started=False, finished=False, done=False, error=data)
    same_at_every_cut(before + b"data: " + data + b"\n\n" + DONE, nothing)


@pytest.mark.parametrize("stream", [b"", b": ping\n\n" * 9, b"id: 1\n\nretry: 5\n\n", b"data:\n\n", b"data: {", BOM])
def test_nothing_is_passed_on_before_a_first_event(stream: bytes) -> None:
    same_at_every_cut(stream, Reading(b"", 0, started=False, finished=False, done=False))


def test_done_alone_is_no_good_event() -> None:
    same_at_every_cut(DONE, Reading(b"", 0, started=False, finished=False))


def test_comments_before_the_first_event_are_kept_up_to_a_bound() -> None:
    comment = b": wait\n\n"
    reading = read([comment] * HOLD + [HEL, LAST, DONE])
    assert len(comment) < len(reading.out) <= HOLD + len(HEL + LAST + DONE)
    assert reading.out.endswith(HEL + LAST + DONE)


def started() -> EventStream:
    stream = EventStream(drop_usage=True)
    assert stream.feed(HEL) == HEL
    return stream


class TestIdentity:
    """The same object back means: the HTTP chunk that it came in may be passed on as it is."""

    @pytest.mark.parametrize("chunk", [LO, HEL + LO, NULLS[0], LO + b": ping\n\n" + HEL], ids=len)
    def test_ordinary_whole_events_are_given_back_as_they_are(self, chunk: bytes) -> None:
        stream = started()
        assert stream.feed(chunk) is chunk
        assert stream.feed(chunk) is chunk

    def test_an_event_that_continues_another_is_not_taken_for_whole(self) -> None:
        stream = started()
        assert stream.feed(b"event: x\n") == b""
        assert stream.feed(LO) == b"event: x\n" + LO

    def test_nothing_is_given_back_after_done(self) -> None:
        stream = started()
        assert stream.feed(DONE) == DONE
        assert stream.feed(LO) == b""


@pytest.mark.parametrize(
    ("chunk", "count"),
    [
        pytest.param(HEL + LO, 2, id="two"),
        pytest.param(MULTI + LO, 2, id="several lines"),
        pytest.param(HEL + b": ping\n\n" + LO, 2, id="a comment between"),
        pytest.param(HEL + b"\n\n" + LO, 2, id="blank lines between"),
        pytest.param(HEL + b": ping\n" + LO, 2, id="a comment line in front"),
        pytest.param(HEL + b"event: message\n" + LO, 2, id="an event line in front"),
        pytest.param(HEL + b"data:\n\n" + LO, 2, id="empty data between"),
        pytest.param(HEL.replace(b"\n", b"\r") + LO, 2, id="CR line ends in front"),
    ],
)
def test_events_that_arrive_together_count_as_many_as_one_by_one(chunk: bytes, count: int) -> None:
    alone, together = started(), started()
    for byte in one_by_one(chunk):
        alone.feed(byte)
    together.feed(chunk)
    assert (alone.events, together.events) == (1 + count, 1 + count)


@pytest.mark.parametrize("between", [b' : "', b':  "', b':\t"'])
def test_a_finish_reason_is_seen_however_the_json_is_spaced(between: bytes) -> None:
    reading = read([HEL, LAST.replace(b'reason":"', b'reason"' + between)])
    assert reading.finished


@pytest.mark.parametrize(
    "event",
    [
        b"data: " + ERROR + b"\n\n",
        b"data:" + ERROR + b"\n\n",
        b'data: {"error": "it broke"}\n\n',
        b"event: error\ndata: " + ERROR + b"\n\n",
        b'data: { "error": "it broke"}\n\n',
        b'data: {"id":"1","error":{"message":"it broke"},"choices":[]}\n\n',
    ],
    ids=repr,
)
def test_an_error_in_the_middle_is_seen_however_it_is_written(event: bytes) -> None:
    reading = read([HEL, event])
    assert reading.failed
    assert reading.out == HEL + event


class TestHold:
    """An incomplete event is held back up to 64 KB; beyond that it is passed on raw."""

    @pytest.mark.parametrize("size", [1, 1000, HOLD])
    def test_half_an_event_is_held_so_that_something_may_be_said(self, size: int) -> None:
        stream = started()
        assert stream.feed(b"x" * size) == b""
        assert stream.at_boundary
        assert stream.end() == b""

    HUGE = b"data: " + b"x" * (HOLD + 1000) + b"\n\n"

    @pytest.mark.parametrize("first", [b"", HEL], ids=["first of all", "later"])
    @pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
    def test_a_huge_event_passes_as_it_came_at_every_cut_around_its_ends(self, first: bytes, line_end: bytes) -> None:
        huge = self.HUGE.replace(b"\n", line_end)
        stream = first + huge + LO + LAST + DONE
        begins, ends = len(first), len(first + huge)
        around = [*range(begins + 1, begins + 9), *range(begins + HOLD - 5, begins + HOLD + 5)]
        for at in (*around, *range(ends - 8, ends + 8)):
            for middle in (begins + HOLD + 500, ends - 2):
                reading = read(cut(stream, [at, middle]))
                assert reading == Reading(stream, events=3 + bool(first)), at

    def test_a_huge_event_passes_as_it_came_byte_by_byte(self) -> None:
        stream = HEL + self.HUGE + LAST + DONE
        assert read(one_by_one(stream)) == Reading(stream)

    def test_nothing_may_be_said_inside_of_it_but_again_behind_it(self) -> None:
        stream = started()
        said = [stream.at_boundary]
        for piece in (self.HUGE[: HOLD + 10], self.HUGE[HOLD + 10 : -1], self.HUGE[-1:]):
            assert stream.feed(piece) == piece
            said.append(stream.at_boundary)
        assert said == [True, False, False, True]

    def test_one_that_never_ends_is_no_complete_stream(self) -> None:
        reading = read([HEL, LAST, self.HUGE[:-2]])
        assert reading.out == HEL + LAST + self.HUGE[:-2]
        assert not reading.done

    def test_no_more_is_held_than_that_and_an_event_of_megabytes_costs_no_more_than_its_bytes(self) -> None:
        """Quadratic, this would take a minute: 32,000 feeds of a tail that grows to 2 MB."""
        stream, fed, out = started(), 0, 0
        began = time.process_time()
        for _ in range(32_000):
            fed += 64
            out += len(stream.feed(b"x" * 64))
            assert fed - out <= HOLD
        assert time.process_time() - began < 2

    def test_an_event_of_many_short_lines_costs_no_more_than_its_bytes(self) -> None:
        """Linear, it is a few ms; quadratic about a second."""
        stream = started()
        began = time.process_time()
        for _ in range(2000):
            stream.feed(b"data:\n")
        assert time.process_time() - began < 0.1


WHOLE = [HEL, LO, LAST, MULTI, USAGE, TALK, WITH_CHOICES, *NULLS, *GARBAGE, *map(crlf, GARBAGE), crlf(LO), cr(HEL)]
EVENTS = st.sampled_from([*WHOLE, b": ping\n", b":\n\n", b"\n", b"id: 7\n\n", b"data: " + ERROR + b"\n\n"])
CUTS = st.lists(st.integers(0, 1 << 20), max_size=12)


@given(st.lists(EVENTS, max_size=8).map(b"".join), st.sampled_from([b"", DONE, DONE + LO]), CUTS, st.booleans())
def test_any_stream_reads_the_same_however_it_is_cut(
    stream: bytes, ending: bytes, cuts: list[int], drop_usage: bool
) -> None:
    stream += LO + ending
    expected = read([stream], drop_usage=drop_usage)
    assert read(cut(stream, cuts), drop_usage=drop_usage) == expected
    assert read(one_by_one(stream), drop_usage=drop_usage) == expected


PIECES = st.sampled_from(
    [b"data:", b"data: ", b"data", b"\n", b"\r", b"\r\n", b": c", b"x", BOM, b"\xef", b'{"choices":[]}', b'{"error":1}']
)


@given(st.lists(PIECES, max_size=20).map(b"".join), CUTS)
def test_any_bytes_read_the_same_however_they_are_cut(stream: bytes, cuts: list[int]) -> None:
    expected = read([stream])
    assert read(cut(stream, cuts)) == expected
    assert read(one_by_one(stream)) == expected
