"""What is said to Redis: keys, scripts, their arguments, and what their answers mean.

All keys of one caller share a hash tag, so that each script runs where they all are. Whatever needs a rate or a
calendar is worked out here; the scripts add and compare whole numbers below 2^53.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib import resources

from gateway.core.limits import Demand, Limits, Period, Rate, Use
from gateway.store.batch import Greeting
from gateway.store.command import Awaited, Command, Reply, numbers
from gateway.store.failures import Failure
from gateway.store.link import pack

_FOLDER = resources.files("gateway.store") / "scripts"
_TEXTS = {name: (_FOLDER / f"{name}.lua").read_bytes() for name in ("admit", "settle", "renew", "use")}
_HASHES = {name: hashlib.sha1(text, usedforsecurity=False).hexdigest().encode() for name, text in _TEXTS.items()}

# An ended lease and what it reserved are kept for so many TTLs, for a late settlement to be found.
KEPT = 10
# Of one renewal: the script must not hold up the others.
CHUNK = 500
# One whole period after its last call, so that it outlives its own.
_SPEND_TTL = {Period.DAY: b"86400", Period.WEEK: b"604800", Period.MONTH: b"2678400"}

# What may still be under way when a call is settled; see settle.lua.
FIRST, AGAIN, ONCE = b"first", b"again", b"once"

_NONE = b"-1"


def _script(name: str, keys: Sequence[bytes], *fields: bytes) -> bytes:
    return pack([b"EVALSHA", _HASHES[name], b"%d" % len(keys), *keys, *fields])


GREETING = Greeting(tuple(_TEXTS.values()), probe=_script("renew", ()))
_MAXMEMORY_POLICY = pack([b"CONFIG", b"GET", b"maxmemory-policy"])


@lru_cache(maxsize=8192)
def _keys(key: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Requests, tokens, leases, held."""
    tag = b"gw:{%b}:" % key.encode()
    return tag + b"rpm", tag + b"tpm", tag + b"leases", tag + b"held"


def _keys_with_spend(key: str, limits: Limits, wall: float) -> tuple[bytes, ...]:
    """The last one only with a budget."""
    keys, budget = _keys(key), limits.budget
    if budget is None:
        return keys
    return (*keys, f"gw:{{{key}}}:spend:{budget.period.label(wall)}".encode())


def _microseconds(seconds: float) -> bytes:
    return b"%d" % (seconds * 1_000_000)


def _cost(rate: Rate | None, units: int) -> int:
    return 0 if rate is None else rate.cost(units)


def _capacity(rate: Rate | None) -> bytes:
    return _NONE if rate is None else b"%d" % rate.capacity


def admit(demand: Demand, lease_ttl: float) -> bytes:
    limits, budget = demand.limits, demand.limits.budget
    return _script(
        "admit",
        _keys_with_spend(demand.key, limits, demand.wall),
        demand.call_id.encode(),
        b"%d" % _cost(limits.requests, 1),
        _capacity(limits.requests),
        b"%d" % _cost(limits.tokens, demand.tokens),
        _capacity(limits.tokens),
        _NONE if limits.streams is None else b"%d" % limits.streams,
        b"%d" % (0 if budget is None else demand.micro_usd),
        _NONE if budget is None else b"%d" % budget.micro_usd,
        b"0" if budget is None else _SPEND_TTL[budget.period],
        _microseconds(lease_ttl),
        _microseconds(KEPT * lease_ttl),
    )


def use(key: str, limits: Limits, wall: float, lease_ttl: float) -> bytes:
    requests, tokens, leases, _, *spend = _keys_with_spend(key, limits, wall)
    return _script(
        "use",
        (requests, tokens, leases, *spend),
        _capacity(limits.requests),
        _capacity(limits.tokens),
        _NONE if limits.streams is None else b"%d" % limits.streams,
        _microseconds(KEPT * lease_ttl),
    )


def read_use(answer: tuple[int, ...]) -> Use:
    _, requests, tokens, streams, micro_usd = answer
    return Use(requests, tokens, streams, micro_usd)


class Admit(Awaited):
    """Nobody's lease is left behind: if the caller is gone, whatever may have been admitted is released."""

    __slots__ = ("_release",)

    def __init__(self, packed: bytes, deadline: float, release: Callable[[], None]) -> None:
        super().__init__("admit", packed, 5, deadline)
        self._release = release

    def abandoned(self, reply: Reply) -> None:
        ran = reply.unknown if isinstance(reply, Failure) else reply[0] == 1
        if ran:
            self._release()


class Eviction(Awaited):
    """Whether Redis forgets keys when its memory is full: 1 or 0. Many do not permit the question."""

    __slots__ = ()
    vital = False

    def __init__(self, deadline: float) -> None:
        super().__init__("connect", _MAXMEMORY_POLICY, 1, deadline)

    def answered(self, reply: object) -> None:
        evicts = isinstance(reply, list) and len(reply) == 2 and reply[1] != b"noeviction"
        self._resolve((int(evicts),))


class Settlement(Command):
    """Sent until it is answered, FIRST only if the call was admitted over the connection there is now.

    `used` is tokens and micro-USD; `request` is what of the requests' bucket is given back (µs).
    """

    __slots__ = ("_fields", "_keys", "_mode")
    op = "settle"
    keep = True

    def __init__(
        self, demand: Demand, lease_ttl: float, mode: bytes, used: tuple[int, int] = (0, 0), request: int = 0
    ) -> None:
        limits, (tokens, micro_usd) = demand.limits, used
        self._mode = mode
        self._keys = _keys_with_spend(demand.key, limits, demand.wall)
        self._fields = (
            demand.call_id.encode(),
            b"%d" % _cost(limits.tokens, tokens),
            b"%d" % micro_usd,
            b"%d" % request,
            b"0" if limits.budget is None else _SPEND_TTL[limits.budget.period],
            _microseconds(KEPT * lease_ttl),
        )

    def packed(self) -> bytes:
        call_id, cost, micro_usd, *rest = self._fields
        return _script("settle", self._keys, call_id, cost, micro_usd, self._mode, *rest)

    def answered(self, reply: object) -> None:
        numbers(reply, 1)

    def unanswered(self) -> None:
        if self._mode == FIRST:
            self._mode = AGAIN

    def passed_over(self) -> None:
        """A renewal of the call may still be under way on the connection that was lost."""
        if self._mode == FIRST:
            self._mode = ONCE


def release(demand: Demand, lease_ttl: float) -> Settlement:
    """Of an admission that nobody makes use of: it may have run, may yet run, and must come to nothing."""
    return Settlement(demand, lease_ttl, ONCE, request=_cost(demand.limits.requests, 1))


class Renewal(Command):
    """Of one key's running calls, at most CHUNK."""

    __slots__ = ("_packed",)
    op = "renew"

    def __init__(self, key: str, call_ids: Iterable[str], lease_ttl: float) -> None:
        _, _, leases, held = _keys(key)
        ids = [call_id.encode() for call_id in call_ids]
        lasts = _microseconds(lease_ttl), _microseconds(KEPT * lease_ttl)
        self._packed = _script("renew", (leases, held), *lasts, *ids)

    def packed(self) -> bytes:
        return self._packed

    def answered(self, reply: object) -> None:
        numbers(reply, 1)
