"""Fakes at the ports, and a clock set by hand: the way of a call without a socket."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import msgspec

from gateway.core.call import Ask, Call, Caller, Endpoint
from gateway.core.errors import Refusal
from gateway.core.fault import Fault
from gateway.core.limits import Budget, Demand, Limits, Period, Rate, Use, Verdict
from gateway.core.outcome import Record, Usage
from gateway.core.ports import Reader, Receiver
from gateway.core.route import Model, Price, Routes, Target, Upstream
from gateway.core.settings import Config, ServerSettings
from gateway.flow.account import Account
from gateway.flow.admit import Admission
from gateway.flow.exchange import House, exchange
from gateway.flow.fallback import Fallback
from gateway.flow.pipe import Piping
from gateway.flow.plan import Planner
from gateway.state.health import Health
from gateway.state.keyring import Keyring
from gateway.state.live import Live
from gateway.state.timers import TICK, Wheel
from gateway.wire.sse import EventStream

KEY = b"sk-gw-test"
PRICE = Price(input=1.0, output=2.0)

SETTINGS = ServerSettings(
    host="127.0.0.1",
    port=0,
    max_body_bytes=1000,
    body_timeout=30.0,
    header_timeout=10.0,
    keepalive_timeout=75.0,
    keep_alive_interval=15.0,
    write_timeout=40.0,
    total_timeout=3600.0,
    metrics_allow=(),
    trusted_proxies=(),
    cors_origins=(),
)


def event(content: str = "x", finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return b"data: " + msgspec.json.encode({"object": "chat.completion.chunk", "choices": [choice]}) + b"\n\n"


def usage_event(prompt: int = 7, completion: int = 3) -> bytes:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return b"data: " + msgspec.json.encode({"choices": [], "usage": usage}) + b"\n\n"


DONE = b"data: [DONE]\n\n"
STREAM = event("Hel") + event("lo") + event("", "stop") + usage_event() + DONE
SHOWN = event("Hel") + event("lo") + event("", "stop") + DONE


class Clock:
    """Monotonic seconds, moved by hand; the wheel ticks along."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.wheel = Wheel(self.now)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - TICK / 2:
            self.now += TICK
            self.wheel.tick(self.now)


class FakeAnswer:
    """An answer whose chunks the test pushes: `stream` ones through a real scanner, as the upstream room does."""

    def __init__(self, *, stream: bool = True, body: bytes = b"", usage: Usage | None = None) -> None:
        self.target = Target("", "", MODELS["one"])
        self.headers = (("content-type", "application/json"),)
        self.upstream_request_id: str | None = "req_1"
        self.dropped: tuple[str, ...] = ()
        self.scanner: EventStream | None = EventStream(drop_usage=True) if stream else None
        self.complete = not stream
        self.usage = usage
        self.state = "open"
        self.paused = False
        self._held = body
        self._receiver: Receiver | None = None

    def take(self) -> bytes:
        held, self._held = self._held, b""
        return held

    def attach(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def push(self, payload: bytes, framed: bytes | None = None) -> None:
        """As the socket would: what comes before anybody is attached is held."""
        if self._receiver is not None and self.state == "open":
            if framed is None or not self._receiver.relay(framed):
                self._receiver.chunk(payload, framed)
        elif self.scanner is not None:
            self._held += self.scanner.feed(payload)

    def end(self) -> None:
        assert self._receiver is not None
        self._receiver.ended()

    def break_(self) -> None:
        assert self._receiver is not None
        self._receiver.broke()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def release(self) -> None:
        if self.state == "open":
            self.state = "released"

    def abandon(self) -> None:
        if self.state == "open":
            self.state = "abandoned"


Scripted = FakeAnswer | Fault | Callable[[], Fault]


class FakeUpstreams:
    """Answers attempts from a list; an empty list never answers. `asked` are the targets so far."""

    def __init__(self, *script: Scripted) -> None:
        self.script: list[Scripted] = list(script)
        self.asked: list[str] = []
        self.deadlines: list[float] = []

    async def attempt(self, target: Target, call: Call, ask: Ask, deadline: float) -> FakeAnswer:
        self.asked.append(target.name)
        self.deadlines.append(deadline)
        if not self.script:
            await asyncio.Event().wait()
        step = self.script.pop(0)
        if callable(step):
            step = step()
        if isinstance(step, Fault):
            raise step
        step.target = target
        return step


class FakeDownstream:
    """What the client would see. `blocked` stops it from taking anything."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.extra: list[tuple[str, str]] = []
        self.body = b""
        self.end: str | None = None
        self.framed: list[bytes] = []
        self.relayed: list[bytes] = []
        self.takes_chunks = True
        self.reader: Reader | None = None
        self.blocked = False
        self._drained = asyncio.Event()
        self._drained.set()

    def answer(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        self.start(status, headers)
        self.body = body
        self.end = "finished"

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        assert not self.status, "an answer was begun twice"
        self.status = status
        self.headers = {name.lower(): value for name, value in (*headers, *self.extra)}

    def write(self, payload: bytes, framed: bytes | None = None) -> None:
        assert self.end is None, "written after the end"
        self.body += payload
        if framed is not None:
            self.framed.append(framed)

    def relay(self, data: bytes) -> bool:
        self.relayed.append(data)
        return self.takes_chunks

    def finish(self, payload: bytes = b"") -> None:
        assert self.end is None
        self.body += payload
        self.end = "finished"

    def cut(self, last_words: bytes) -> None:
        assert self.end is None
        self.body += last_words
        self.end = "cut"

    def add_headers(self, headers: Sequence[tuple[str, str]]) -> None:
        self.extra += headers

    def attach(self, reader: Reader | None) -> None:
        self.reader = reader

    @property
    def taken(self) -> int | None:
        return 100 if self.blocked else None

    async def drained(self) -> None:
        await self._drained.wait()


class FakeUpload:
    """A body, or what reading it raises."""

    def __init__(self, body: bytes | Refusal) -> None:
        self.body = body
        self.read_count = 0

    async def read(self, *, form: bool = False) -> bytes:
        self.read_count += 1
        if isinstance(self.body, Refusal):
            raise self.body
        return self.body


class FakeStore:
    """Lets everybody in, or raises what it was given; remembers what was asked and what was settled."""

    ready = True

    def __init__(self, refusal: Refusal | None = None) -> None:
        self.refusal = refusal
        self.use_now = Use()
        self.demands: list[Demand] = []
        self.settled: list[tuple[Demand, int, int]] = []

    async def admit(self, demand: Demand) -> Verdict:
        if self.refusal is not None:
            raise self.refusal
        self.demands.append(demand)
        return Verdict(True, self.use_now, demand.limits)

    def settle(self, demand: Demand, tokens: int, micro_usd: int) -> None:
        self.settled.append((demand, tokens, micro_usd))

    async def use(self, key: str, limits: Limits, wall: float) -> Use:
        return self.use_now


@dataclass
class Records:
    """A Recorder that keeps them."""

    records: list[Record] = field(default_factory=list)

    def put(self, record: Record) -> None:
        self.records.append(record)


UPSTREAM = Upstream("up", "127.0.0.1", 1, tls=False, base_path="/v1")
MODELS = {
    name: Model(name, UPSTREAM, name, price=PRICE, max_retries=0, context_window=window)
    for name, window in (("one", 1000), ("two", 2000), ("three", 3000))
}
ROUTES = Routes(
    upstreams={"up": UPSTREAM},
    models=MODELS,
    tiers={"fast": (("one",), ("two",), ("three",)), "single": (("one",),)},
    aliases={},
    complexity={},
)


LIMITS = Limits("pro", Rate(60, 60), Rate(100_000, 100_000), 5, Budget(10**9, Period.MONTH))


class Bench:
    """One exchange with everything around it faked or set by hand."""

    def __init__(self, *script: Scripted, routes: Routes = ROUTES, refusal: Refusal | None = None) -> None:
        self.clock = Clock()
        self.health = Health()
        self.live = Live()
        self.records = Records()
        self.upstreams = FakeUpstreams(*script)
        self.store = FakeStore(refusal)
        self.downstream = FakeDownstream()
        self.sleeps: list[float] = []
        caller = Caller("id", "tester", ("*",), LIMITS)
        callers = {
            sha256(KEY).digest(): caller,
            sha256(b"disabled").digest(): replace(caller, disabled=True),
            sha256(b"expired").digest(): replace(caller, expires=1.0),
            sha256(b"narrow").digest(): replace(caller, models=("nothing-*",)),
        }
        config = Config("v1", SETTINGS, routes, callers)
        self.house = House(
            config=config,
            keyring=Keyring(callers),
            live=self.live,
            planner=Planner(routes, self.health, random.Random(1)),
            admission=Admission(self.store, random.Random(1), lambda: 1.8e9),
            fallback=Fallback(self.upstreams, self.health, self.clock, self._sleep, random.Random(1)),
            piping=Piping(SETTINGS, self.clock.wheel, self.live, self.clock),
            account=Account(self.records, self.live, self.clock, config.version),
            clock=self.clock,
        )

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.clock.advance(seconds)

    @property
    def record(self) -> Record:
        """The one Record: more or fewer is a failure."""
        assert len(self.records.records) == 1
        return self.records.records[0]

    @property
    def settled(self) -> Usage | None:
        """What the one lease, given back exactly once, was settled with; None is nothing."""
        (demand,) = self.store.demands
        ((settled, tokens, micro_usd),) = self.store.settled
        assert settled is demand
        usage = self.record.usage
        assert tokens == (usage.prompt + usage.completion if usage else 0)
        assert micro_usd == (usage.prompt + 2 * usage.completion if usage else 0)
        return usage

    async def run(self, *, model: str = "fast", stream: bool = True, key: bytes = KEY) -> None:
        """The whole exchange. Raises what it raises."""
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        await self.send(FakeUpload(msgspec.json.encode(body)), key=key)

    async def send(self, upload: FakeUpload, *, key: bytes = KEY) -> None:
        call = Call("c" * 32, "req-1", Endpoint.CHAT, self.clock(), "127.0.0.1", (key,), None, None, 0, ())
        task = asyncio.current_task()
        assert task is not None
        await exchange(call, upload, self.downstream, self.house, task)

    def begin(self, **ask: object) -> "asyncio.Task[None]":
        """The exchange as a task, for tests that act while it runs."""
        return asyncio.get_running_loop().create_task(self.run(**ask), name="exchange")  # type: ignore[arg-type]


async def settle() -> None:
    """Let every task take its next steps."""
    for _ in range(10):
        await asyncio.sleep(0)
