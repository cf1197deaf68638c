"""OpenAI's Responses API: what passing it through and translating it both have to read."""

from collections.abc import Mapping

import msgspec

from gateway.core.fault import Fault
from gateway.core.outcome import Usage
from gateway.wire import openai
from gateway.wire.events import Json
from gateway.wire.usage import MAX_TOKENS

# Of an `error` or `response.failed` event: the status that it would have had before the stream. A code that is not
# here goes by its type, and without a type it is the upstream's own failure.
_CALLERS = (
    "invalid_prompt",
    "bio_policy",
    "cyber_policy",
    "misalignment_policy_violation",
    "data_residency_mismatch",
    "invalid_image",
    "invalid_image_format",
    "invalid_base64_image",
    "invalid_image_url",
    "invalid_image_mode",
    "image_too_large",
    "image_too_small",
    "image_parse_error",
    "image_content_policy_violation",
    "image_file_too_large",
    "unsupported_image_media_type",
    "empty_image_file",
    "failed_to_download_image",
    "image_file_not_found",
)
_STATUS: Mapping[str, int] = {
    **dict.fromkeys(_CALLERS, 400),
    "invalid_api_key": 401,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "usage_limit_reached": 429,
    "slow_down": 429,
    "server_error": 502,
    "server_is_overloaded": 503,
    "vector_store_timeout": 504,
}


class _Input(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Output(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Reported(msgspec.Struct):
    input_tokens: int
    output_tokens: int | None = None
    input_tokens_details: _Input | None = None
    output_tokens_details: _Output | None = None


class Tokens(msgspec.Struct, frozen=True):
    """`cached` and `written` are part of `read`, `reasoning` is part of `made`."""

    read: int
    made: int
    cached: int
    written: int
    reasoning: int


_reported = msgspec.json.Decoder(_Reported)
_objects = msgspec.json.Decoder(Json)


def read_tokens(usage: object) -> Tokens | None:
    """Of a usage that is read already. None for what is no usage."""
    try:
        return _believed(msgspec.convert(usage, _Reported))
    except (msgspec.MsgspecError, ValueError):
        return None


def read_responses_usage(raw: bytes | msgspec.Raw) -> Usage | None:
    """None for what is no usage: a missing or negative count, a string, an absurd number."""
    try:
        tokens = _believed(_reported.decode(raw))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return None if tokens is None else Usage(tokens.read, tokens.made, tokens.cached)


def read_failure(status: int, body: bytes) -> Fault:
    """Of an error body, and with status 200 of an `error` or `response.failed` event or a plain answer that failed."""
    if status != 200:
        return openai.read_failure(status, body)
    try:
        error = read_error(_objects.decode(body))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return openai.read_failure(status, b"")
    code = error["code"]
    known = _STATUS.get(code, status) if isinstance(code, str) else status
    return openai.read_failure(known, msgspec.json.encode({"error": error}))


def read_error(data: Json) -> Json:
    """`{"message", "type", "param", "code"}` of an event or answer that says what failed, as a stream tells it."""
    error = _error_of(data)
    code, kind, message, param = (error.get(name) for name in ("code", "type", "message", "param"))
    if not isinstance(kind, str) or kind == "error":
        refused = isinstance(code, str) and _STATUS.get(code) == 400
        kind = "invalid_request_error" if refused else "server_error"
    text = message if isinstance(message, str) else "The provider's stream failed."
    return {
        "message": text.encode(errors="replace")[: openai.MAX_MESSAGE].decode(errors="ignore"),
        "type": kind,
        "param": param if isinstance(param, str) else None,
        "code": code if isinstance(code, str | int) else "upstream_error",
    }


def _error_of(data: Json) -> Json:
    """Where it stands: in the response, by itself, or, as the reference has it for `error` events, spread out."""
    response = data.get("response")
    for holder in (response if isinstance(response, dict) else {}, data):
        if isinstance(error := holder.get("error"), dict):
            return error
        if isinstance(error, str):
            return {"message": error}
    return data


def _believed(reported: _Reported) -> Tokens | None:
    given = reported.input_tokens_details or _Input()
    made = reported.output_tokens_details or _Output()
    tokens = Tokens(
        reported.input_tokens,
        reported.output_tokens or 0,
        given.cached_tokens or 0,
        given.cache_write_tokens or 0,
        made.reasoning_tokens or 0,
    )
    if not (0 <= tokens.cached <= tokens.read <= MAX_TOKENS and 0 <= tokens.made <= MAX_TOKENS):
        return None
    return tokens
