from array import array

import pytest

from bench.stream import Chunks, Events, Malformed
from bench.upstream import DONE, EVENT, FINISH, usage_event
from gateway.simulator import LAST_CHUNK

SENT = 1_000


def stream(*numbers, told=None):
    """What the upstream sends, with these events instead of 0, 1, 2 …; `told` is how many its usage says there were."""
    events = b"".join(EVENT % (number, SENT) for number in numbers)
    return events + FINISH + usage_event(len(numbers) if told is None else told) + DONE + LAST_CHUNK


@pytest.fixture
def lags():
    return array("q")


@pytest.fixture
def events(lags):
    return Events(lags)


def test_a_whole_stream_has_no_faults_and_a_lag_for_each_event(events, lags):
    assert events.feed(stream(0, 1, 2), SENT + 7)
    assert (dict(events.faults()), list(lags), events.seen) == ({}, [7, 7, 7], 3)


@pytest.mark.parametrize("size", [1, 2, 7, 100, 311, 313, 1000])
def test_however_it_is_cut_it_is_the_same_stream(events, lags, size):
    data = stream(0, 1, 2)
    ended = [events.feed(data[at : at + size], SENT) for at in range(0, len(data), size)]
    assert ended == [False] * (len(ended) - 1) + [True]
    assert (dict(events.faults()), len(lags)) == ({}, 3)


def test_an_event_that_lies_in_two_chunks_is_one_event(events, lags):
    event = EVENT % (0, SENT)
    body = event.partition(b"\r\n")[2][:-2]
    for at in range(1, len(body)):
        cut = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:at], body[at:]))
        one = Events(lags)
        one.feed(cut, SENT)
        assert one.seen == 1
    assert len(lags) == len(body) - 1


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        pytest.param(stream(0, 2, told=3), {"lost": 1}, id="one in the middle is lost"),
        pytest.param(stream(1, 2, told=3), {"lost": 1}, id="the first is lost"),
        pytest.param(stream(0, 1, told=4), {"lost": 2}, id="the last two are lost"),
        pytest.param(stream(told=2), {"lost": 2}, id="all are lost"),
        pytest.param(stream(0, 1, 1, 2, told=3), {"duplicated": 1}, id="one comes twice"),
        pytest.param(stream(0, 1, 2, 0, told=3), {"duplicated": 1}, id="one comes again later"),
        pytest.param(stream(0, 2, 1, 3), {"reordered": 1}, id="two have changed places"),
        pytest.param(stream(0, 3, 1, told=4), {"lost": 1, "reordered": 1}, id="one is late, one is lost"),
        pytest.param(stream(0).replace(DONE, b""), {"without [DONE]": 1}, id="no [DONE]"),
        pytest.param(stream(0).replace(usage_event(1), b""), {"without usage": 1}, id="no usage"),
    ],
)
def test_what_is_wrong_with_a_stream_is_counted(events, data, faults):
    assert events.feed(data, SENT)
    assert dict(events.faults()) == faults


def test_a_stream_that_is_cut_has_not_ended(events):
    assert not events.feed(stream(0, 1)[: -len(LAST_CHUNK)], SENT)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"zz\r\nab\r\n", id="a size that is none"),
        pytest.param(b"1\r\nab\r\n", id="a chunk longer than its size"),
        pytest.param(b"0\r\n\r\nHTTP/1.1 200 OK", id="bytes after the end"),
    ],
)
def test_bytes_that_are_no_chunked_body_are_malformed(data):
    with pytest.raises(Malformed):
        Chunks().feed(data)


def test_an_event_is_one_chunk_of_a_providers_size():
    event = EVENT % (999_999, 10**18)
    [payload] = Chunks().feed(event)
    assert 290 <= len(payload) <= 350
    assert b'"finish_reason":null' in payload
    assert b'"usage":null' in payload
