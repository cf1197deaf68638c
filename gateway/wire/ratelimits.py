"""How a caller's limits are told: OpenAI's headers and wording, which clients parse."""

from gateway.core.limits import Demand, Rate, Verdict

Headers = tuple[tuple[str, str], ...]

DEGRADED = ("x-gateway-degraded", "limiter")


def duration(microseconds: int) -> str:
    """As Go writes it: `12ms`, `1s`, `1.5s`, `6m0s`, `1h0m0s`; whole milliseconds, rounded up."""
    milliseconds = -(-microseconds // 1000) if microseconds > 0 else 0
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, milliseconds = divmod(milliseconds, 60_000)
    seconds, milliseconds = divmod(milliseconds, 1000)
    text = f"{seconds}.{milliseconds:03}".rstrip("0") + "s" if milliseconds else f"{seconds}s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def headers(verdict: Verdict) -> Headers:
    """The numbers behind a verdict; `reset` is the time until the bucket is full. A caller without a rate has none."""
    requests, tokens, use = verdict.limits.requests, verdict.limits.tokens, verdict.use
    told: Headers = ()
    if requests is not None:
        limit, left = str(requests.per_minute), str(requests.left(use.requests))
        told = (
            ("x-ratelimit-limit-requests", limit),
            ("x-ratelimit-remaining-requests", left),
            ("x-ratelimit-reset-requests", duration(use.requests)),
            ("X-RateLimit-Limit", limit),
            ("X-RateLimit-Remaining", left),
        )
    if tokens is not None:
        told += (
            ("x-ratelimit-limit-tokens", str(tokens.per_minute)),
            ("x-ratelimit-remaining-tokens", str(tokens.left(use.tokens))),
            ("x-ratelimit-reset-tokens", duration(use.tokens)),
        )
    return (*told, DEGRADED) if verdict.degraded else told


def exhausted(model: str, what: str, rate: Rate, debt: int, requested: int, wait: int) -> str:
    """`what` is `requests per min (RPM)` or `tokens per min (TPM)`; `wait` is in microseconds."""
    used = rate.burst - rate.left(debt)
    seconds = f"{-(-wait // 1000) / 1000:.3f}".rstrip("0").rstrip(".")
    return (
        f"Rate limit reached for {model} on {what}: Limit {rate.per_minute}, Used {used}, Requested {requested}. "
        f"Please try again in {seconds}s."
    )


def too_large(model: str, demand: Demand) -> str:
    assert demand.limits.tokens is not None
    return (
        f"Request too large for {model} on tokens per min (TPM): Limit {demand.limits.tokens.burst}, "
        f"Requested {demand.tokens}. "
        "The prompt or the longest allowed answer must be shorter."
    )
