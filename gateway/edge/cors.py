"""Cross-origin requests: off unless origins are configured."""

from gateway.edge.downstream import header_lines
from gateway.wire.headers import Fields

Headers = tuple[tuple[str, str], ...]

MAX_AGE = "600"
_ALLOWED_HEADERS = (
    "anthropic-beta, anthropic-dangerous-direct-browser-access, anthropic-version, "
    "authorization, content-type, openai-beta, openai-organization, openai-project, "
    "x-api-key, x-complexity, x-provider, x-request-id, "
    "x-stainless-arch, x-stainless-async, x-stainless-custom-poll-interval, x-stainless-helper-method, "
    "x-stainless-lang, x-stainless-os, x-stainless-package-version, x-stainless-poll-helper, "
    "x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout"
)
_EXPOSED = (
    "x-request-id, request-id, x-model-name, x-model-tier, x-provider, x-fallback-chain, x-fallback-used, "
    "x-gateway-attempts, x-gateway-overhead-ms, x-gateway-config-version, x-gateway-degraded, x-gateway-dropped, "
    "x-upstream-request-id, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, "
    "x-ratelimit-limit, x-ratelimit-remaining, retry-after, retry-after-ms, x-should-retry"
)


class Cors:
    """`origins` are `scheme://host[:port]`, or `*`."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = origins

    def lines(self, fields: Fields) -> str:
        """Header lines for an answer; only a configured origin is ever repeated."""
        origin = self._allowed(fields)
        if origin is None:
            return ""
        return header_lines(
            (
                ("access-control-allow-origin", origin),
                ("access-control-expose-headers", _EXPOSED),
                ("vary", "Origin"),
            )
        )

    def is_preflight(self, fields: Fields) -> bool:
        return self._allowed(fields) is not None and b"access-control-request-method" in fields

    def preflight(self, methods: str) -> Headers:
        """For the answer to a preflight."""
        return (
            ("access-control-allow-methods", methods),
            ("access-control-allow-headers", _ALLOWED_HEADERS),
            ("access-control-max-age", MAX_AGE),
        )

    def _allowed(self, fields: Fields) -> str | None:
        if not self._origins:
            return None
        if "*" in self._origins:
            return "*"
        origin = fields.get(b"origin", b"").decode("latin-1")
        return origin if origin in self._origins else None
