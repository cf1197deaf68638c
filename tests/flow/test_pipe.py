"""After the first byte: what goes through, what is said in silence, and how a stream ends."""

import asyncio

import msgspec
import pytest

from gateway.core.errors import Break, ClientStalled, StreamInterrupted, StreamTimeout
from gateway.core.outcome import Outcome, Usage
from tests.flow.parts import DONE, SETTINGS, SHOWN, STREAM, Bench, FakeAnswer, event, settle, usage_event

FIRST = event("Hel")


async def begun(*chunks: bytes) -> tuple[Bench, FakeAnswer, "asyncio.Task[None]"]:
    """An exchange whose first good event is out."""
    answer = FakeAnswer()
    for chunk in chunks or (FIRST,):
        answer.push(chunk)
    bench = Bench(answer)
    task = bench.begin()
    await settle()
    assert bench.downstream.status == 200
    return bench, answer, task


def last_event(body: bytes) -> dict[str, dict[str, object]]:
    return msgspec.json.decode(body.rstrip().rpartition(b"data: ")[2])


async def test_a_stream_is_the_same_wherever_it_is_cut() -> None:
    for cut in range(len(STREAM) + 1):
        answer = FakeAnswer()
        answer.push(STREAM[:cut])
        answer.push(STREAM[cut:])
        bench = Bench(answer)
        await bench.run()
        assert bench.downstream.body == SHOWN, cut
        assert bench.record.usage == Usage(7, 3), cut


async def test_a_stream_pushed_through_the_pipe_is_the_same_wherever_it_is_cut() -> None:
    rest = STREAM[len(FIRST) :]
    for cut in range(len(rest) + 1):
        bench, answer, task = await begun()
        answer.push(rest[:cut])
        answer.push(rest[cut:])
        await task
        assert bench.downstream.body == SHOWN, cut
        assert (bench.record.usage, bench.record.outcome) == (Usage(7, 3), Outcome.OK), cut


async def test_a_broken_stream_never_looks_complete_wherever_it_breaks() -> None:
    events = (event("Hel"), event("lo"), event("!"))
    stream = b"".join(events)
    for cut in range(len(FIRST), len(stream) + 1):
        bench, answer, task = await begun()
        answer.push(stream[len(FIRST) : cut])
        answer.break_()
        with pytest.raises(StreamInterrupted):
            await task
        whole = b"".join(e for e in events if cut >= stream.index(e) + len(e.rstrip()))
        assert bench.downstream.body.startswith(whole + b'data: {"error":'), cut
        assert last_event(bench.downstream.body)["error"]["code"] == "upstream_interrupted"
        assert b"[DONE]" not in bench.downstream.body
        assert bench.downstream.end == "cut"


async def test_half_a_huge_event_is_followed_by_the_cut_alone() -> None:
    bench, answer, task = await begun()
    half = b"data: " + b"x" * 100_000
    answer.push(half)
    answer.break_()
    with pytest.raises(StreamInterrupted):
        await task
    assert bench.downstream.body == FIRST + half
    assert bench.downstream.end == "cut"


async def test_whole_chunks_keep_their_framing() -> None:
    bench, answer, task = await begun()
    chunk = event("lo")
    answer.push(chunk, b"framed 1")
    answer.push(chunk[:9], b"framed 2")
    answer.push(chunk[9:], b"framed 3")
    answer.push(STREAM)
    await task
    assert bench.downstream.framed == [b"framed 1"]


@pytest.mark.parametrize("takes_chunks", [True, False], ids=["chunks", "HTTP/1.0"])
async def test_an_event_like_the_one_before_is_relayed_unread_and_counted(takes_chunks: bool) -> None:
    bench, answer, task = await begun()
    bench.downstream.takes_chunks = takes_chunks
    for word in ("a", "lo", "!"):
        payload = event(word)
        answer.push(payload, b"%x\r\n%b\r\n" % (len(payload), payload))
    assert len(bench.downstream.relayed) == 2
    assert (event("!") in bench.downstream.body) is not takes_chunks
    answer.push(STREAM)
    await task
    assert bench.record.events == 3 + (FIRST + STREAM).count(b"chunk")


async def test_a_proper_end_without_finish_reason_is_broken() -> None:
    bench, answer, task = await begun()
    answer.end()
    with pytest.raises(StreamInterrupted):
        await task
    assert bench.record.outcome is Outcome.BROKEN


@pytest.mark.parametrize("ending", ["end", "break_"])
async def test_a_finish_reason_is_complete_whatever_the_framing_says(ending: str) -> None:
    bench, answer, task = await begun(FIRST, event("", "stop"))
    getattr(answer, ending)()
    await task
    assert bench.downstream.body.endswith(DONE)
    assert bench.downstream.end == "finished"
    assert bench.record.outcome is Outcome.OK
    assert bench.record.notes == ["missing_done"]


async def test_the_answer_is_over_at_done_even_if_the_body_is_held_open() -> None:
    bench, answer, task = await begun()
    answer.push(STREAM)
    await task
    assert bench.downstream.end == "finished"
    assert answer.state == "released"


async def test_nothing_is_forwarded_after_done() -> None:
    bench, answer, task = await begun()
    answer.push(DONE + event("late"))
    answer.push(event("later"))
    await task
    assert bench.downstream.body == FIRST + DONE


async def test_silence_is_filled_with_comments_of_one_newline() -> None:
    bench, answer, task = await begun()
    bench.clock.advance(31)
    assert bench.downstream.body == FIRST + b": ping\n: ping\n"
    answer.push(STREAM)
    await task
    assert bench.downstream.end == "finished"


async def test_nothing_is_said_inside_a_huge_event() -> None:
    bench, answer, task = await begun()
    answer.push(b"data: " + b"x" * 100_000)
    bench.clock.advance(31)
    assert b"ping" not in bench.downstream.body
    answer.break_()
    with pytest.raises(Break):
        await task


async def test_a_stream_that_falls_silent_is_cut_after_the_idle_timeout() -> None:
    bench, answer, task = await begun()
    bench.clock.advance(59)
    answer.push(event("lo"))
    bench.clock.advance(59)
    assert not task.done()
    bench.clock.advance(2)
    with pytest.raises(StreamTimeout):
        await task
    assert last_event(bench.downstream.body)["error"]["code"] == "upstream_timeout"
    assert (bench.record.outcome, bench.record.code) == (Outcome.BROKEN, "upstream_timeout")


async def test_a_stream_is_cut_after_the_total_timeout() -> None:
    bench, answer, task = await begun()
    for _ in range(360):
        bench.clock.advance(10)
        answer.push(event())
    bench.clock.advance(1)
    with pytest.raises(StreamTimeout):
        await task
    assert bench.clock() - 1000 == pytest.approx(SETTINGS.total_timeout, abs=2)


async def test_a_full_client_pauses_the_upstream_and_silence_does_not_count() -> None:
    bench, answer, task = await begun()
    assert bench.downstream.reader is not None
    bench.downstream.reader.pause()
    assert answer.paused
    bench.clock.advance(300)
    assert not task.done(), "the upstream is not read, so it is not silent"
    assert b"ping" not in bench.downstream.body
    bench.downstream.reader.resume()
    assert not answer.paused
    answer.push(STREAM)
    await task


async def test_a_client_that_takes_nothing_is_cut_and_counts_as_gone() -> None:
    bench, answer, task = await begun()
    assert bench.downstream.reader is not None
    bench.downstream.blocked = True
    bench.downstream.reader.pause()
    bench.clock.advance(SETTINGS.write_timeout - 1)
    assert not task.done()
    bench.clock.advance(SETTINGS.write_timeout / 4 + 2)
    with pytest.raises(ClientStalled):
        await task
    assert answer.state == "abandoned"
    assert (bench.record.outcome, bench.record.status) == (Outcome.CLIENT_GONE, 499)


async def test_events_count_and_times_are_kept() -> None:
    bench, answer, task = await begun()
    bench.clock.advance(2)
    answer.push(event() * 4 + event("", "stop") + usage_event() + DONE)
    await task
    record = bench.record
    assert record.events == 6
    assert record.first_byte is not None
    assert record.ended - record.first_byte == pytest.approx(2)


async def test_the_open_stream_is_counted_by_its_models_name() -> None:
    bench, answer, task = await begun()
    assert bench.live.streams["one"] == 1
    answer.push(STREAM)
    await task
    assert bench.live.streams["one"] == 0
    assert len(bench.live) == 0


async def test_the_decision_is_told_in_headers() -> None:
    bench, answer, task = await begun()
    answer.push(STREAM)
    await task
    headers = bench.downstream.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert (headers["x-model-name"], headers["x-model-tier"], headers["x-provider"]) == ("one", "fast", "up")
    assert headers["x-fallback-chain"] == "two,three"
    assert headers["x-upstream-request-id"] == "req_1"
    assert headers["x-ratelimit-limit-requests"] == "60"
    assert "x-fallback-used" not in headers
