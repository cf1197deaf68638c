"""Past the first byte: chunks go from the upstream's socket to the client's in one callback.

Nothing is retried here and nothing is promised: a stream ends complete, or with the error event and a cut.
"""

import asyncio
from collections.abc import Sequence

from gateway.core.clock import Clock, Timer, Timers
from gateway.core.errors import Break, ClientStalled, StreamFailed, StreamInterrupted, StreamTimeout
from gateway.core.outcome import AttemptResult, Outcome, Record, Usage
from gateway.core.ports import Answer, Downstream, Scanner
from gateway.core.route import Plan
from gateway.core.settings import ServerSettings
from gateway.state.live import Live, LiveCall
from gateway.wire.door import DOORS
from gateway.wire.usage import estimate_tokens

Headers = Sequence[tuple[str, str]]

SSE_HEADERS = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),
)


class Piping:
    """What every pipe of a configuration shares."""

    def __init__(self, settings: ServerSettings, timers: Timers, live: Live, clock: Clock) -> None:
        self._settings = settings
        self._timers = timers
        self._live = live
        self._clock = clock

    async def run(self, answer: Answer, downstream: Downstream, record: Record, call: LiveCall) -> None:
        """Sends the answer, and fills the Record with what became of it. Raises a Break."""
        record.first_byte = self._clock()
        record.status = 200
        headers = _decision(record, answer)
        if answer.scanner is None and answer.complete:
            body = answer.take()
            record.usage = answer.usage or _estimate(record, estimate_tokens(body))
            downstream.answer(200, (*answer.headers, *headers), body)
            if downstream.taken is not None:
                await downstream.drained()
            record.end(Outcome.OK, 200)
            return
        if record.ask is not None:
            record.ask.fields.clear()
            if record.ask.form is not None:
                record.ask.form.clear()
        pipe = Pipe(answer, downstream, record, self._settings, self._timers)
        with self._live.stream(call, pipe, answer.target.model.name):
            await pipe.run(headers)


class Pipe:
    """One stream under way: a Receiver of the upstream's chunks, a Reader of the client's backpressure."""

    __slots__ = (
        "_answer",
        "_cut_at",
        "_door",
        "_downstream",
        "_heard",
        "_over",
        "_paused",
        "_record",
        "_scanner",
        "_seen",
        "_settings",
        "_spoke",
        "_taken",
        "_timer",
        "_timers",
        "_took_at",
    )

    def __init__(
        self, answer: Answer, downstream: Downstream, record: Record, settings: ServerSettings, timers: Timers
    ) -> None:
        # the two ends
        self._answer = answer
        self._downstream = downstream
        self._scanner = answer.scanner
        self._record = record
        self._door = DOORS[record.call.endpoint]
        self._over: asyncio.Future[Break | None] = asyncio.get_running_loop().create_future()
        # time, all in the wheel's monotonic seconds
        self._timers = timers
        self._settings = settings
        self._timer: Timer | None = None
        self._cut_at = record.call.started + settings.total_timeout
        self._heard = self._seen = self._spoke = timers.now
        # backpressure
        self._paused = False
        self._taken: int | None = None
        self._took_at = timers.now

    async def run(self, headers: Headers) -> None:
        """Raises a Break."""
        try:
            self._downstream.attach(self)
            self._downstream.start(200, (*(SSE_HEADERS if self._scanner else self._answer.headers), *headers))
            self._forward(self._answer.take())
            self._answer.attach(self)
            self._watch()
            if (reason := await self._over) is not None:
                raise reason
            await self._downstream.drained()
        finally:
            self._downstream.attach(None)
            if self._timer is not None:
                self._timer.cancel()
            self._meter()

    # As a Receiver

    def chunk(self, payload: bytes, framed: bytes | None) -> None:
        self._heard = self._timers.now
        scanner = self._scanner
        out = payload if scanner is None else scanner.feed(payload)
        if out:
            self._seen = self._heard
        if scanner is not None and scanner.over:
            self._conclude(scanner, out)
        elif out is payload:
            self._downstream.write(payload, framed)
        elif out:
            self._downstream.write(out)

    def relay(self, data: bytes) -> bool:
        """The way of nearly every event: as it came, from one socket to the other."""
        scanner = self._scanner
        if scanner is None or not scanner.repeats(data) or not self._downstream.relay(data):
            return False
        scanner.events += 1
        self._heard = self._seen = self._timers.now
        return True

    def ended(self) -> None:
        if self._scanner is not None:
            self._forward(self._scanner.end())
            self.break_off(StreamInterrupted())
        else:
            self._finish()

    def broke(self) -> None:
        if self._scanner is not None:
            self.ended()
        else:
            self.break_off(StreamInterrupted())

    def _forward(self, out: bytes) -> None:
        if self._over.done():
            return
        if self._scanner is not None and self._scanner.over:
            self._conclude(self._scanner, out)
        elif out:
            self._downstream.write(out)

    def _conclude(self, scanner: Scanner, out: bytes) -> None:
        if not scanner.failed:
            self._finish(out)
            return
        if out:
            self._downstream.write(out)
        self.break_off(StreamFailed())

    def _finish(self, out: bytes = b"") -> None:
        """A client that leaves from here on has got everything: the call is settled now, not when its task wakes."""
        if self._over.done():
            return
        self._record.end(Outcome.OK, 200)
        self._downstream.finish(out)
        self._answer.release()
        self._over.set_result(None)

    def break_off(self, reason: Break) -> None:
        """End the stream so that no client takes it for complete."""
        if self._over.done():
            return
        self._record.end(reason.outcome, reason.status, reason.code)
        can_speak = self._scanner is not None and self._scanner.at_boundary and not self._scanner.failed
        self._downstream.cut(self._door.error_event(reason) if can_speak else b"")
        self._answer.abandon()
        self._over.set_result(reason)

    # As a Reader

    def pause(self) -> None:
        self._paused = True
        self._taken, self._took_at = self._downstream.taken, self._timers.now
        self._answer.pause()

    def resume(self) -> None:
        self._paused = False
        self._heard = self._seen = self._timers.now
        self._answer.resume()

    # Time

    def _watch(self) -> None:
        """Look at every clock of the stream, and set the one timer for the next that may run out."""
        if self._over.done():
            return
        now = self._timers.now
        idle_timeout = self._answer.target.model.idle_timeout
        if now >= self._cut_at or (not self._paused and now - self._heard >= idle_timeout):
            self.break_off(StreamTimeout())
        elif self._is_stalled(now):
            self.break_off(ClientStalled())
        else:
            self._ping(now)
            self._timer = self._timers.at(self._next_look(now, idle_timeout), self._watch)

    def _is_stalled(self, now: float) -> bool:
        taken = self._downstream.taken
        if taken is None or taken != self._taken:
            self._taken, self._took_at = taken, now
            return False
        return now - self._took_at >= self._settings.write_timeout

    def _ping(self, now: float) -> None:
        """A proxy in between may close a silent stream; in words that no SDK takes for an event (WIRE, measured)."""
        interval = self._settings.keep_alive_interval
        if not interval or self._paused or self._scanner is None or not self._scanner.at_boundary:
            return
        if now - max(self._seen, self._spoke) >= interval:
            self._spoke = now
            self._downstream.write(self._door.ping)

    def _next_look(self, now: float, idle_timeout: float) -> float:
        due = [self._cut_at, now + self._settings.write_timeout / 4]
        if not self._paused:
            due.append(self._heard + idle_timeout)
        if self._settings.keep_alive_interval:
            due.append(max(self._seen, self._spoke, now if self._paused else 0) + self._settings.keep_alive_interval)
        return min(due)

    def _meter(self) -> None:
        """What the provider reported, or else an estimate; notes of what was odd about the stream."""
        scanner = self._scanner
        if scanner is None:
            self._record.usage = self._answer.usage or _estimate(self._record, 0)
            return
        self._record.events = scanner.events
        self._record.usage = scanner.usage or _estimate(self._record, scanner.events)
        if scanner.appended_done:
            self._record.notes.append("missing_done")
        if scanner.usage_invalid:
            self._record.notes.append("usage_invalid")


def _estimate(record: Record, completion: int) -> Usage:
    return Usage(record.ask.prompt_tokens if record.ask else 0, completion, source="estimated")


def _untried(plan: Plan, attempts: Sequence[AttemptResult]) -> list[str]:
    tried = {attempt.target.name for attempt in attempts}
    return [target.name for target in plan.targets if target.name not in tried]


def _decision(record: Record, answer: Answer) -> list[tuple[str, str]]:
    """The headers that say what was decided."""
    assert record.plan is not None
    target = answer.target
    headers = [
        ("X-Model-Name", target.name),
        ("X-Provider", target.upstream.name),
        ("x-gateway-attempts", str(len(record.attempts))),
        ("x-gateway-overhead-ms", f"{record.overhead * 1000:.2f}"),
    ]
    if record.plan.tier is not None:
        headers.append(("X-Model-Tier", record.plan.tier))
    if len(record.plan.targets) > 1 and (untried := _untried(record.plan, record.attempts)):
        headers.append(("X-Fallback-Chain", ",".join(untried)))
    if target is not record.plan.preferred:
        headers.append(("X-Fallback-Used", "true"))
    if answer.dropped:
        headers.append(("x-gateway-dropped", ",".join(answer.dropped)))
    if answer.upstream_request_id is not None:
        headers.append(("x-upstream-request-id", answer.upstream_request_id))
    return headers
