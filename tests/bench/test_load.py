"""The clients against the upstream itself, both real."""

import asyncio

import pytest

from bench.fleet import Fleet, Stuck
from bench.rounds import Side, first_event, plain, request, streams
from bench.scenarios import FirstEvent, Plain, Streams
from bench.upstream import Script
from bench.wheel import Wheel
from gateway.simulator import LAST_CHUNK, Close, Pause, Send, Silence, Simulator, error_answer


@pytest.fixture
async def script():
    return Script(Wheel(asyncio.get_running_loop()))


@pytest.fixture
async def upstream(script):
    async with Simulator(script, remember=False) as simulator:
        yield simulator


@pytest.fixture
async def side(upstream):
    fleet = Fleet(upstream.port)
    yield Side(None, fleet)
    fleet.close()


async def test_plain_calls_are_counted_and_timed(side):
    measured = await plain(side, Plain(3, seconds=0))
    assert (measured.calls, measured.faults) == (3, {})
    assert measured.first_byte_us is not None


async def test_paced_calls_are_as_many_as_they_should_be(side):
    measured = await plain(side, Plain(2, seconds=0.01, per_second=500))
    assert (measured.calls, measured.faults) == (5, {})


async def test_a_large_body_arrives_whole(side):
    measured = await plain(side, Plain(1, seconds=0, body=1_000_000))
    assert (measured.calls, measured.faults) == (1, {})


async def test_streams_of_one_event_have_one(side, script):
    measured = await first_event(side, script, FirstEvent(seconds=0))
    assert (measured.calls, measured.events, measured.faults) == (1, 1, {})


async def test_streams_end_properly_and_their_connections_serve_again(side, script, upstream):
    for _ in range(2):
        measured = await streams(side, script, Streams(5, per_second=1000, seconds=0.01, settle=0))
        assert (measured.calls, measured.faults) == (5, {})
        assert measured.events
        assert measured.lag_us is not None
    assert upstream.connections == 5


async def test_fewer_clients_are_asked_for_than_there_are(side, upstream):
    await side.fleet.open(3)
    await side.fleet.open(2)
    assert len(side.fleet.clients) == 2
    assert (await plain(side, Plain(2, seconds=0))).calls == 2


async def test_a_client_that_was_lost_is_replaced(side):
    await side.fleet.open(2)
    side.fleet.clients[0].close()
    assert (await plain(side, Plain(2, seconds=0))).calls == 2


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("steps", "faults"),
    [
        pytest.param(error_answer(429, "no"), {"status 429": 1}, id="a refusal"),
        pytest.param([Send(_CHUNKED + b"zz\r\n"), Silence()], {"a chunk's size is b'zz'": 1}, id="malformed"),
        pytest.param([Send(_CHUNKED), Close()], {"connection lost": 1}, id="cut"),
        pytest.param([Send(_CHUNKED + LAST_CHUNK)], {"without usage": 1, "without [DONE]": 1}, id="empty"),
        pytest.param([Send(b"HTTP/1.1 200 OK\r\n\r\n")], {"neither length nor chunked": 1}, id="unframed"),
    ],
)
async def test_what_is_wrong_with_an_answer_is_counted(side, upstream, steps, faults):
    upstream.script = lambda _: steps
    assert (await plain(side, Plain(1, seconds=0))).faults == faults


async def test_a_head_may_come_in_pieces(side, upstream):
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
    upstream.script = lambda _: [step for byte in head + b"ok" for step in (Send(bytes([byte])), Pause(0))]
    measured = await plain(side, Plain(1, seconds=0))
    assert (measured.calls, measured.faults) == (1, {})


async def test_waiting_for_calls_that_do_not_end_is_bounded(side, upstream):
    upstream.script = lambda _: [Silence()]
    await side.fleet.open(1)
    side.fleet.clients[0].ask(request(1000))
    with pytest.raises(Stuck, match="1 of 1"):
        await side.fleet.until(lambda: not side.fleet.busy, 0.01)


def test_a_request_has_the_size_that_was_asked_for():
    for size in (1_000, 10_000, 1_000_000):
        body = request(size).partition(b"\r\n\r\n")[2]
        assert 0 <= len(body) - size < 5
