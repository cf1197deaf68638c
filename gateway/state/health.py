"""How each target has been doing: breaker and cooldown, per process.

A breaker opens after 5 failures in a row, for 1 s, doubling to 60 s; then one probe at a time may try.
A good first byte lets traffic through again; only a call served to its end clears the count, so that
streams which keep breaking halfway still open it.
"""

import enum
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gateway.core.route import Exclusion, Target

THRESHOLD = 5
FIRST_PAUSE = 1.0
MAX_PAUSE = 60.0
MAX_ENTRIES = 10_000


class TargetState(enum.IntEnum):
    """As the metric shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2
    COOLDOWN = 3


@dataclass(slots=True)
class _Entry:
    key: tuple[str, str]
    failures: int = 0
    tripped: bool = False
    pause: float = 0.0
    open_until: float = 0.0
    cooldown_until: float = 0.0
    probing: bool = False


class Trial:
    """One attempt's stake in its target's health. Leaving the block without a verdict changes nothing but the probe."""

    __slots__ = ("_health", "_probe", "_target")

    def __init__(self, health: "Health", target: Target) -> None:
        self._health = health
        self._target = target
        self._probe = health.begin_probe(target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._probe:
            self._health.end_probe(self._target)
            self._probe = False

    def answered(self) -> None:
        """The first byte was good."""
        self._health.close_breaker(self._target)

    def served(self) -> None:
        """The call was served to its end."""
        self._health.clear(self._target)

    def failed(self, now: float) -> None:
        self._health.count_failure(self._target, now, probe=self._probe)


class Health:
    """Only targets that fail have an entry, and at most `MAX_ENTRIES` do: nothing bounds the names under a wildcard."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}

    @property
    def all_well(self) -> bool:
        """Whether no target has failed since it last served."""
        return not self._entries

    def _find(self, target: Target) -> _Entry | None:
        return self._entries.get((target.name, target.upstream.name)) if self._entries else None

    def _entry(self, target: Target) -> _Entry:
        entry = self._find(target)
        if entry is None:
            if len(self._entries) >= MAX_ENTRIES:
                del self._entries[next(iter(self._entries))]
            entry = self._entries[target.name, target.upstream.name] = _Entry(target.key)
        return entry

    def trial(self, target: Target) -> Trial:
        """To be asked for only while `exclusion` is None."""
        return Trial(self, target)

    def begin_probe(self, target: Target) -> bool:
        """Whether an attempt that begins now is the one that an open breaker lets through."""
        entry = self._find(target)
        if entry is None or not entry.tripped:
            return False
        entry.probing = True
        return True

    def end_probe(self, target: Target) -> None:
        if (entry := self._find(target)) is not None:
            entry.probing = False

    def close_breaker(self, target: Target) -> None:
        """One more failure opens it again, until a call is served."""
        entry = self._find(target)
        if entry is not None and entry.tripped:
            entry.failures = THRESHOLD - 1
            entry.tripped = False
            entry.open_until = 0.0

    def clear(self, target: Target) -> None:
        entry = self._find(target)
        if entry is not None:
            entry.failures = 0
            entry.pause = 0.0
            if not entry.cooldown_until:
                del self._entries[target.name, target.upstream.name]

    def count_failure(self, target: Target, now: float, *, probe: bool) -> None:
        """Failures of attempts that began before the breaker opened do not open it any longer."""
        entry = self._entry(target)
        entry.failures += 1
        if entry.failures >= THRESHOLD and (probe or not entry.tripped):
            entry.tripped = True
            entry.pause = min(entry.pause * 2, MAX_PAUSE) if entry.pause else FIRST_PAUSE
            entry.open_until = now + entry.pause

    def exclusion(self, target: Target, now: float) -> Exclusion | None:
        """Why nothing may be sent to the target now; None if something may."""
        entry = self._find(target)
        if entry is None:
            return None
        if entry.cooldown_until > now:
            return Exclusion.COOLDOWN
        if entry.tripped and (entry.open_until > now or entry.probing):
            return Exclusion.BREAKER_OPEN
        return None

    def cool(self, target: Target, until: float) -> None:
        entry = self._entry(target)
        entry.cooldown_until = max(entry.cooldown_until, until)

    def wait(self, target: Target, now: float) -> float:
        """Seconds until the target may be tried again; 0 if now."""
        entry = self._find(target)
        if entry is None:
            return 0.0
        until = max(entry.cooldown_until, entry.open_until)
        if entry.probing:
            until = max(until, now + FIRST_PAUSE)
        return max(0.0, until - now)

    def states(self, now: float) -> dict[tuple[str, str], TargetState]:
        """Of those with an entry, by configured model and upstream: of the names a wildcard covers, the worst."""
        states: dict[tuple[str, str], TargetState] = {}
        for entry in self._entries.values():
            states[entry.key] = max(_state(entry, now), states.get(entry.key, TargetState.CLOSED))
        return states


def _state(entry: _Entry, now: float) -> TargetState:
    if entry.cooldown_until > now:
        return TargetState.COOLDOWN
    if not entry.tripped:
        return TargetState.CLOSED
    return TargetState.OPEN if entry.open_until > now else TargetState.HALF_OPEN
