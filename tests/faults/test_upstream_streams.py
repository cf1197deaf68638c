"""Streams that break or are odd after their first byte: whole, or cut so that nobody takes them for it."""

from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from gateway.simulator import LAST_CHUNK, Close, Gate, Pause, Request, Reset, Send, Silence, Step, Wait, chunked, event
from tests.catalogue import fault
from tests.faults.rig import Rig, ask
from tests.faults.streams import (
    CHUNKED_HEAD,
    CLOSE_HEAD,
    DONE,
    STOP,
    A,
    B,
    StreamRow,
    check_bytes,
    content,
    pieces,
    whole,
)

BEGUN = [CHUNKED_HEAD, *pieces(A, B)]
TRAILERS = b"0\r\n" + b"".join(b"x-trailer-%d: 1\r\n" % number for number in range(1000)) + b"\r\n"
HUGE = event({"choices": [{"index": 0, "delta": {"content": "x" * 2**20}}]})
HALF_OF_HUGE = HUGE[: 2**19]
A1, STOP1 = content("a", index=1), content("", index=1, finish="stop")
BOM = b"\xef\xbb\xbf"

ODD = {
    "no data": b"a line without a colon\n\n",
    "bad json": b"data: {not json\n\n",
    "bad utf 8": b"data: \xff\xfe\xc3(\n\n",
    "cr only": b'data: {"choices": []}\r\r',
    "crlf": b'data: {"choices": []}\r\n\r\n',
    "event, id and retry": b"event: odd\nid: 1\nretry: 10\ndata: []\n\n",
    "three lines": b'data: {"choices":\ndata: [],\ndata: "note": "three lines"}\n\n',
    "a comment": b": ping\n\n",
    "a huge number": b"data: 1e999\n\n",
}
USAGES: dict[str, tuple[list[object], str, tuple[str, ...]]] = {
    "missing": ([], "estimated", ()),
    "twice": (
        [{"prompt_tokens": 1, "completion_tokens": 1}, {"prompt_tokens": 7, "completion_tokens": 2}],
        "provider",
        (),
    ),
    "negative": ([{"prompt_tokens": -7, "completion_tokens": 2}], "estimated", ("usage_invalid",)),
    "10^18": ([{"prompt_tokens": 7, "completion_tokens": 10**18}], "estimated", ("usage_invalid",)),
    "a string": (["many"], "estimated", ("usage_invalid",)),
    "null": ([None], "estimated", ()),
}


def _cut(row: str, title: str, *ending: Step, passed: bytes = A + B, code: str = "upstream_interrupted") -> StreamRow:
    return StreamRow(row, title, [*BEGUN, *ending], passed, code)


BROKEN = [
    _cut("U28", "silence", Silence(), code="upstream_timeout"),
    _cut("U29", "rst", Reset()),
    _cut("U30", "no last chunk", Close()),
    _cut("U30", "cut in a chunk", Send(chunked(A)[:-1]), Close(), passed=A + B + A),
    _cut("U30", "cut in an event", Send(chunked(A[:20])), Close()),
    _cut("U30", "an event cut by the last chunk", Send(chunked(A[:20]) + LAST_CHUNK)),
    StreamRow("U30", "half an event is out", [*BEGUN, *pieces(HALF_OF_HUGE), Close()], A + B + HALF_OF_HUGE, cut=True),
    _cut("U32", "complete by its chunks alone", Send(LAST_CHUNK)),
    _cut("U32", "one of two choices ended", *pieces(A1, STOP), Send(LAST_CHUNK), passed=A + B + A1 + STOP),
    StreamRow("U32", "until fin", [CLOSE_HEAD, Send(A + B), Close()], A + B, "upstream_interrupted"),
    StreamRow("U32", "until rst", [CLOSE_HEAD, Send(A + B), Reset()], A + B, "upstream_interrupted"),
    _cut("U42", "bad chunk size", Send(b"XYZ\r\ndata: {}\n\n\r\n"), Close()),
    _cut("U42", "bad chunk size behind good chunks", Send(chunked(A) + chunked(B) + b"XYZ\r\n"), passed=A + B + A + B),
    _cut("U43", "1,000 trailers", Send(TRAILERS)),
]
COMPLETE = [
    StreamRow("U33", "in chunks", whole(A, STOP), A + STOP + DONE, notes=("missing_done",)),
    StreamRow("U33", "until fin", [CLOSE_HEAD, Send(A + STOP), Close()], A + STOP + DONE, notes=("missing_done",)),
    StreamRow(
        "U33",
        "two choices ended",
        whole(A, A1, STOP, A1, STOP1),
        A + A1 + STOP + A1 + STOP1 + DONE,
        notes=("missing_done",),
    ),
    StreamRow("U34", "in the same read", whole(A, STOP, DONE + B), A + STOP + DONE),
    StreamRow("U34", "later", whole(A, STOP, DONE, B, B), A + STOP + DONE),
    *(StreamRow("U35", title, whole(A, odd, STOP, DONE), A + odd + STOP + DONE) for title, odd in ODD.items()),
    StreamRow("U35", "bom", whole(BOM + A, STOP, DONE), A + STOP + DONE),
    StreamRow("U36", "1 MB", whole(A, HUGE, STOP, DONE), A + HUGE + STOP + DONE),
    StreamRow("U36", "1 MB at first", whole(HUGE, STOP, DONE), HUGE + STOP + DONE),
    StreamRow(
        "U43", "1,000 trailers behind done", [CHUNKED_HEAD, *pieces(A, STOP, DONE), Send(TRAILERS)], A + STOP + DONE
    ),
    *(
        StreamRow(
            "U49",
            title,
            whole(A, STOP, *(event({"choices": [], "usage": usage}) for usage in usages), DONE),
            A + STOP + (event({"choices": [], "usage": None}) if usages == [None] else b"") + DONE,
            usage=source,
            notes=notes,
        )
        for title, (usages, source, notes) in USAGES.items()
    ),
]


def _params(rows: list[StreamRow]) -> list[ParameterSet]:
    return [
        pytest.param(row, marks=fault(row.id), id=f"{row.id.lower()}-{row.title.replace(' ', '-')}") for row in rows
    ]


@pytest.mark.parametrize("row", _params(BROKEN))
async def test_a_stream_that_breaks_is_cut_behind_an_error(rig: Rig, row: StreamRow) -> None:
    await rig.start(models="idle_timeout: 200ms" if row.code == "upstream_timeout" else "")
    gate, begun = Gate(), len(BEGUN) if row.does[0] is CHUNKED_HEAD else 2
    rig.first.script = lambda request: [*row.does[:begun], Wait(gate), *row.does[begun:]]
    client = rig.client()
    await client.send(ask("rescued/any"))
    await client.until(B)
    gate.open()
    check_bytes(await client.answer(), row)
    call = await rig.gateway.last_call()
    code = row.code or "upstream_interrupted"
    assert (call["outcome"], call["status"], call["code"]) == ("broken", 200, code)
    assert [attempt["outcome"] for attempt in call["attempts"]] == ["ok"]
    assert call["usage_source"] == "estimated"
    assert call["completion_tokens"] == row.passed.count(b"data: ")
    assert rig.metric("broken_streams_total", model="rescued/*", upstream="first", reason=code) == 1
    assert not rig.second.requests, "nothing is tried again after the first byte"


@pytest.mark.parametrize("row", _params(COMPLETE))
async def test_an_odd_stream_is_passed_on_whole(rig: Rig, row: StreamRow) -> None:
    await rig.start()
    rig.first.script = lambda request: row.does
    check_bytes(await rig.ask("first/any"), row)
    call = await rig.gateway.last_call()
    assert (call["outcome"], call["usage_source"]) == ("ok", row.usage)
    assert call.get("notes", []) == [*row.notes]
    assert rig.metric("attempts_total", model="first/*", upstream="first", outcome="ok") == 1


@fault("U34")
async def test_u34_what_follows_done_is_not_the_next_calls(rig: Rig) -> None:
    await rig.start()
    rig.first.script = lambda request: whole(A, STOP, DONE, B)
    first = await rig.ask("first/any")
    second = await rig.ask("first/any")
    assert first.body == second.body == A + STOP + DONE


@fault("U40")
async def test_u40_a_trickle_is_cut_when_the_call_took_too_long(rig: Rig) -> None:
    def trickle(request: Request) -> Iterator[Step]:
        yield CHUNKED_HEAD
        while True:
            for byte in A:
                yield Send(chunked(bytes([byte])))
                yield Pause(0.001)

    await rig.start(server="total_timeout: 1s", models="idle_timeout: 500ms")
    rig.first.script = trickle
    answer = await rig.ask("first/any")
    events = answer.body.count(A)
    assert events > 0
    check_bytes(answer, StreamRow("U40", "", (), A * events, "upstream_timeout"))
    call = await rig.gateway.last_call()
    assert (call["outcome"], call["code"], call["completion_tokens"]) == ("broken", "upstream_timeout", events)


@fault("U41")
async def test_u41_a_stream_in_segments_of_one_byte_is_the_same(rig: Rig) -> None:
    """Cut inside characters, line ends, boundaries and the framing; tests/e2e/test_streams.py cuts it in two."""
    events = [content("\u00e9\U0001f600"), content("\u4f60", finish="stop"), DONE]
    wire = b"".join(step.payload for step in whole(*events) if isinstance(step, Send))
    await rig.start()
    rig.first.script = lambda request: [step for byte in wire for step in (Send(bytes([byte])), Pause(0))]
    check_bytes(await rig.ask("first/any"), StreamRow("U41", "", (), b"".join(events)))
    assert (await rig.gateway.last_call())["outcome"] == "ok"


@pytest.mark.parametrize("model", ["one-byte", "two-in-one", "usage-split", "crlf", "pings", "eof-delimited", "bom"])
@fault("U35")
async def test_u35_what_odd_servers_send_is_passed_on(rig: Rig, model: str) -> None:
    await rig.start()
    answer = await rig.ask(f"first/fault-{model}", stream_options={"include_usage": True})
    assert answer.complete
    assert answer.body.count(b'"content":"') == 6
    assert answer.body.rstrip().endswith(b"data: [DONE]")
    call = await rig.gateway.last_call()
    assert (call["outcome"], call["usage_source"], call["completion_tokens"]) == ("ok", "provider", 5)
