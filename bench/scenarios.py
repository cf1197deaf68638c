"""What is measured: every scenario, its load, and who takes part."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.contestants import Bare, Contestant, Direct, Gateway, Nginx, nginx_program, redis_program

KB, MB = 1000, 1_000_000
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


@dataclass(frozen=True, slots=True)
class Plain:
    """Answers in one piece. Closed loop, unless calls `per_second` are asked for; `body` is the request's in bytes."""

    connections: int
    seconds: float = 1.0
    per_second: float = 0.0
    body: int = 1 * KB


@dataclass(frozen=True, slots=True)
class FirstEvent:
    """Streams of a single event, one at a time."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Streams:
    """So many at once, each with so many events per second; measured `settle` seconds after the last has begun.

    The upstream speaks chat completions: at another `path` they are translated.
    """

    number: int
    per_second: float
    seconds: float = 1.2
    settle: float = 0.3
    path: str = CHAT


@dataclass(frozen=True, slots=True)
class Idle:
    """So many open streams that had one event each, for their memory."""

    number: int
    settle: float = 0.3


@dataclass(frozen=True, slots=True)
class Start:
    """From the start of the process until it is ready."""


Load = Plain | FirstEvent | Streams | Idle | Start


@dataclass(frozen=True, slots=True)
class Case:
    """`at` is where on the scenario's curve it lies."""

    contestant: Contestant
    load: Load
    at: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Its cases are measured in turn, `rounds` times. With `fresh`, each round starts its contestant anew.

    A case of a scenario that is `demanding` is left out, and that is said, if its contestant can't be started.
    """

    name: str
    cases: tuple[Case, ...]
    rounds: int = 9
    fresh: bool = False
    demanding: bool = False


GATEWAY, REDIS = Gateway(), Gateway("gateway redis", redis=True)
TWO = Gateway("gateway redis 2 workers", workers=2, redis=True)
DIRECT, NGINX, BARE = Direct(), Nginx(), Bare()
NGINX_TWO = Nginx("nginx 2 workers", workers=2)
TRANSLATING = Gateway("gateway messages")

STREAMS = Streams(400, 50)
_CURVE = ((10, 50.0), (100, 50.0), (1000, 10.0), (5000, 2.0))  # streams and events/s of each: 10,000 events/s at most
_PROXIES = (GATEWAY, NGINX, BARE)


def _all(load: Load, *contestants: Contestant) -> tuple[Case, ...]:
    return tuple(Case(contestant, load) for contestant in contestants)


def _with_keys(number: int) -> Gateway:
    return GATEWAY if number == GATEWAY.keys else Gateway(f"gateway {number} keys", keys=number)


def _with_models(number: int) -> Gateway:
    return GATEWAY if number == GATEWAY.models else Gateway(f"gateway {number} models", models=number)


def scenarios() -> Iterator[Scenario]:
    """In the order they run in."""
    yield Scenario("plain", _all(Plain(32), GATEWAY, REDIS, NGINX, BARE))
    yield Scenario("plain-1", _all(Plain(1, 0.6), DIRECT, GATEWAY, REDIS, NGINX, BARE))
    yield Scenario("plain-paced", _all(Plain(16, 1.0, 200), GATEWAY, REDIS, NGINX, BARE))
    yield Scenario("first-event", _all(FirstEvent(0.6), DIRECT, GATEWAY, REDIS, NGINX, BARE))
    yield Scenario("streams", _all(STREAMS, DIRECT, GATEWAY, REDIS, NGINX, BARE))
    yield Scenario("streams-1000", _all(Streams(1000, 30), GATEWAY, NGINX))
    few = Streams(100, 50)
    yield Scenario("translated", (Case(GATEWAY, few), Case(TRANSLATING, replace(few, path=MESSAGES))))
    for number, rate in _CURVE:
        cases = (Case(contestant, Streams(number, rate), number) for contestant in _PROXIES)
        yield Scenario("streams-number", tuple(cases), rounds=5 if number <= 1000 else 3)
    yield Scenario("memory", _all(Idle(2000), *_PROXIES), rounds=3, fresh=True)
    yield Scenario("workers-plain", _all(Plain(32), REDIS, TWO, NGINX, NGINX_TWO))
    yield Scenario("workers-streams", _all(STREAMS, REDIS, TWO, NGINX, NGINX_TWO))
    bodies = (Case(GATEWAY, Plain(4, body=size), size) for size in (KB, 10 * KB, 100 * KB, MB, 10 * MB))
    yield Scenario("bodies", tuple(bodies), rounds=5)
    keys = (Case(_with_keys(n), Plain(32, 0.7), n) for n in (10, 10_000, 100_000))
    yield Scenario("keys", tuple(keys), rounds=5, demanding=True)
    models = (Case(_with_models(n), Plain(32, 0.7), n) for n in (10, 1000, 10_000))
    yield Scenario("models", tuple(models), rounds=5, demanding=True)
    yield Scenario("start", _all(Start(), *_PROXIES), fresh=True)


def missing(contestant: Contestant) -> str | None:
    """What it needs and is not installed."""
    if isinstance(contestant, Nginx) and nginx_program() is None:
        return "nginx"
    if isinstance(contestant, Gateway) and contestant.redis and redis_program() is None:
        return "redis-server"
    return None


def too_many(load: Load, descriptors: int) -> bool:
    """Clients and upstream are one process, so each stream takes two of its file descriptors."""
    return isinstance(load, Streams | Idle) and load.number * 2 + 200 > descriptors


def quick(scenario: Scenario) -> Scenario:
    """A smoke run: one short round of everything that is not large."""
    cases = (replace(case, load=_short(case.load)) for case in scenario.cases if case.at in (0, 10, 1000, 10_000))
    return replace(scenario, cases=tuple(cases), rounds=1)


def _short(load: Load) -> Load:
    match load:
        case Plain() | FirstEvent():
            return replace(load, seconds=0.1)
        case Streams(number):
            return replace(load, number=min(number, 100), seconds=0.2, settle=0.1)
        case Idle():
            return Idle(100)
        case Start():
            return load
