"""The Record as one log line. Never a prompt, a key or a credential."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from gateway.core.outcome import Outcome, Record
from gateway.wire.headers import is_name

_LEVELS = {Outcome.INTERNAL: "error", Outcome.FAILED: "warning", Outcome.BROKEN: "warning"}


class _Attempt(msgspec.Struct):
    target: str
    outcome: str
    ms: float


class _Line(msgspec.Struct, omit_defaults=True):
    """The members of a line, in their order; what is None is left out. Times in milliseconds."""

    timestamp: str
    level: str
    event: str
    request_id: str
    call_id: str
    peer: str
    route: str
    attempts: list[_Attempt]
    status: int
    total_ms: float
    retry_count: int
    config_version: str
    key: str | None = None
    model_asked: str | None = None
    stream: bool | None = None
    tier: str | None = None
    model: str | None = None
    upstream: str | None = None
    outcome: Outcome | None = None
    code: str | None = None
    limit: str | None = None
    first_byte_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    usage_source: str | None = None
    cost_usd: float | None = None
    notes: list[str] | None = None
    pid: int | None = None


class RecordLog:
    """A `recorder.Reader` that renders without a chain of processors: a line a call is what the log costs."""

    def __init__(self, put: Callable[[bytes], None], pid: int | None = None) -> None:
        self._put = put
        self._pid = pid
        self._second = 0
        self._shown = ""
        self._encode = msgspec.json.Encoder().encode

    def read(self, record: Record) -> None:
        call, ask, caller, plan = record.call, record.ask, record.caller, record.plan
        target, usage, first_byte = record.target, record.usage, record.first_byte
        line = _Line(
            timestamp=self._timestamp(time.time() - time.monotonic() + record.ended),
            level=_LEVELS.get(record.outcome or Outcome.INTERNAL, "info"),
            event="call",
            request_id=call.request_id,
            call_id=call.id,
            peer=call.peer,
            route=call.endpoint,
            attempts=[_Attempt(str(a.target), a.outcome, _ms(a.seconds)) for a in record.attempts],
            status=record.status,
            total_ms=_ms(record.ended - call.started),
            retry_count=call.retry_count,
            config_version=record.config_version,
            key=caller.name if caller else None,
            model_asked=ask.model if ask and is_name(ask.model) else None,
            stream=ask.stream if ask else None,
            tier=plan.tier if plan else None,
            model=target.name if target else None,
            upstream=target.upstream.name if target else None,
            outcome=record.outcome,
            code=record.code,
            limit=record.limit,
            first_byte_ms=_ms(first_byte - call.started) if first_byte is not None else None,
            prompt_tokens=usage.prompt if usage else None,
            completion_tokens=usage.completion if usage else None,
            cached_tokens=usage.cached if usage else None,
            usage_source=usage.source if usage else None,
            cost_usd=usage.cost_usd(target.model.price) if usage and target else None,
            notes=record.notes or None,
            pid=self._pid,
        )
        self._put(self._encode(line))

    def flush(self) -> None:
        """Each line went out on its own."""

    def _timestamp(self, wall: float) -> str:
        second = int(wall)
        if second != self._second:
            self._second, self._shown = second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{self._shown}.{int((wall - second) * 1e6):06d}Z"


def _ms(seconds: float) -> float:
    """To a hundredth; `round` takes three times as long."""
    return int(seconds * 100_000 + 0.5) / 100
