"""What every stream's reading has in common, by a schema of one word an event."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamRejected
from gateway.core.fault import CallerFault, ProtocolFault
from gateway.wire import events
from gateway.wire.events import RawEvent
from gateway.wire.reading import UNREADABLE, Reading
from tests.wire.steady import steady

FAILURES: dict[bytes, Exception] = {
    b"KeyError": KeyError("x"),
    b"IndexError": IndexError(0),
    b"TypeError": TypeError("x"),
    b"ValueError": ValueError("x"),
    b"UnicodeError": UnicodeError("x"),
    b"AttributeError": AttributeError("x"),
    b"RecursionError": RecursionError("x"),
    b"ProtocolFault": ProtocolFault(),
    b"CallerFault": CallerFault(UpstreamRejected(400, "no", "invalid_request_error", None, None)),
}


class Words(Reading):
    """`good` and `last` are events, `error` is one, and the others are what reading them raises.

    `close_with` is what the end of the body means to a stream that has not ended.
    """

    def __init__(self, close_with: bytes | Exception = b"") -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self._close_with = close_with

    def event(self, event: RawEvent) -> bytes:
        word = event.data.removeprefix(b'{"is":"').removesuffix(b'"}')
        self.seen.append(word)
        match word:
            case b"":
                return event.raw
            case b"error":
                return self.break_off(word, b"<error>")
            case b"good":
                self.started = True
                self.events += 1
                return event.raw
            case b"last":
                self.started = True
                self.complete()
                return event.raw
        raise FAILURES[word]

    def close(self) -> bytes:
        if isinstance(self._close_with, Exception):
            raise self._close_with
        return self._close_with

    def unreadable(self) -> bytes:
        return self.break_off(b"{}", b"<unreadable>")


def stream(*words: bytes) -> bytes:
    return b"".join(b'data: {"is":"%b"}\n\n' % word for word in words)


Facts = tuple[bool, bytes | None, bool, bool, bool, int]


def facts(reading: Reading) -> Facts:
    return reading.started, reading.error, reading.done, reading.failed, reading.over, reading.events


GOOD = stream(b"good")
NOTHING: Facts = (False, None, False, False, False, 0)


class TestFacts:
    def test_at_first_there_are_none(self) -> None:
        reading = Words()
        assert facts(reading) == NOTHING
        assert (reading.usage, reading.usage_invalid, reading.appended_done) == (None, False, False)
        assert reading.at_boundary
        assert not reading.is_ended()

    @pytest.mark.parametrize(
        ("words", "told", "found"),
        [
            pytest.param([b"good"], GOOD, (True, None, False, False, False, 1), id="begun"),
            pytest.param([b"good", b"good"], 2 * GOOD, (True, None, False, False, False, 2), id="under way"),
            pytest.param([b"good", b"last"], GOOD + stream(b"last"), (True, None, True, False, True, 1), id="whole"),
            pytest.param([b"last"], stream(b"last"), (True, None, True, False, True, 0), id="whole at once"),
            pytest.param([b"last", b"good"], stream(b"last"), (True, None, True, False, True, 0), id="more after it"),
            pytest.param([b"last", b"error"], stream(b"last"), (True, None, True, False, True, 0), id="error after it"),
            pytest.param([b"error"], b"", (False, b"error", False, False, False, 0), id="error at first"),
            pytest.param([b"error", b"good"], b"", (False, b"error", False, False, False, 0), id="good after an error"),
            pytest.param([b"error", b"last"], b"", (False, b"error", False, False, False, 0), id="end after an error"),
            pytest.param([b"good", b"error"], GOOD + b"<error>", (True, None, False, True, True, 1), id="error later"),
            pytest.param(
                [b"good", b"error", b"last"],
                GOOD + b"<error>",
                (True, None, False, True, True, 1),
                id="end after later",
            ),
        ],
    )
    def test_a_stream_has_the_same_facts_in_one_read_and_in_many(
        self, words: list[bytes], told: bytes, found: Facts
    ) -> None:
        for reads in ([stream(*words)], [stream(word) for word in words], [bytes([one]) for one in stream(*words)]):
            reading = Words()
            assert b"".join([*map(reading.feed, reads), reading.end()]) == told
            assert facts(reading) == found

    def test_nothing_is_looked_at_once_it_is_over(self) -> None:
        reading = Words()
        reading.feed(stream(b"good", b"last", b"good"))
        assert (reading.feed(GOOD), reading.end()) == (b"", b"")
        assert reading.seen == [b"good", b"last"]

    def test_nothing_is_looked_at_after_an_error_that_came_first(self) -> None:
        reading = Words()
        reading.feed(stream(b"error", b"good"))
        assert (reading.feed(GOOD), reading.end()) == (b"", b"")
        assert reading.seen == [b"error"]

    def test_no_read_passes_unread(self) -> None:
        reading = Words()
        reading.feed(GOOD)
        assert not reading.repeats(GOOD)


class TestBeforeTheFirst:
    @pytest.mark.parametrize("cut", range(len(b": hello\n\n" + GOOD)))
    def test_nothing_is_passed_on_wherever_it_is_cut(self, cut: int) -> None:
        reading, whole = Words(), b": hello\n\n" + GOOD
        assert reading.feed(whole[:cut]) == b""
        assert facts(reading) == NOTHING
        assert reading.feed(whole[cut:]) == GOOD

    def test_comments_alone_are_no_beginning(self) -> None:
        reading = Words()
        reading.feed(b": hello\n\n: still here\n\n")
        assert reading.end() == b""
        assert facts(reading) == NOTHING


@pytest.mark.parametrize("word", [pytest.param(word, id=word.decode()) for word in FAILURES])
class TestUnreadable:
    def test_what_reading_raises_is_known(self, word: bytes) -> None:
        assert isinstance(FAILURES[word], UNREADABLE)

    def test_before_the_first_good_event_it_is_an_error(self, word: bytes) -> None:
        reading = Words()
        assert reading.feed(stream(word, b"good")) == b""
        assert facts(reading) == (False, b"{}", False, False, False, 0)

    def test_after_it_the_stream_fails(self, word: bytes) -> None:
        reading = Words()
        assert reading.feed(stream(b"good", word, b"last")) == GOOD + b"<unreadable>"
        assert facts(reading) == (True, None, False, True, True, 1)

    def test_as_the_last_event_without_its_blank_line_too(self, word: bytes) -> None:
        reading = Words()
        assert reading.feed(GOOD + stream(word)[:-2]) == GOOD
        assert reading.end() == b"<unreadable>"
        assert facts(reading) == (True, None, False, True, True, 1)

    def test_an_end_that_makes_no_sense_is_a_failure(self, word: bytes) -> None:
        reading = Words(close_with=FAILURES[word])
        reading.feed(GOOD)
        assert reading.end() == b"<unreadable>"
        assert facts(reading) == (True, None, False, True, True, 1)

    def test_an_end_that_makes_no_sense_before_anything_came_is_an_error(self, word: bytes) -> None:
        reading = Words(close_with=FAILURES[word])
        assert reading.end() == b""
        assert facts(reading) == (False, b"{}", False, False, False, 0)


def test_a_programming_error_is_not_taken_for_the_providers() -> None:
    class Wrong(Words):
        def event(self, event: RawEvent) -> bytes:
            raise NotImplementedError

    with pytest.raises(NotImplementedError):
        Wrong().feed(GOOD)


class TestTheEnd:
    def test_the_last_event_may_lack_its_blank_line(self) -> None:
        reading = Words()
        assert reading.feed(GOOD + stream(b"last")[:-2]) == GOOD
        assert not reading.done
        assert reading.end() == stream(b"last")
        assert reading.done

    @pytest.mark.parametrize("cut", range(1, len(stream(b"last")) - 2))
    def test_half_of_one_is_none(self, cut: int) -> None:
        reading = Words(close_with=b"<end>")
        assert reading.feed(GOOD + stream(b"last")[:cut]) == GOOD
        assert reading.end() == b"<end>"
        assert (reading.seen, reading.done) == ([b"good"], False)

    def test_words_of_the_end_follow_a_stream_that_is_not_over(self) -> None:
        reading = Words(close_with=b"<end>")
        assert reading.feed(GOOD) == GOOD
        assert reading.end() == b"<end>"

    @pytest.mark.parametrize(
        "words", [[b"good", b"last"], [b"error"], [b"good", b"error"]], ids=lambda words: words[-1]
    )
    def test_there_are_none_of_a_stream_that_is(self, words: list[bytes]) -> None:
        reading = Words(close_with=b"<end>")
        reading.feed(stream(*words))
        assert reading.end() == b""

    def test_there_are_none_if_the_last_event_ends_it(self) -> None:
        reading = Words(close_with=b"<end>")
        reading.feed(GOOD + stream(b"last")[:-2])
        assert reading.end() == stream(b"last")


class TestTooLarge:
    SIZE = events.MAX_EVENT // 8

    def test_a_first_event_is_an_error(self) -> None:
        reading = Words()
        for _ in range(9):
            assert reading.feed(b"x" * self.SIZE) == b""
        assert facts(reading) == (False, b"{}", False, False, False, 0)

    def test_a_later_one_ends_the_stream(self) -> None:
        reading = Words()
        reading.feed(GOOD)
        assert b"".join(reading.feed(b"x" * self.SIZE) for _ in range(9)) == b"<unreadable>"
        assert facts(reading) == (True, None, False, True, True, 1)
        assert reading.feed(b"\n\n" + GOOD) == b""


@steady
@given(
    st.lists(st.sampled_from([b"good", b"error", b"last", *FAILURES]), max_size=8),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_the_order_of_the_facts_is_always_the_same(words: list[bytes], cuts: list[int]) -> None:
    whole, reading = stream(*words), Words()
    at = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    told, known = b"", facts(reading)
    for start, end in itertools.pairwise(at):
        told += reading.feed(whole[start:end])
        started, error, done, failed, over, count = facts(reading)
        assert known[0] <= started
        assert known[5] <= count
        assert known[1] is None or error == known[1]
        assert not (error is not None and started)
        assert over == (done or failed)
        assert not (done and failed)
        assert started or not told
        known = facts(reading)
    told += reading.end()
    once = Words()
    assert told == once.feed(whole) + once.end()
    assert facts(reading) == facts(once)
