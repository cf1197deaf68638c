"""Messages passed on as they are: the bytes, the facts, and what providers really sent."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Endpoint
from gateway.core.errors import StreamFailed
from gateway.core.fault import (
    Fault,
)
from gateway.core.outcome import Usage
from gateway.wire.anthropic_native import Anthropic, MessageStream
from gateway.wire.door import DOORS
from gateway.wire.events import Framing
from gateway.wire.pair import Outgoing
from tests.recordings import recorded
from tests.wire.steady import steady

MESSAGES = Anthropic("/messages")
MESSAGES_DOOR = DOORS[Endpoint.MESSAGES]
SENT = Outgoing(b"")
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def event(kind: str, **members: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **members}).encode())


def begun(**usage: int) -> bytes:
    return event("message_start", message={"id": "m", "usage": usage})


def ended(reason: str | None = "end_turn", **members: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": reason}, **members)


START = begun(input_tokens=7, output_tokens=1, cache_read_input_tokens=2)
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Grüß"})
PING = event("ping")
WHOLE = b"".join(
    [
        START,
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        PING,
        TEXT,
        TEXT,
        event("content_block_stop", index=0),
        ended(usage={"output_tokens": 5}),
        STOP,
    ]
)
ERROR = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def read(*reads: bytes) -> tuple[bytes, MessageStream]:
    stream = MessageStream()
    return b"".join([*map(stream.feed, reads), stream.end()]), stream


def facts(stream: MessageStream) -> tuple[object, ...]:
    return (stream.started, stream.error, stream.done, stream.failed, stream.events, stream.usage, stream.usage_invalid)


def unnamed(stream: bytes) -> bytes:
    return b"".join(line for line in stream.splitlines(keepends=True) if not line.startswith(b"event:"))


class TestStreams:
    def test_a_whole_one_passes_as_it_came(self) -> None:
        told, stream = read(WHOLE)
        assert told == WHOLE
        assert facts(stream) == (True, None, True, False, 2, Usage(9, 5, 2), False)
        assert not stream.appended_done

    @steady
    @given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
    def test_it_does_so_wherever_it_is_cut(self, cuts: list[int]) -> None:
        pieces = [WHOLE[start:end] for start, end in itertools.pairwise([0, *sorted(cuts), len(WHOLE)])]
        told, stream = read(*pieces)
        assert told == WHOLE
        assert facts(stream) == facts(read(WHOLE)[1])

    @pytest.mark.parametrize("end", [pytest.param(b"\r\n", id="CRLF"), pytest.param(b"\r", id="CR")])
    def test_other_line_ends_are_left_as_they_are(self, end: bytes) -> None:
        given_ = WHOLE.replace(b"\n", end)
        told, stream = read(*[bytes([byte]) for byte in given_])
        assert told.rstrip(b"\r\n") == given_.rstrip(b"\r\n")
        assert stream.done

    def test_every_event_gets_the_name_that_sdks_go_by(self) -> None:
        told, stream = read(unnamed(WHOLE))
        assert told == WHOLE
        assert stream.done

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            pytest.param("some_new_event", b"some_new_event", id="new"),
            pytest.param("", b"message", id="none"),
            pytest.param("a\nb", b"message", id="a line end"),
            pytest.param("a b", b"message", id="a blank"),
            pytest.param("é", b"message", id="not ASCII"),
        ],
    )
    def test_a_name_is_made_of_what_may_be_one(self, kind: str, name: bytes) -> None:
        told, _ = read(START, b"data: " + json.dumps({"type": kind}).encode() + b"\n\n")
        assert told.removeprefix(START).startswith(b"event: " + name + b"\ndata:")

    def test_unknown_events_and_comments_pass(self) -> None:
        more = event("some_new_event", what=[1]) + b": hello\n\n"
        told, stream = read(START + more + TEXT)
        assert told == START + more + TEXT
        assert stream.events == 1

    def test_content_passes_unread(self) -> None:
        odd = b"event: content_block_delta\ndata: {not json\n\n"
        assert read(START, odd)[0] == START + odd

    def test_nothing_is_passed_after_its_end(self) -> None:
        assert read(WHOLE + PING, WHOLE)[0] == WHOLE

    @pytest.mark.parametrize(
        ("stream", "error"),
        [
            pytest.param(ERROR + START, ERROR, id="an error"),
            pytest.param(b"data: [DONE]\n\n", b"data: {}", id="another schema's end"),
            pytest.param(b"data: {\n\n", b"data: {}", id="half an object"),
            pytest.param(b'data: {"type":7}\n\n', b"data: {}", id="a number for a type"),
        ],
    )
    def test_a_bad_first_event_is_an_error_and_nothing_is_passed(self, stream: bytes, error: bytes) -> None:
        told, reading = read(stream)
        ((found,),) = [Framing().feed(error.partition(b"\n\n")[0] + b"\n\n")]
        assert (told, reading.error, reading.started) == (b"", found.data, False)

    def test_the_first_good_event_is_the_messages_start(self) -> None:
        stream = MessageStream()
        assert stream.feed(PING) == b""
        assert not stream.started
        stream.feed(START)
        assert stream.started

    def test_an_error_later_is_its_last_event(self) -> None:
        told, stream = read(START + TEXT + ERROR + TEXT + STOP)
        assert told == START + TEXT + ERROR
        assert facts(stream) == (True, None, False, True, 1, None, False)

    def test_an_error_later_without_its_name_is_one_too(self) -> None:
        told, stream = read(START + unnamed(ERROR) + STOP)
        assert stream.failed
        assert told.startswith(START)

    def test_what_cant_be_read_later_ends_it(self) -> None:
        told, stream = read(START + b"data: {\n\n" + STOP)
        assert told == START + MESSAGES_DOOR.error_event(StreamFailed())
        assert (stream.failed, stream.done) == (True, False)


class TestEnds:
    @pytest.mark.parametrize("count", range(WHOLE.count(b"\n\n") - 1))
    def test_a_stream_cut_short_is_whole_only_with_its_stop_reason(self, count: int) -> None:
        events = [one + b"\n\n" for one in WHOLE.split(b"\n\n")[:-1]]
        told, stream = read(*events[:count])
        is_stopped = count == len(events) - 1
        assert told == b"".join(events[:count]) + (STOP if is_stopped else b"")
        assert (stream.done, stream.appended_done) == (is_stopped, is_stopped)
        assert not stream.failed

    def test_the_last_event_may_lack_its_blank_line(self) -> None:
        told, stream = read(WHOLE[:-2])
        assert told == WHOLE
        assert (stream.done, stream.appended_done) == (True, False)

    def test_half_a_last_event_is_no_end(self) -> None:
        told, stream = read(WHOLE[: -len(b'stop"}\n\n')])
        assert told == WHOLE
        assert (stream.done, stream.appended_done) == (True, True)
        half = WHOLE[: WHOLE.index(b'"end_turn"')]
        assert not read(half)[1].done

    def test_a_delta_without_a_reason_is_no_end(self) -> None:
        told, stream = read(START + ended(None))
        assert (told, stream.done) == (START + ended(None), False)

    def test_an_empty_body_is_nothing(self) -> None:
        assert facts(read()[1]) == (False, None, False, False, 0, None, False)


class TestUsage:
    @pytest.mark.parametrize(
        ("start", "last", "usage", "invalid"),
        [
            pytest.param({"input_tokens": 3}, {"output_tokens": 4}, Usage(3, 4), False, id="both"),
            pytest.param({"input_tokens": 3, "output_tokens": 9}, {"output_tokens": 4}, Usage(3, 4), False, id="later"),
            pytest.param({"input_tokens": 3}, {"input_tokens": 5, "output_tokens": 4}, Usage(5, 4), False, id="more"),
            pytest.param(
                {"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 20},
                {"output_tokens": 4},
                Usage(33, 4, 20),
                False,
                id="cache",
            ),
            pytest.param({}, {"input_tokens": 5, "output_tokens": 4}, Usage(5, 4), False, id="only at the end"),
            pytest.param({"input_tokens": 3}, None, Usage(3, 0), False, id="only at the start"),
            pytest.param({}, {"output_tokens": 4}, None, True, id="half of it"),
            pytest.param({"input_tokens": -3}, {"output_tokens": 4}, None, True, id="negative"),
            pytest.param({"input_tokens": 3}, {"output_tokens": 10**9}, None, True, id="absurd"),
            pytest.param({"input_tokens": 3}, "much", None, True, id="a text"),
            pytest.param({}, None, None, False, id="none"),
        ],
    )
    def test_it_is_that_of_the_start_and_of_the_end(
        self, start: dict[str, int], last: object, usage: Usage | None, invalid: bool
    ) -> None:
        _, stream = read(begun(**start), ended(usage=last), STOP)
        assert (stream.usage, stream.usage_invalid) == (usage, invalid)

    def test_a_start_without_a_message_has_none(self) -> None:
        _, stream = read(event("message_start"), ended(), STOP)
        assert (stream.usage, stream.usage_invalid, stream.done) == (None, False, True)


class TestRecordings:
    """Without recordings there is nothing to look at."""

    def test_answers_pass_as_they_came_and_have_their_usage(self) -> None:
        for one in recorded("messages", stream=False):
            usage, body = MESSAGES.read_answer(one.body, SENT)
            told = json.loads(one.body)["usage"]
            assert body == one.body
            assert usage is not None
            assert usage.completion == told["output_tokens"]

    def test_streams_pass_as_they_came_to_their_first_end_at_any_cut(self) -> None:
        for one in recorded("messages", stream=True):
            end = one.body.find(b"event: message_stop")
            events = Framing().feed(one.body[end:] + b"\n\n")
            expected = one.body[:end] + events[0].raw
            for step in (len(one.body), 997, 64):
                told, stream = read(*[one.body[at : at + step] for at in range(0, len(one.body), step)])
                assert told.rstrip(b"\r\n") == expected.rstrip(b"\r\n"), one.id
                assert (stream.done, stream.failed, stream.appended_done) == (True, False, False), one.id
                assert stream.usage is not None, one.id
                assert stream.events == told.count(b"event: content_block_delta"), one.id

    def test_streams_without_their_names_get_them_back(self) -> None:
        for one in recorded("messages", stream=True):
            told = [(event.name, event.data) for event in Framing().feed(read(unnamed(one.body))[0])]
            assert told == [(event.name, event.data) for event in Framing().feed(read(one.body)[0])], one.id

    def test_errors_are_faults(self) -> None:
        for stream in (True, False):
            for one in recorded("messages", stream=stream, ok=False):
                assert isinstance(MESSAGES.read_failure(one.status, one.body), Fault)


@steady
@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    for reads in ([body], [START, body], [START, b"data: " + body + b"\n\n"]):
        _, stream = read(*reads)
        assert not (stream.done and stream.failed)
    try:
        MESSAGES.read_answer(body, SENT)
    except Fault:
        return
    assert isinstance(json.loads(body), dict)
