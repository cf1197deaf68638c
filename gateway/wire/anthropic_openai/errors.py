"""Anthropic's error types (platform.claude.com, "Errors")."""

from gateway.wire.events import Json

_BY_STATUS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

# The gateway's codes and those of providers, where they say more than the status, or where there is none.
_BY_CODE = {
    "concurrency_limit_exceeded": "rate_limit_error",
    "context_length_exceeded": "invalid_request_error",
    "draining": "overloaded_error",
    "insufficient_quota": "billing_error",
    "no_available_upstream": "overloaded_error",
    "overloaded": "overloaded_error",
    "rate_limit_exceeded": "rate_limit_error",
    "upstream_rate_limited": "rate_limit_error",
    "upstream_timeout": "timeout_error",
}

# The types of chat completions, and Anthropic's own, which an upstream of Anthropic's schema leaves as they are.
_BY_TYPE = {
    "insufficient_quota": "billing_error",
    "requests": "rate_limit_error",
    "tokens": "rate_limit_error",
    "invalid_request_error": "invalid_request_error",
    **{kind: kind for kind in _BY_STATUS.values()},
}


def error_type(status: int, code: str | None) -> str:
    """For an HTTP status, and the code of the gateway or the provider."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    return _BY_STATUS.get(status, "invalid_request_error" if 400 <= status < 500 else "api_error")


def read_error(error: Json) -> Json:
    """The data of an error event, from `{"message", "type", "param", "code"}`; a code may be an HTTP status."""
    code, kind, message = error.get("code"), error.get("type"), error.get("message")
    if isinstance(code, str) and code in _BY_CODE:
        told = _BY_CODE[code]
    elif isinstance(kind, str) and kind in _BY_TYPE:
        told = _BY_TYPE[kind]
    else:
        status = code if isinstance(code, int) else 500
        told = error_type(status, None)
    text = message if isinstance(message, str) else "The provider's stream failed."
    return {"type": "error", "error": {"type": told, "message": text}}
