"""Usage as providers report it, believed only as far as it makes sense."""

import re

import msgspec

from gateway.core.outcome import Usage

MAX_TOKENS = 10_000_000
TWICE_BYTES_PER_TOKEN = 7
DATA_URL_TOKENS = 1000
# Each takes a fifth of a microsecond to find, and a body may be made of millions.
MAX_DATA_URLS = 10_000

NOTHING = msgspec.Raw()
_NULL = msgspec.Raw(b"null")
_DATA_URL = re.compile(rb'"data:[^"]*"')


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Reported(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


_decoder = msgspec.json.Decoder(_Reported)


def is_nothing(raw: msgspec.Raw) -> bool:
    """Of a member of an object: missing, or null."""
    return raw in (NOTHING, _NULL)


def read_usage(raw: bytes | msgspec.Raw) -> Usage | None:
    """None for what is no usage: a missing or negative count, a string, an absurd number."""
    try:
        reported = _decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError):
        return None
    completion = reported.completion_tokens or 0
    details = reported.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    if not (0 <= cached <= reported.prompt_tokens <= MAX_TOKENS and 0 <= completion <= MAX_TOKENS):
        return None
    return Usage(reported.prompt_tokens, completion, cached)


def estimate_tokens(text: bytes) -> int:
    """Tokens in JSON text: bytes / 3.5, rounded up, and 1,000 for each of the first `data:` URLs of any length."""
    urls = 0
    if b'"data:' in text:
        text, urls = _DATA_URL.subn(b"", text, MAX_DATA_URLS)
    return -(-2 * len(text) // TWICE_BYTES_PER_TOKEN) + urls * DATA_URL_TOKENS
