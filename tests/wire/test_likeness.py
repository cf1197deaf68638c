"""An event that is known by its likeness is one that reading it would have passed on untouched."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.wire.framing import ChunkedBody
from gateway.wire.likeness import MAX_STRIKES, Likeness
from gateway.wire.sse import EventStream

HEAD = b'data: {"id":"c-1","choices":[{"index":0,"delta":{"content":"'
TAIL = b'"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'


def event(text: bytes) -> bytes:
    return HEAD + text + TAIL


def framed(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def taught(*texts: bytes) -> Likeness:
    likeness = Likeness()
    for text in texts or (b"Hello",):
        likeness.learn(event(text))
    return likeness


@pytest.mark.parametrize("text", [b"", b" world", b"\\n\\t", b"caf\xc3\xa9", b"}]}", b"x" * 5000, b"error", b"[DONE]"])
def test_the_same_with_another_text_fits(text: bytes) -> None:
    assert taught().fits(framed(event(text)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(event(b"x"), id="no framing"),
        pytest.param(framed(event(b"x")) + b"0\r\n\r\n", id="the end behind it"),
        pytest.param(framed(event(b"x")) * 2, id="two chunks"),
        pytest.param(framed(event(b"x"))[:-1], id="not all of it"),
        pytest.param(b"0" + framed(event(b"x")), id="a leading zero"),
        pytest.param(framed(event(b"x") * 2), id="two events"),
        pytest.param(framed(event(b'x"},"finish_reason":"stop"},{"delta":{"content":"')), id="a finish reason inside"),
        pytest.param(framed(event(b"x\n\ndata: [DONE]\n\n")), id="an end inside"),
        pytest.param(framed(event(b"x\rdata: y")), id="a line end inside"),
        pytest.param(framed(HEAD + TAIL[1:]), id="the ends overlap"),
        pytest.param(framed(HEAD[:-1] + TAIL), id="another beginning"),
        pytest.param(framed(event(b"x").replace(b'"usage":null', b'"usage":{}')), id="another end"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_anything_else_does_not(data: bytes) -> None:
    assert not taught(b"a").fits(data)


def test_nothing_fits_before_it_was_learnt_or_after_it_was_forgotten() -> None:
    likeness = Likeness()
    assert not likeness.fits(framed(event(b"x")))
    likeness.learn(event(b"x"))
    likeness.forget()
    assert not likeness.fits(framed(event(b"x")))


def test_an_event_with_a_quote_in_its_text_teaches_nothing() -> None:
    assert taught(b"a", b'say \\"b\\"').fits(framed(event(b"c")))


@pytest.mark.parametrize(("learnt", "known"), [(MAX_STRIKES, True), (MAX_STRIKES + 1, False)])
def test_streams_whose_events_always_differ_are_given_up_on(learnt: int, known: bool) -> None:
    likeness = Likeness()
    for number in range(learnt):
        last = b'data: {"n":%d,"choices":[{"delta":{"content":"x"}}]}\n\n' % number
        likeness.learn(last)
    assert likeness.fits(framed(last)) is known


def test_one_that_fits_makes_up_for_those_that_did_not() -> None:
    likeness = Likeness()
    for number in range(3 * MAX_STRIKES):
        likeness.learn(b'data: {"created":%d,"choices":[{"delta":{"content":"x"}}]}\n\n' % number)
        assert likeness.fits(framed(b'data: {"created":%d,"choices":[{"delta":{"content":"y"}}]}\n\n' % number))


PIECES = st.sampled_from(
    (
        b'"',
        b"\\",
        b"\n",
        b"\r",
        b"}",
        b"{",
        b",",
        b":",
        b" ",
        b"x",
        b"error",
        b"data: ",
        b"[DONE]",
        HEAD,
        TAIL,
        b'"finish_reason":"stop"',
        b'"usage":{"prompt_tokens":1}',
        b'"error"',
        b'"finish_reason"',
    )
)


@given(st.lists(PIECES, max_size=8).map(b"".join), st.lists(PIECES, max_size=4).map(b"".join))
@example(b"error", b"")
@example(b'finish_reason":"', b"")
def test_what_fits_is_what_reading_it_passes_on_as_it_came(text: bytes, end: bytes) -> None:
    data = framed(event(text)) if not end else framed(event(text) + end)
    if not taught().fits(data):
        return
    body, stream = ChunkedBody(), EventStream(drop_usage=True)
    payload = body.feed(data)
    assert body.whole
    stream.feed(event(b"first"))
    assert stream.feed(payload) == payload
    assert (stream.events, stream.finished, stream.over, stream.usage) == (2, False, False, None)
