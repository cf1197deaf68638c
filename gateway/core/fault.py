"""How one attempt at one target failed: `flow/fallback` decides what follows from the type of a Fault alone."""

from gateway.core.errors import (
    Failed,
    Overloaded,
    Refusal,
    UpstreamAuthError,
    UpstreamEmpty,
    UpstreamProtocolError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
)


class Fault(Exception):
    """One attempt failed before its first good event.

    `code` names it in logs and metrics; `refusal` is what the client gets if it was the last word;
    `unhealthy` says whether it counts against the target; `cooldown` is how long the target asked to be left alone,
    `upstream_request_id` its own id of the attempt.
    """

    code: str
    refusal: type[Failed] = Failed
    unhealthy = True
    cooldown: float | None = None
    upstream_request_id: str | None = None


class ConnectFault(Fault):
    code, refusal = "up_connect", UpstreamUnreachable


class BusyFault(Fault):
    """Every connection that `max_connections` allows is in use."""

    code, refusal, unhealthy = "up_busy", Overloaded, False


class TimeoutFault(Fault):
    code, refusal = "up_timeout_first", UpstreamTimeout


class ConnectTimeoutFault(TimeoutFault):
    code = "up_connect_timeout"


class ResetFault(Fault):
    """The connection ended before a good answer did."""

    code = "up_reset"


class ProtocolFault(Fault):
    code, refusal = "up_protocol", UpstreamProtocolError


class EmptyFault(Fault):
    code, refusal = "up_empty", UpstreamEmpty


class StatusFault(Fault):
    """A status, or an error event in its place, that another target may not share."""

    code = "up_5xx"


class RateLimitFault(Fault):
    code, refusal = "up_429", UpstreamRateLimited


class AuthFault(Fault):
    code, refusal = "up_auth", UpstreamAuthError


class ModelMissingFault(Fault):
    """The upstream does not know the model: the route is wrong, the target is not ill."""

    code, unhealthy = "up_model_missing", False


class RejectedFault(Fault):
    """`rejection` is the upstream's own answer."""

    code, unhealthy = "up_4xx", False

    def __init__(self, rejection: UpstreamRejected) -> None:
        super().__init__(self.code)
        self.rejection = rejection


class ContextFault(RejectedFault):
    """Too long for this model; only a larger context window helps."""

    code = "up_context_length"


class ElsewhereFault(Fault):
    """Not for this target: what was asked can't be said in its API. `told` is what the client is told."""

    code, unhealthy = "up_inexpressible", False

    def __init__(self, told: Refusal) -> None:
        super().__init__(self.code)
        self.told = told


class CallerFault(RejectedFault):
    """The caller's own mistake, as the upstream sees it: no other target is tried."""
