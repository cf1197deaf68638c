"""The types of single values: each parses its text, or raises ValueError with a sentence that quotes nothing.

The patterns are those of the JSON Schema too, which lets any of them hold `${VAR}` instead.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from gateway.config.addresses import Address, BaseUrl, address, base_url, network, origin, store_url, text_of
from gateway.config.interpolation import Interpolated
from gateway.config.scalars import scalar
from gateway.core.settings import Network as Net

DURATION = r"^[0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h)$"
SIZE = r"^[0-9]{1,12}(B|KB|MB|GB|KiB|MiB|GiB)$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
MODEL_NAME = r"^(?=.{1,128}$)([A-Za-z0-9][A-Za-z0-9._@/:+-]*\*?|\*)$"
GLOB = r"^[A-Za-z0-9._@/:+*-]{1,128}$"
REMOTE = r"^(?=.{1,256}$)[^\s*]*\*?[^\s*]*$"
URL = r"^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+(/[^?#\s]*)?$"
STORE_URL = r"^(memory://|rediss?://[^?#\s]+|file:/.+)$"
LISTEN = r"^(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):[0-9]{1,5}$"
ORIGIN = r"^(\*|[A-Za-z][A-Za-z0-9+.-]*://[^/?#@\s]+)$"
HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$"
HEADER_VALUE = r"^[\t\x20-\x7e]{0,8192}$"
CREDENTIAL = r"^[\x21-\x7e]{1,8192}$"
HEX64 = r"^[0-9a-fA-F]{64}$"
EXPIRES = r"^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|z|[+-]\d\d:\d\d)?)?$"

MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
MAX_SECONDS = 7 * 24 * 3600.0
MAX_SIZE = 1 << 30
MAX_WORKERS = 256
MAX_USD = 1_000_000_000
RESERVED = "auto"
BODY_RESERVED = ("model", "stream", "messages", "input")
# Set by the gateway for each request (RFC 9110, sections 6.4, 7.2 and 7.6.1, among others), so never configured.
HEADERS_RESERVED = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


def _matching(pattern: str, message: str) -> Any:
    """A text of that pattern."""
    compiled = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise ValueError(message)
        return text

    return AfterValidator(check)


def duration(value: object) -> float:
    """Seconds; 0 may stand without a unit."""
    if isinstance(value, str) and (match := re.fullmatch(DURATION, value, re.ASCII)):
        seconds = float(value.removesuffix(match[2])) * MILLISECONDS[match[2]] / 1000
    elif (type(value) is int and value == 0) or (isinstance(value, Interpolated) and value == "0"):
        seconds = 0.0
    else:
        raise ValueError("must be a duration with its unit, such as 500ms, 15s, 2m or 1h")
    if seconds > MAX_SECONDS:
        raise ValueError("must be at most 168h")
    return seconds


def _positive_duration(value: object) -> float:
    seconds = duration(value)
    if seconds == 0:
        raise ValueError("must be greater than 0")
    return seconds


def _duration_between(least: float, most: float, rule: str) -> Callable[[object], float]:
    def check(value: object) -> float:
        seconds = duration(value)
        if not least <= seconds <= most:
            raise ValueError(rule)
        return seconds

    return check


def size(value: object) -> int:
    """Bytes."""
    if isinstance(value, Interpolated) and re.fullmatch(r"[0-9]{1,12}", value, re.ASCII):
        value = int(value)
    if isinstance(value, str) and (match := re.fullmatch(SIZE, value, re.ASCII)):
        value = int(value.removesuffix(match[1])) * BYTES[match[1]]
    if type(value) is not int:
        raise ValueError("must be a size such as 20MiB, 64KiB or 1MB, or a whole number of bytes")
    if not 0 < value <= MAX_SIZE:
        raise ValueError("must be between 1 byte and 1GiB")
    return value


def number(value: object) -> object:
    return scalar(value) if isinstance(value, Interpolated) else value


def workers(value: object) -> int | Literal["auto"]:
    count = number(value)
    if count == "auto":
        return "auto"
    if type(count) is not int:
        raise ValueError("must be a whole number, or auto")
    if not 1 <= count <= MAX_WORKERS:
        raise ValueError(f"must be between 1 and {MAX_WORKERS}, or auto")
    return count


def usd(value: object) -> int:
    """Micro-USD."""
    amount = number(value)
    if not isinstance(amount, int | float) or isinstance(amount, bool):
        raise ValueError("must be a number")
    if not math.isfinite(amount):
        raise ValueError("must be a finite number")
    if amount <= 0:
        raise ValueError("must be greater than 0")
    if amount > MAX_USD:
        raise ValueError(f"must be at most {MAX_USD}")
    micro_usd = round(amount * 1_000_000)
    if micro_usd / 1_000_000 != amount:
        raise ValueError("must have at most 6 decimals")
    return micro_usd


def expires(value: object) -> float:
    """Seconds since 1970; a date is its first moment, and what has no offset is UTC."""
    text = text_of(value)
    try:
        if not re.fullmatch(EXPIRES, text, re.ASCII):
            raise ValueError
        moment = datetime.fromisoformat(text.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("must be a date or time such as 2027-01-31 or 2027-01-31T18:00:00Z") from None


def _body_field(name: str) -> str:
    if name in BODY_RESERVED:
        raise ValueError("cannot have a default: it is always the caller's own")
    return name


def _body_value(value: object) -> object:
    """JSON, with the numbers that a JSON encoder can write."""
    match value:
        case dict():
            return {key: _body_value(child) for key, child in value.items()}
        case list():
            return [_body_value(child) for child in value]
        case float() if not math.isfinite(value):
            raise ValueError("must be JSON: no infinite or undefined number")
        case int() if not -(1 << 63) <= value < 1 << 64:
            raise ValueError("must be JSON: a whole number of at most 64 bits")
    return str(value) if isinstance(value, Interpolated) else value


def _header_name(name: str) -> str:
    if name.lower() in HEADERS_RESERVED:
        raise ValueError("cannot be configured: the gateway sets or refuses this header itself")
    return name


def _unreserved(name: str) -> str:
    if name == RESERVED:
        raise ValueError(f"'{RESERVED}' is reserved: it picks a tier by complexity")
    return name


def _schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


NAME_RULE = "must be a name: a letter or digit, then at most 63 letters, digits, '.', '_', '@' or '-'"
MODEL_RULE = (
    "must be a model name: a letter or digit, then letters, digits, any of '._@/:+-', "
    "and perhaps one '*' at the end; at most 128 characters"
)

Number = BeforeValidator(number)
Duration = Annotated[float, PlainValidator(_positive_duration), _schema(DURATION)]
DurationOrOff = Annotated[
    float,
    PlainValidator(duration),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION}, {"const": 0}]}),
]
StoreTimeout = Annotated[
    float, PlainValidator(_duration_between(0.001, 1, "must be between 1ms and 1s")), _schema(DURATION)
]
LeaseTtl = Annotated[float, PlainValidator(_duration_between(5, 600, "must be between 5s and 10m")), _schema(DURATION)]
Workers = Annotated[
    int | Literal["auto"],
    PlainValidator(workers),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_WORKERS}, {"const": "auto"}]}),
]
Usd = Annotated[int, PlainValidator(usd), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": MAX_USD})]
Size = Annotated[
    int,
    PlainValidator(size),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": SIZE}, {"type": "integer", "minimum": 1}]}),
]
Url = Annotated[BaseUrl, PlainValidator(base_url), _schema(URL)]
StoreUrl = Annotated[str, PlainValidator(store_url), _schema(STORE_URL)]
Listen = Annotated[Address, PlainValidator(address), _schema(LISTEN)]
Network = Annotated[Net, PlainValidator(network), WithJsonSchema({"type": "string"})]
Origin = Annotated[str, PlainValidator(origin), _schema(ORIGIN)]
Expires = Annotated[float, PlainValidator(expires), _schema(EXPIRES)]
DIALECT = {"enum": ["openai", "azure", "anthropic", "gemini", "responses"]}
Name = Annotated[str, _matching(NAME, NAME_RULE), _schema(NAME)]
RoutableName = Annotated[str, _matching(NAME, NAME_RULE), AfterValidator(_unreserved), _schema(NAME)]
ModelName = Annotated[str, _matching(MODEL_NAME, MODEL_RULE), AfterValidator(_unreserved), _schema(MODEL_NAME)]
Remote = Annotated[
    str,
    _matching(REMOTE, "must be 1 to 256 characters, without spaces and with at most one '*'"),
    _schema(REMOTE),
]
Glob = Annotated[str, _matching(GLOB, "must be a model name or a glob; '*' is its only wildcard"), _schema(GLOB)]
Credential = Annotated[
    str,
    _matching(CREDENTIAL, "must be visible ASCII characters, without spaces or line ends, and not empty"),
    WithJsonSchema({"type": "string"}),
]
Hex64 = Annotated[str, _matching(HEX64, "must be 64 hexadecimal digits"), _schema(HEX64)]
HeaderName = Annotated[
    str, _matching(HEADER_NAME, "is not a valid header name"), AfterValidator(_header_name), _schema(HEADER_NAME)
]
HeaderValue = Annotated[
    str, _matching(HEADER_VALUE, "must be printable ASCII, without line ends"), WithJsonSchema({"type": "string"})
]
Dialect = Literal["openai", "azure", "anthropic", "gemini", "responses"]
Dialects = Annotated[
    list[Dialect],
    Field(min_length=1),
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [DIALECT, {"type": "array", "items": DIALECT, "minItems": 1}]}),
]
API_VERSION = r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}"
ApiVersion = Annotated[
    str, _matching(API_VERSION, "must be the version of an API, such as '2024-10-21' (quote it)"), _schema(API_VERSION)
]
BodyField = Annotated[str, AfterValidator(_body_field)]
BodyValue = Annotated[Any, PlainValidator(_body_value), WithJsonSchema({})]
