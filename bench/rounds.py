"""One round: a load on one contestant, and what both the kernel and the clients say of it."""

import asyncio
import time
from dataclasses import dataclass

from bench.contestants import KEY
from bench.fleet import Fleet
from bench.process import Process
from bench.results import Measured
from bench.scenarios import CHAT, FirstEvent, Idle, Plain, Streams
from bench.tally import Tally, spread
from bench.upstream import Script

_KEPT = 1000  # connections; more are closed after a round, or the next contestant's would be too many for this process
_RAMP = 1500  # streams begun per second
_HEAD = (
    b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: */*\r\n"
    b"User-Agent: OpenAI/Python 3.54.0\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
)
_BODY = b'{"model":"bench-1",%b"temperature":0.7,"max_tokens":64,"messages":[{"role":"user","content":"%b"}]}'
_STREAM = b'"stream":true,"stream_options":{"include_usage":true},'


def request(size: int, *, stream: bool = False, path: str = CHAT) -> bytes:
    """A body of `size` bytes, or a little more if that is too few, that Messages understands as well."""
    options = _STREAM if stream else b""
    words = b"word " * -((len(_BODY % (options, b"")) - size) // 5)
    body = _BODY % (options, words)
    return _HEAD % (path.encode(), KEY.encode(), len(body), body)


@dataclass(frozen=True, slots=True)
class Side:
    """A contestant that is running (None: the upstream itself), and the clients it has."""

    process: Process | None
    fleet: Fleet

    def cpu_ns(self) -> int:
        return self.process.cpu_ns() if self.process else 0

    def pss_kb(self) -> int:
        return self.process.pss_kb() if self.process else 0


@dataclass(frozen=True, slots=True)
class Window:
    """What was spent between two moments."""

    seconds: float
    cpu_us: float
    load_busy: float

    @property
    def busy(self) -> float:
        return self.cpu_us / 1e6 / self.seconds


class Watch:
    """Begins when it is made."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._wall, self._load, self._cpu = time.monotonic(), time.process_time(), side.cpu_ns()

    def stop(self) -> Window:
        cpu, load = self._side.cpu_ns() - self._cpu, time.process_time() - self._load
        seconds = time.monotonic() - self._wall
        return Window(seconds, cpu / 1000, load / seconds)


async def plain(side: Side, load: Plain) -> Measured:
    await side.fleet.open(load.connections)
    tally = side.fleet.count()
    body = request(load.body)
    watch = Watch(side)
    if load.per_second:
        await side.fleet.paced(body, load.seconds, load.per_second)
    else:
        await side.fleet.closed_loop(body, load.seconds)
    return _of_calls(tally, watch.stop())


async def first_event(side: Side, script: Script, load: FirstEvent) -> Measured:
    await side.fleet.open(1)
    tally = side.fleet.count()
    script.begin(0, limit=1)
    watch = Watch(side)
    await side.fleet.closed_loop(request(1000, stream=True), load.seconds)
    return _of_calls(tally, watch.stop())


async def streams(side: Side, script: Script, load: Streams) -> Measured:
    await side.fleet.open(load.number)
    tally = side.fleet.count()
    few = load.number <= _KEPT
    script.begin(load.per_second, keep_alive=few)
    await side.fleet.streams(request(1000, stream=True, path=load.path), _RAMP)
    await asyncio.sleep(load.settle)
    events, lags = tally.events, len(tally.lags)
    watch = Watch(side)
    await asyncio.sleep(load.seconds)
    window = watch.stop()
    events, measured = tally.events - events, tally.lags[lags:]
    script.end()
    await side.fleet.until(lambda: not side.fleet.busy, 20)
    if not few:
        side.fleet.close()
    return Measured(
        calls=tally.calls,
        events=events,
        seconds=round(window.seconds, 3),
        wanted=load.number * load.per_second,
        cpu_us_per_event=_per(window.cpu_us, events),
        busy=round(window.busy, 3),
        load_busy=round(window.load_busy, 3),
        lag_us=spread(measured),
        faults=dict(tally.faults),
    )


async def idle(side: Side, script: Script, load: Idle) -> Measured:
    await side.fleet.open(1)
    await side.fleet.closed_loop(request(1000), 0.2)
    before = side.pss_kb()
    await side.fleet.open(load.number)
    tally = side.fleet.count()
    script.begin(0)
    await side.fleet.streams(request(1000, stream=True), _RAMP)
    await asyncio.sleep(load.settle)
    kb = (side.pss_kb() - before) / load.number
    script.end()
    await side.fleet.until(lambda: not side.fleet.busy, 20)
    return Measured(
        calls=tally.calls, kb_per_stream=round(kb, 2), idle_mb=round(before / 1024, 1), faults=dict(tally.faults)
    )


def _of_calls(tally: Tally, window: Window) -> Measured:
    return Measured(
        calls=tally.calls,
        events=tally.events,
        seconds=round(window.seconds, 3),
        cpu_us_per_call=_per(window.cpu_us, tally.calls),
        busy=round(window.busy, 3),
        load_busy=round(window.load_busy, 3),
        first_byte_us=spread(tally.first_bytes),
        latency_us=spread(tally.latencies),
        faults=dict(tally.faults),
    )


def _per(cpu_us: float, number: int) -> float | None:
    return round(cpu_us / number, 3) if number and cpu_us else None
