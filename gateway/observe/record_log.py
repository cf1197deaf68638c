"""The Record as one log line. Never a prompt, a key or a credential."""

import structlog

from gateway.core.outcome import Outcome, Record
from gateway.wire.headers import is_name

_LEVELS = {Outcome.INTERNAL: "error", Outcome.FAILED: "warning", Outcome.BROKEN: "warning"}


def log_record(record: Record) -> None:
    level = _LEVELS.get(record.outcome or Outcome.INTERNAL, "info")
    getattr(structlog.get_logger(), level)("call", **fields(record))


def fields(record: Record) -> dict[str, object]:
    """Times in milliseconds. A model name is shown only if it is safe to; what is not known yet is left out."""
    call, ask, plan, usage = record.call, record.ask, record.plan, record.usage
    shown: dict[str, object] = {
        "request_id": call.request_id,
        "call_id": call.id,
        "peer": call.peer,
        "route": call.endpoint.value,
        "key": record.caller.name if record.caller else None,
        "model_asked": ask.model if ask and is_name(ask.model) else None,
        "stream": ask.stream if ask else None,
        "tier": plan.tier if plan else None,
        "model": record.target.name if record.target else None,
        "upstream": record.target.upstream.name if record.target else None,
        "attempts": [{"target": str(a.target), "outcome": a.outcome, "ms": _ms(a.seconds)} for a in record.attempts],
        "status": record.status,
        "outcome": record.outcome.value if record.outcome else None,
        "code": record.code,
        "limit": record.limit.value if record.limit else None,
        "first_byte_ms": _ms(record.first_byte - call.started) if record.first_byte is not None else None,
        "total_ms": _ms(record.ended - call.started),
        "retry_count": call.retry_count,
        "config_version": record.config_version,
        "notes": record.notes or None,
    }
    if usage is not None:
        shown |= {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "cached_tokens": usage.cached,
            "usage_source": usage.source,
            "cost_usd": usage.cost_usd(record.target.model.price) if record.target else None,
        }
    return {name: value for name, value in shown.items() if value is not None}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
