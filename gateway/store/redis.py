"""What is said to Redis: keys, scripts, their arguments, and what their answers mean.

All keys of one caller share a hash tag, so that each script runs where they all are. Whatever needs a rate or a
calendar is worked out here; the scripts add and compare whole numbers below 2^53.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from importlib import resources

from gateway.core.limits import DAY, Demand, Limits, Period, Rate, Use
from gateway.store.batch import Greeting
from gateway.store.command import Awaited, Command, Numbers, numbers
from gateway.store.failures import Failure
from gateway.store.resp import Reply, pack, pack_fields

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
# What a settlement is answered.
_DONE = (b"1", b"0")
# Callers whose phrases are kept; about a kilobyte each.
KNOWN = 8192
# Of the scripts, beside their keys.
ADMIT_FIELDS, SETTLE_FIELDS = 11, 7


def _script(name: str, keys: list[bytes], *fields: bytes) -> bytes:
    return pack([b"EVALSHA", _HASHES[name], b"%d" % len(keys), *keys, *fields])


GREETING = Greeting(tuple(_TEXTS.values()), probe=_script("renew", []))
_MAXMEMORY_POLICY = pack([b"CONFIG", b"GET", b"maxmemory-policy"])


def _keys(key: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Requests, tokens, leases, held."""
    tag = b"gw:{%b}:" % key.encode()
    return tag + b"rpm", tag + b"tpm", tag + b"leases", tag + b"held"


def _spend_key(key: str, period: Period | None, day: float) -> list[bytes]:
    """None without a budget; `day` is the wall clock's."""
    return [] if period is None else [f"gw:{{{key}}}:spend:{period.label(day * DAY)}".encode()]


def _microseconds(seconds: float) -> bytes:
    return b"%d" % (seconds * 1_000_000)


def _cost(rate: Rate | None, units: int) -> int:
    return 0 if rate is None else rate.cost(units)


def _capacity(rate: Rate | None) -> bytes:
    return _NONE if rate is None else b"%d" % rate.capacity


class _Phrases:
    """What commands for the calls of one caller begin with, its keys, and end with, its limits."""

    __slots__ = ("admit_head", "admit_tail", "day", "lease_ttl", "limits", "settle_head", "settle_tail")

    def __init__(self, demand: Demand, day: float, lease_ttl: float) -> None:
        self.limits, self.day, self.lease_ttl = demand.limits, day, lease_ttl
        limits, budget = demand.limits, demand.limits.budget
        period = None if budget is None else budget.period
        spend_ttl = b"0" if budget is None else _SPEND_TTL[budget.period]
        kept = _microseconds(KEPT * lease_ttl)
        keys = [*_keys(demand.key), *_spend_key(demand.key, period, day)]
        self.admit_head = _head("admit", keys, ADMIT_FIELDS)
        self.admit_tail = pack_fields(
            [
                b"%d" % _cost(limits.requests, 1),
                _capacity(limits.requests),
                _capacity(limits.tokens),
                _NONE if limits.streams is None else b"%d" % limits.streams,
                _NONE if budget is None else b"%d" % budget.micro_usd,
                spend_ttl,
                _microseconds(lease_ttl),
                kept,
            ]
        )
        self.settle_head = _head("settle", keys, SETTLE_FIELDS)
        self.settle_tail = pack_fields([spend_ttl, kept])


def _head(script: str, keys: list[bytes], fields: int) -> bytes:
    head = [b"EVALSHA", _HASHES[script], b"%d" % len(keys), *keys]
    return b"*%d\r\n%b" % (len(head) + fields, pack_fields(head))


_known: dict[str, _Phrases] = {}


def _phrases(demand: Demand, lease_ttl: float) -> _Phrases:
    known, day = _known.get(demand.key), demand.wall // DAY
    if known is not None and known.limits is demand.limits and known.day == day and known.lease_ttl == lease_ttl:
        return known
    if len(_known) >= KNOWN:
        _known.clear()
    known = _known[demand.key] = _Phrases(demand, day, lease_ttl)
    return known


def admit(demand: Demand, lease_ttl: float) -> bytes:
    phrases, limits = _phrases(demand, lease_ttl), demand.limits
    call = demand.call_id.encode()
    cost = b"%d" % (0 if limits.tokens is None else limits.tokens.cost(demand.tokens))
    micro_usd = b"%d" % (0 if limits.budget is None else demand.micro_usd)
    return b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (
        phrases.admit_head,
        len(call),
        call,
        len(cost),
        cost,
        len(micro_usd),
        micro_usd,
        phrases.admit_tail,
    )


def use(key: str, limits: Limits, wall: float, lease_ttl: float) -> bytes:
    requests, tokens, leases, _ = _keys(key)
    spend = _spend_key(key, None if limits.budget is None else limits.budget.period, wall // DAY)
    return _script(
        "use",
        [requests, tokens, leases, *spend],
        _capacity(limits.requests),
        _capacity(limits.tokens),
        _NONE if limits.streams is None else b"%d" % limits.streams,
        _microseconds(KEPT * lease_ttl),
    )


def read_use(answer: Numbers) -> Use:
    _, requests, tokens, streams, micro_usd = answer
    return Use(requests, tokens, streams, micro_usd)


class Ask(Awaited):
    """How far a caller's limits are used."""

    __slots__ = ()
    op = "use"
    count = 5


class Admit(Awaited):
    """Nobody's lease is left behind: if the caller is gone, whatever may have been admitted is released."""

    __slots__ = ("_release",)
    op = "admit"
    count = 5

    def __init__(
        self, future: asyncio.Future[Numbers | Failure], packed: bytes, deadline: float, release: Callable[[], None]
    ) -> None:
        super().__init__(future, packed, deadline)
        self._release = release

    def abandoned(self, reply: Numbers | Failure) -> None:
        ran = reply.unknown if isinstance(reply, Failure) else reply[0] == 1
        if ran:
            self._release()


class Eviction(Awaited):
    """Whether Redis forgets keys when its memory is full: 1 or 0. Many do not permit the question."""

    __slots__ = ()
    vital = False

    def __init__(self, future: asyncio.Future[Numbers | Failure], deadline: float) -> None:
        super().__init__(future, _MAXMEMORY_POLICY, deadline)

    def answered(self, reply: Reply) -> None:
        evicts = isinstance(reply, list) and len(reply) == 2 and reply[1] != b"noeviction"
        super().answered(b"%d" % evicts)


class Settlement(Command):
    """Sent until it is answered, FIRST only if the call was admitted over the connection there is now.

    `used` is tokens and micro-USD; `request` is what of the requests' bucket is given back (µs).
    """

    __slots__ = ("_demand", "_lease_ttl", "_mode", "_request", "_used")
    op = "settle"
    keep = True
    patient = True

    def __init__(
        self, demand: Demand, lease_ttl: float, mode: bytes, used: tuple[int, int] = (0, 0), request: int = 0
    ) -> None:
        self._demand = demand
        self._lease_ttl = lease_ttl
        self._mode = mode
        self._used = used
        self._request = request

    def packed(self) -> bytes:
        demand, (tokens, micro_usd) = self._demand, self._used
        phrases, rate = _phrases(demand, self._lease_ttl), demand.limits.tokens
        call = demand.call_id.encode()
        cost = b"%d" % (0 if rate is None else rate.cost(tokens))
        paid, request = b"%d" % micro_usd, b"%d" % self._request
        return b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (
            phrases.settle_head,
            len(call),
            call,
            len(cost),
            cost,
            len(paid),
            paid,
            len(self._mode),
            self._mode,
            len(request),
            request,
            phrases.settle_tail,
        )

    def answered(self, reply: Reply) -> None:
        if reply not in _DONE:
            raise ValueError("not whether it was settled now")

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
        self._packed = _script("renew", [leases, held], *lasts, *ids)

    def packed(self) -> bytes:
        return self._packed

    def answered(self, reply: Reply) -> None:
        numbers(reply, 1)
