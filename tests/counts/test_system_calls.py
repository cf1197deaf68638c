"""System calls and turns of the loop: of a plain call, and of each event that is relayed."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from gateway.simulator import Simulator
from tests.counts import bounds
from tests.counts.bounds import Counts, compare
from tests.counts.calls import Client, Script, routes, written
from tests.counts.running import until_idle
from tests.counts.trace import READS, WRITES, SystemCall, Trace, split, traced
from tests.redis_server import RedisServer

KINDS = ("reads", "writes", "turns", "other system calls")
WARM_UP = 10
CALLS = 50
SHORT, LONG = 100, 300


def typical(pieces: list[list[SystemCall]]) -> dict[str, float]:
    """The median of each kind: a timer of the loop that comes between is not the call's."""
    found = [Counter(call.kind for call in piece) for piece in pieces]
    return {kind: median(each[kind] for each in found) for kind in KINDS}


def total(calls: Iterable[SystemCall], kind: str) -> int:
    return sum(call.kind == kind for call in calls)


def way(
    piece: list[SystemCall], begins: Callable[[SystemCall], bool], ends: Callable[[SystemCall], bool]
) -> list[SystemCall]:
    """From the first that begins it to the first that ends it."""
    first = next(at for at, call in enumerate(piece) if begins(call))
    last = next(at for at, call in enumerate(piece) if at > first and ends(call))
    return piece[first : last + 1]


def way_in(piece: list[SystemCall]) -> list[SystemCall]:
    return way(piece, lambda call: True, lambda call: call.name in WRITES and '"POST ' in call.text)


def way_out(piece: list[SystemCall]) -> list[SystemCall]:
    return way(
        piece,
        lambda call: call.name in READS and '"HTTP/1.1 200' in call.text,
        lambda call: call.name in WRITES and '"HTTP/1.1 200' in call.text,
    )


async def plain_calls(trace: Trace, *others: int) -> list[list[SystemCall]]:
    """Each begins when the one before has left nothing to do, also for `others`: process ids."""
    async with Client.to(trace.served.port) as client:
        await client.plain(WARM_UP)
        begin = await trace.mark()
        for _ in range(CALLS):
            await until_idle(*trace.served.pids, *others)
            await client.plain()
        await until_idle(*trace.served.pids, *others)
        pieces = list(split(trace.between(begin, await trace.mark()), READS, '"POST '))
    assert len(pieces) == CALLS
    return pieces


async def test_a_plain_call(strace: str, tmp_path: Path, upstream: Simulator) -> None:
    async with traced(strace, tmp_path, written(tmp_path, routes(upstream.url))) as trace:
        pieces = await plain_calls(trace)
    waits = max(total(way_out(piece), "turns") for piece in pieces)
    compare("a plain call", {**typical(pieces), "turns on the way out": waits}, bounds.PLAIN)


async def test_a_stream(strace: str, tmp_path: Path, upstream: Simulator, script: Script) -> None:
    """Of one event. Its head goes out with the event, and its last bytes with the terminal chunk."""
    async with (
        traced(strace, tmp_path, written(tmp_path, routes(upstream.url))) as trace,
        Client.to(trace.served.port) as client,
    ):
        await client.stream(script, WARM_UP)
        begin = await trace.mark()
        for _ in range(CALLS):
            await until_idle(*trace.served.pids)
            await client.stream(script, 1, lambda: until_idle(*trace.served.pids))
        pieces = list(split(trace.between(begin, await trace.mark()), READS, '"POST '))
    assert len(pieces) == CALLS
    compare("a stream of one event", typical(pieces), bounds.STREAM)


async def test_a_plain_call_with_redis(strace: str, tmp_path: Path, upstream: Simulator, redis: RedisServer) -> None:
    """An admission may meet the trip of a settlement that went alone: so the median."""
    async with traced(strace, tmp_path, written(tmp_path, routes(upstream.url, redis.url))) as trace:
        pieces = await plain_calls(trace, (await redis.info("server"))["process_id"])
    measured: Counts = {
        **typical(pieces),
        "turns on the way out": max(total(way_out(piece), "turns") for piece in pieces),
        "trips on the way in": median([total(way_in(piece), "writes") - 1 for piece in pieces]),
    }
    compare("a plain call with Redis", measured, bounds.PLAIN_WITH_REDIS)


async def test_an_event(strace: str, tmp_path: Path, upstream: Simulator, script: Script) -> None:
    """Two lengths, so that what a stream costs besides its events cancels out. Each event finds the loop asleep."""
    async with (
        traced(strace, tmp_path, written(tmp_path, routes(upstream.url))) as trace,
        Client.to(trace.served.port) as client,
    ):
        await client.stream(script, WARM_UP)
        marks = [await trace.mark()]
        for events in (SHORT, LONG):
            await client.stream(script, events, lambda: until_idle(*trace.served.pids))
            marks.append(await trace.mark())
    short, long = trace.between(*marks[:2]), trace.between(*marks[1:])
    by_event = {kind: (total(long, kind) - total(short, kind)) / (LONG - SHORT) for kind in ("reads", "writes")}
    compare("an event", {**typical(list(split(long, READS))), **by_event}, bounds.EVENT)
