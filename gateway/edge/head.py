"""What aiohttp's parser takes and a gateway must not, because the next server may read it in another way."""

import re
from functools import lru_cache

from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage

from gateway.core.errors import BadRequest, MethodNotAllowed, Refusal
from gateway.wire.headers import Fields

MAX_PORT = 65535

# A name or an address, as in RFC 3986, section 3.2, without user information and sub-delimiters.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?")


def find_fault(message: RawRequestMessage, fields: Fields) -> Refusal | None:
    """None for a head that may be served."""
    if message.version is HttpVersion11 and message.path[0] == "/" and not message.chunked and is_host(fields[b"host"]):
        return None
    if message.method == "CONNECT":
        return MethodNotAllowed(headers=(("allow", "GET, HEAD, POST"),), close=True)
    return None if _is_sound(message, fields) else BadRequest(close=True)


def _is_sound(message: RawRequestMessage, fields: Fields) -> bool:
    """The only encoding is `chunked`, which HTTP/1.0 does not have (RFC 9112, section 6.1); the target is a path, or
    the `*` of OPTIONS.
    """
    if message.version not in (HttpVersion10, HttpVersion11):
        return False
    if message.chunked and (message.version == HttpVersion10 or fields[b"transfer-encoding"].lower() != b"chunked"):
        return False
    if b"host" in fields and not is_host(fields[b"host"]):
        return False
    return message.path[0] == "/" or (message.path == "*" and message.method == "OPTIONS")


@lru_cache(maxsize=256)
def is_host(value: bytes) -> bool:
    """Whether it is a host with or without a port; clients send few different ones."""
    found = _HOST.fullmatch(value)
    return found is not None and int(found[1] or 0) <= MAX_PORT
