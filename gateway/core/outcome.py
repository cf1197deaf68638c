"""What became of a call: the closed set of outcomes, its attempts, its usage, and the one Record of it all."""

import enum
from dataclasses import dataclass

import msgspec

from gateway.core.call import Ask, Call, Caller
from gateway.core.limits import Limit
from gateway.core.route import Plan, Price, Target

CLIENT_CLOSED_REQUEST = 499


class Outcome(enum.StrEnum):
    """The rows of the outcome table; every Record has exactly one."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"
    BROKEN = "broken"
    CLIENT_GONE = "client_gone"
    DRAINED = "drained"
    INTERNAL = "internal"


class Usage(msgspec.Struct, frozen=True):
    """Tokens. `source` is `provider`, or `estimated` where the provider reported nothing usable."""

    prompt: int
    completion: int
    cached: int = 0
    source: str = "provider"

    def cost_usd(self, price: Price | None) -> float | None:
        """USD, or None without a price; cached prompt tokens at their own price where there is one."""
        return None if price is None else round(price.exact(self.prompt, self.completion, self.cached) / 1e6, 9)

    def micro_usd(self, price: Price | None) -> int:
        """Whole micro-USD, rounded up; 0 without a price."""
        return 0 if price is None else price.micro_usd(self.prompt, self.completion, self.cached)


class AttemptResult(msgspec.Struct, frozen=True):
    """One attempt as the Record keeps it: `outcome` is `ok` or a fault's code, `seconds` to its first byte or end."""

    target: Target
    outcome: str
    seconds: float


class Record(msgspec.Struct, eq=False):
    """The one account of a call, filled while it runs and read by logs and metrics after it ended.

    Times are monotonic seconds; `code` is the error code the client saw or the reason a stream was cut;
    `waited` are seconds spent on the client's upload and on backoff; `limit` is what refused the call.
    """

    call: Call
    config_version: str = ""
    caller: Caller | None = None
    ask: Ask | None = None
    plan: Plan | None = None
    target: Target | None = None
    attempts: list[AttemptResult] = []
    status: int = 0
    outcome: Outcome | None = None
    code: str | None = None
    limit: Limit | None = None
    first_byte: float | None = None
    ended: float = 0.0
    usage: Usage | None = None
    waited: float = 0.0
    events: int = 0
    notes: list[str] = []

    def end(self, outcome: Outcome, status: int, code: str | None = None) -> None:
        self.outcome, self.status, self.code = outcome, status, code

    @property
    def overhead(self) -> float:
        """Seconds of the gateway itself before the first byte: without attempts, backoff and the client's upload."""
        assert self.first_byte is not None
        own = self.first_byte - self.call.started - self.waited
        for attempt in self.attempts:
            own -= attempt.seconds
        return own if own > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """How one upstream answered its models endpoint: healthy, degraded or down; `error` is an error code or None."""

    service: str
    status: str
    latency_ms: float
    error: str | None
