"""What an error status means in every schema of upstreams, whatever its body says."""

from gateway.core.fault import AuthFault, Fault, RateLimitFault, StatusFault

RETRYABLE = frozenset({408, 409, 425})


def read_status(status: int) -> Fault | None:
    """None if the body has to be read."""
    if status in (401, 403):
        return AuthFault()
    if status == 429:
        return RateLimitFault()
    if status in RETRYABLE or status >= 500:
        return StatusFault()
    return None
