"""What may cross the gateway in headers, and how header values are read. Closed unless listed."""

import contextlib
import email.utils
import re
from collections.abc import Iterable, Mapping

Fields = Mapping[bytes, bytes]

FORWARDED = (b"accept", b"user-agent", b"openai-beta", b"anthropic-version", b"anthropic-beta")

MIN_COOLDOWN = 1.0
MAX_COOLDOWN = 60.0

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UPSTREAM_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,255}")
_MEDIA_TYPE = re.compile(
    r'[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+( *; *[A-Za-z0-9-]+=("[A-Za-z0-9 .,_/+-]*"|[A-Za-z0-9._+-]+))*'
)
_VISIBLE = re.compile(rb"[\x20-\x7e]{1,1024}")
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,6})?")


def is_request_id(value: str) -> bool:
    return _REQUEST_ID.fullmatch(value) is not None


def is_upstream_id(value: str) -> bool:
    return _UPSTREAM_ID.fullmatch(value) is not None


def is_name(value: str) -> bool:
    """Whether a model name is safe to show: in a header, a log line, a URL."""
    return _NAME.fullmatch(value) is not None and not {".", ".."} & {*value.split("/")}


def is_media_type(value: str) -> bool:
    """Whether a Content-Type is one that may be passed on (RFC 9110, section 8.3.1)."""
    return len(value) <= 256 and _MEDIA_TYPE.fullmatch(value) is not None


def read_fields(raw_headers: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Names in lower case. Of a repeated header all values, a line each: no value holds a line end."""
    fields: dict[bytes, bytes] = {}
    for raw_name, value in raw_headers:
        name = raw_name.lower()
        fields[name] = value if name not in fields else fields[name] + b"\n" + value
    return fields


def forwarded(fields: Fields) -> tuple[tuple[bytes, bytes], ...]:
    """The client's headers that an upstream may see, if they are of its API.

    Not those that `Connection` nominates (RFC 9110, section 7.6.1), nor values that are not visible ASCII.
    """
    connection = fields.get(b"connection", b"keep-alive").lower()
    kept_back = () if connection == b"keep-alive" else [*map(bytes.strip, re.split(rb"[,\n]", connection))]
    passed = []
    for name in FORWARDED:
        if name in fields and name not in kept_back:
            for value in fields[name].split(b"\n"):
                if _VISIBLE.fullmatch(value):
                    passed.append((name, value))
    return tuple(passed)


def read_retry_after(milliseconds: str | None, seconds: str | None, wall: float) -> float:
    """Seconds to leave a target alone (RFC 9110, section 10.2.3, and OpenAI's `retry-after-ms`), within 1 to 60.

    `seconds` may be an HTTP date, read against `wall`, the wall clock. What can't be read counts as 1.
    """
    wait = MIN_COOLDOWN
    if milliseconds is not None and _NUMBER.fullmatch(milliseconds):
        wait = float(milliseconds) / 1000
    elif seconds is not None and _NUMBER.fullmatch(seconds):
        wait = float(seconds)
    elif seconds is not None:
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            wait = email.utils.parsedate_to_datetime(seconds).timestamp() - wall
    return min(max(wait, MIN_COOLDOWN), MAX_COOLDOWN)


def retry_headers(wait: float) -> tuple[tuple[str, str], ...]:
    """`retry-after` in whole seconds, rounded up, and `retry-after-ms`.

    A wait over 60 s also says `x-should-retry: false`: openai-node would ignore it and retry within 8 s.
    """
    headers = [("retry-after", str(int(-(-wait // 1)))), ("retry-after-ms", str(int(-(-wait * 1000 // 1))))]
    if wait > MAX_COOLDOWN:
        headers.append(("x-should-retry", "false"))
    return tuple(headers)
