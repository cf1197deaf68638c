"""What callers send and providers answer, made wrong in a few places: refused, passed on or cut off, never a crash."""

import copy
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.call import Ask, Call, Endpoint
from gateway.core.errors import Refusal
from gateway.core.fault import Fault
from gateway.core.route import Model, Target, Upstream
from gateway.wire.body import read_ask
from gateway.wire.dialect import DIALECTS
from gateway.wire.door import OPENAI
from gateway.wire.pair import Outgoing, Pair
from tests.fuzz.mutation import CUTS, FUZZ, NASTY, cut, mutated
from tests.fuzz.provider import ANSWERED, ASKED, STREAMED

Json = Any
UPSTREAM = Upstream("u", "127.0.0.1", 9, False, "/v1", api_version="2024-10-21")
TARGET = Target("m", "m", Model("m", UPSTREAM, "m"))
TRANSLATED = [
    pytest.param(endpoint, dialect, id=f"{endpoint.value} at {dialect}")
    for dialect, row in DIALECTS.items()
    for endpoint in ASKED
    if dialect != "azure" and endpoint in row.pairs
]
NO_CONTROL = re.compile(r"[^\x00-\x1f]+")
CODES = {kind.code for kind in Refusal.__subclasses__()}
HEADER = re.compile(r"[a-z][a-z0-9_.]*")
WRONG: list[Json] = [
    None, True, 0, -1, 1.5, 2**70, "", "x", "\x00\r\nx: y", "ü€\U0001f600", [], {}, [None], [[]], {"type": None},
    {"type": "x"}, {"type": "text"}, [{"type": "text", "text": None}], {"x\r\nset-cookie: a=b.c": 1},
]  # fmt: skip


def places(value: Json, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in it but itself."""
    inside: list[tuple[str | int, Json]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    return [place for key, child in inside for place in ((*at, key), *places(child, (*at, key)))]


@st.composite
def spoilt(draw: st.DrawFn, originals: list[Json], most: int = 2) -> Json:
    """One of the originals with another value, nothing, or one member more at a few of its places."""
    value = copy.deepcopy(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, most))):
        there = places(value)
        if not there:
            break
        *way, last = draw(st.sampled_from(there))
        holder = value
        for key in way:
            holder = holder[key]
        wrong = copy.deepcopy(draw(st.sampled_from(WRONG)))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                holder[last] = wrong
            case "remove":
                del holder[last]
            case _ if isinstance(holder, dict):
                holder[draw(st.sampled_from(["x", "x\r\ny: z.w", "ü.x", "cache_control", "type", "tools"]))] = wrong
            case _:
                holder.append(wrong)
    return value


def asked(endpoint: Endpoint, body: Json) -> Ask:
    """Raises a Refusal."""
    call = Call("id", "id", endpoint, 0.0, "127.0.0.1", (), None, None, 0, ())
    return read_ask(msgspec.json.encode(body), call, ())


def sent(pair: Pair, ask: Ask) -> Outgoing:
    """The request to the upstream, which names nothing that a header could not hold."""
    outgoing = pair.request(ask, TARGET)
    assert all(HEADER.fullmatch(name) for name in outgoing.dropped), outgoing.dropped
    assert isinstance(msgspec.json.decode(outgoing.body), dict)
    return outgoing


@pytest.mark.parametrize(("endpoint", "dialect"), TRANSLATED)
def test_a_request_is_sent_or_refused(endpoint: Endpoint, dialect: str) -> None:
    pair = DIALECTS[dialect].pairs[endpoint]

    @settings(FUZZ, max_examples=40)
    @given(spoilt(ASKED[endpoint]))
    def check(body: Json) -> None:
        refusal = refused(endpoint, pair, body)
        if refusal is not None:
            assert 400 <= refusal.status < 500
            error = msgspec.json.decode(OPENAI.error_body(refusal, "id"))["error"]
            assert NO_CONTROL.fullmatch(error["message"])
            assert error["code"] in CODES

    check()


def refused(endpoint: Endpoint, pair: Pair, body: Json) -> Refusal | None:
    try:
        sent(pair, asked(endpoint, body))
    except Refusal as refusal:
        return refusal
    return None


@pytest.mark.parametrize(("endpoint", "dialect"), TRANSLATED)
def test_an_answer_is_passed_on_or_a_fault(endpoint: Endpoint, dialect: str) -> None:
    pair = DIALECTS[dialect].pairs[endpoint]
    outgoing = sent(pair, asked(endpoint, ASKED[endpoint][0]))

    @settings(FUZZ, max_examples=40)
    @given(spoilt(ANSWERED[dialect]))
    def check(answer: Json) -> None:
        try:
            told = pair.read_answer(msgspec.json.encode(answer), outgoing)
        except Fault:
            return
        assert isinstance(msgspec.json.decode(told.body), dict)

    check()


@pytest.mark.parametrize(("endpoint", "dialect"), TRANSLATED)
def test_a_stream_is_read_to_its_end_however_it_is_spoilt_and_cut(endpoint: Endpoint, dialect: str) -> None:
    pair = DIALECTS[dialect].pairs[endpoint]
    ask = asked(endpoint, {**ASKED[endpoint][0], "stream": True})
    outgoing = sent(pair, ask)

    def read(reads: list[bytes]) -> tuple[bytes, bool, bool]:
        scanner = pair.scanner(ask, outgoing)
        out = b"".join([scanner.feed(data) for data in reads if not scanner.over])
        return out + (b"" if scanner.over else scanner.end()), scanner.over, scanner.failed

    def check_cuts(stream: bytes, cuts: list[int]) -> None:
        whole, *so = _unchanging(read([stream]))
        again, *too = _unchanging(read(cut(stream, cuts)))
        # What came in a read of its own before the first good event is not passed on.
        assert whole.endswith(again)
        assert so == too

    _run(spoilt([STREAMED[dialect]]).map(_events), check_cuts)
    _run(mutated([_events(STREAMED[dialect])], [*NASTY, b"data: ", b"\n\n", b"[DONE]", b"event: error\n"]), check_cuts)


def _run(streams: st.SearchStrategy[bytes], check: Callable[[bytes, list[int]], None]) -> None:
    settings(FUZZ, max_examples=15)(given(streams, CUTS)(check))()


def _events(events: list[Json]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (_name(data), data if isinstance(data, bytes) else msgspec.json.encode(data))
        for data in events
    )


def _name(data: Json) -> bytes:
    kind = data.get("type") if isinstance(data, dict) else None
    return kind.encode() if isinstance(kind, str) and kind.isalpha() else b"message"


def _unchanging(read: tuple[bytes, bool, bool]) -> tuple[bytes, bool, bool]:
    """Without the ids and times that are made up anew for every stream."""
    out, over, failed = read
    out = re.sub(rb'"(created|created_at|completed_at)":[0-9.]+', b"", out)
    return re.sub(rb'"(?:[a-z]+[_-])?[0-9A-Za-z]{16,}"', b'""', out), over, failed
