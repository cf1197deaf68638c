"""One attempt after another until a first good event: the next target at once, the same one again only after all."""

from collections.abc import Awaitable, Callable
from random import Random
from types import TracebackType
from typing import Self

from gateway.core.clock import Clock
from gateway.core.errors import Failed, NoAvailableUpstream, Refusal, UpstreamRateLimited, UpstreamRejected
from gateway.core.fault import (
    AuthFault,
    CallerFault,
    ContextFault,
    ElsewhereFault,
    Fault,
    ModelMissingFault,
    TimeoutFault,
)
from gateway.core.outcome import AttemptResult, Outcome, Record
from gateway.core.ports import Answer, Upstreams
from gateway.core.route import Target
from gateway.state.health import Health, Trial
from gateway.wire.headers import MIN_COOLDOWN, retry_headers

BACKOFF = 0.25
MAX_BACKOFF = 4.0

# What a second attempt at the same target can't change.
_FINAL = (AuthFault, ModelMissingFault, ContextFault, ElsewhereFault)


class Served:
    """An answer in hand, and its target's stake in it; leaving the block settles both without waiting."""

    __slots__ = ("_clock", "_record", "_trial", "answer")

    def __init__(self, answer: Answer, trial: Trial, record: Record, clock: Clock) -> None:
        self.answer = answer
        self._trial = trial
        self._record = record
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._record.outcome is Outcome.OK:
            self._trial.served()
            self.answer.release()
            return
        if self._record.outcome is Outcome.BROKEN:
            self._trial.failed(self._clock())
        self.answer.abandon()


class Fallback:
    """Runs a plan. `sleep` and `random` are for the backoff."""

    def __init__(
        self,
        upstreams: Upstreams,
        health: Health,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
        random: Random,
    ) -> None:
        self._upstreams = upstreams
        self._health = health
        self._clock = clock
        self._sleep = sleep
        self._random = random

    async def run(self, record: Record) -> Served:
        """The first good answer. Raises what the last word of all faults amounts to: a Refusal."""
        assert record.plan is not None
        candidates = list(record.plan.targets)
        deadline = record.call.started + candidates[0].model.timeout
        last: list[Fault] = []
        turn = 0
        while candidates:
            for target in list(candidates):
                if target not in candidates or self._health.exclusion(target, self._clock()):
                    continue
                if self._clock() >= deadline:
                    raise self._last_word(record, [*last, TimeoutFault()])
                try:
                    return await self._attempt(target, record, deadline)
                except CallerFault as fault:
                    raise _rejected(record, fault) from None
                except Fault as fault:
                    last.append(fault.with_traceback(None))  # whose frames hold this list
                    candidates = _left(candidates, target, fault)
            turn += 1
            candidates = self._worth_retrying(candidates, turn)
            if candidates:
                await self._back_off(record, turn, deadline)
        raise self._last_word(record, last)

    async def _back_off(self, record: Record, turn: int, deadline: float) -> None:
        began = self._clock()
        pause = self._random.uniform(0, min(MAX_BACKOFF, BACKOFF * 2 ** (turn - 1)))
        await self._sleep(min(pause, max(0.0, deadline - began)))
        record.waited += self._clock() - began

    async def _attempt(self, target: Target, record: Record, deadline: float) -> Served:
        assert record.ask is not None
        began = self._clock()
        outcome = "cancelled"
        with self._health.trial(target) as trial:
            try:
                answer = await self._upstreams.attempt(target, record.call, record.ask, deadline)
                outcome = "ok"
            except Fault as fault:
                outcome = fault.code
                self._note(target, trial, fault)
                raise
            finally:
                record.attempts.append(AttemptResult(target, outcome, self._clock() - began))
            trial.answered()
        record.target = target
        return Served(answer, trial, record, self._clock)

    def _note(self, target: Target, trial: Trial, fault: Fault) -> None:
        now = self._clock()
        if fault.cooldown is not None:
            self._health.cool(target, now + fault.cooldown)
        if fault.unhealthy:
            trial.failed(now)

    def _worth_retrying(self, candidates: list[Target], turn: int) -> list[Target]:
        now = self._clock()
        return [t for t in candidates if t.model.max_retries >= turn and self._health.exclusion(t, now) is None]

    def _last_word(self, record: Record, faults: list[Fault]) -> Refusal:
        """WIRE's order: all 429, all timeouts, nothing could be tried, else 502 with the last one's code."""
        headers = _attempt_headers(record)
        if not faults:
            return NoAvailableUpstream(headers=headers + retry_headers(self._wait(record)))
        faults = [fault for fault in faults if not isinstance(fault, ElsewhereFault)] or faults
        last = faults[-1]
        if isinstance(last, ContextFault):
            return _rejected(record, last)
        if isinstance(last, ElsewhereFault):
            last.told.headers += headers
            return last.told
        kinds = {fault.refusal for fault in faults}
        if kinds == {UpstreamRateLimited}:
            return UpstreamRateLimited(headers=headers + retry_headers(self._wait(record)))
        if len(kinds) == 1 or last.refusal.status == Failed.status:
            refusal = last.refusal
            retry = retry_headers(MIN_COOLDOWN) if refusal.status == NoAvailableUpstream.status else ()
            return refusal(headers=headers + retry)
        return Failed(headers=headers)

    def _wait(self, record: Record) -> float:
        """The shortest time until one of the plan's targets may be tried again."""
        assert record.plan is not None
        now = self._clock()
        return max(MIN_COOLDOWN, min(self._health.wait(target, now) for target in record.plan.targets))


def _attempt_headers(record: Record) -> tuple[tuple[str, str], ...]:
    """After more than one attempt, an SDK's own retries would multiply them."""
    headers = (("x-gateway-attempts", str(len(record.attempts))),)
    return (*headers, ("x-should-retry", "false")) if len(record.attempts) > 1 else headers


def _rejected(record: Record, fault: CallerFault | ContextFault) -> UpstreamRejected:
    """The upstream's own answer, with whose it is."""
    target = record.attempts[-1].target
    headers = (*_attempt_headers(record), ("X-Model-Name", target.name), ("X-Provider", target.upstream.name))
    if fault.upstream_request_id is not None:
        headers += (("x-upstream-request-id", fault.upstream_request_id),)
    fault.rejection.headers = headers
    return fault.rejection


def _left(candidates: list[Target], target: Target, fault: Fault) -> list[Target]:
    """Who may still be tried after `target` failed so; a prompt too long only fits a known larger window."""
    if isinstance(fault, ContextFault):
        window = target.model.context_window
        return [t for t in candidates if window and t.model.context_window and t.model.context_window > window]
    if isinstance(fault, _FINAL):
        return [t for t in candidates if t is not target]
    return candidates
