"""What operators and probes ask: `/healthz`, `/readyz`, `/metrics`, `/health/ai`."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from gateway.core.errors import UnknownUrl
from gateway.core.outcome import Check
from gateway.core.settings import ServerSettings
from gateway.edge.ingress import is_in
from gateway.edge.request import Request

_FORWARDING = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"true-client-ip", b"cf-connecting-ip", b"via")


def require_operator(request: Request, settings: ServerSettings) -> None:
    """Raises UnknownUrl unless the peer itself is in `metrics_allow`, and nobody forwards for somebody else."""
    if any(name in request.fields for name in _FORWARDING) or not is_in(request.peer, settings.metrics_allow):
        raise UnknownUrl


def report(checks: Sequence[Check]) -> bytes:
    """`/health/ai`: healthy if all are, down if none is, else degraded."""
    healthy = sum(check.status == "healthy" for check in checks)
    status = "healthy" if healthy == len(checks) else "degraded" if healthy else "down"
    timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return msgspec.json.encode({"status": status, "timestamp": timestamp, "checks": checks})
