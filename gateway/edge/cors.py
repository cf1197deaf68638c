"""Cross-origin requests: off unless origins are configured."""

from aiohttp import web

Headers = tuple[tuple[str, str], ...]

MAX_AGE = "600"
_ALLOWED_HEADERS = (
    "authorization, content-type, openai-beta, openai-organization, openai-project, "
    "x-api-key, x-complexity, x-provider, x-request-id, "
    "x-stainless-arch, x-stainless-async, x-stainless-custom-poll-interval, x-stainless-helper-method, "
    "x-stainless-lang, x-stainless-os, x-stainless-package-version, x-stainless-poll-helper, "
    "x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout"
)
_EXPOSED = (
    "x-request-id, x-model-name, x-model-tier, x-provider, x-fallback-chain, x-fallback-used, x-gateway-attempts, "
    "x-gateway-overhead-ms, x-gateway-config-version, x-gateway-degraded, x-upstream-request-id, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, "
    "x-ratelimit-limit, x-ratelimit-remaining, retry-after, retry-after-ms, x-should-retry"
)


class Cors:
    """`origins` are `scheme://host[:port]`, or `*`."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = origins

    def headers(self, request: web.BaseRequest) -> Headers:
        """For an answer; only a configured origin is ever repeated."""
        origin = self._allowed(request)
        if origin is None:
            return ()
        return (
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", _EXPOSED),
            ("vary", "Origin"),
        )

    def preflight(self, request: web.BaseRequest, methods: str) -> Headers | None:
        """For the answer to a preflight; None if this is none."""
        if self._allowed(request) is None or "Access-Control-Request-Method" not in request.headers:
            return None
        return (
            ("access-control-allow-methods", methods),
            ("access-control-allow-headers", _ALLOWED_HEADERS),
            ("access-control-max-age", MAX_AGE),
        )

    def _allowed(self, request: web.BaseRequest) -> str | None:
        if not self._origins:
            return None
        if "*" in self._origins:
            return "*"
        origin = request.headers.get("Origin")
        return origin if origin in self._origins else None
