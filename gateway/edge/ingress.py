"""HTTP head -> Call, and the body read whole, bounded in size and time."""

import asyncio
import contextlib
from ipaddress import ip_address

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from gateway.core.call import Call, Endpoint
from gateway.core.errors import BadRequest, ExpectationFailed, RequestTimeout, RequestTooLarge, UnsupportedMediaType
from gateway.core.settings import Network, ServerSettings
from gateway.wire.headers import Fields, forwarded, is_request_id

DISCARD_BYTES = 1024 * 1024
DISCARD_TIME = 2.0
MAX_RETRY_COUNT = 99

_JSON = b"application/json"


def read_call(fields: Fields, endpoint: Endpoint, call_id: str, request_id: str, started: float, peer: str) -> Call:
    return Call(
        call_id,
        request_id,
        endpoint,
        started,
        peer,
        read_keys(fields),
        _text(fields.get(b"x-complexity")),
        _text(fields.get(b"x-provider")),
        _read_count(fields.get(b"x-stainless-retry-count", b"0")),
        forwarded(fields),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "surrogateescape")


def _read_count(value: bytes) -> int:
    return min(int(value), MAX_RETRY_COUNT) if value.isdigit() and len(value) < 4 else 0


def read_request_id(fields: Fields) -> str | None:
    """The client's own, if it is safe to show."""
    given = fields.get(b"x-request-id")
    return shown if given is not None and is_request_id(shown := given.decode("latin-1")) else None


def read_keys(fields: Fields) -> tuple[bytes, ...]:
    """What came in `Authorization: Bearer` and `x-api-key`; the same key in both counts once, other schemes never."""
    keys = [key for value in fields.get(b"authorization", b"").split(b"\n") if (key := _bearer(value))]
    if b"x-api-key" in fields:
        keys += [key for value in fields[b"x-api-key"].split(b"\n") if (key := value.strip()) not in keys]
    return tuple(keys)


def _bearer(authorization: bytes) -> bytes:
    scheme, _, credential = authorization.strip().partition(b" ")
    return credential.strip() if scheme.lower() == b"bearer" else b""


def read_peer(request: web.BaseRequest, trusted: tuple[Network, ...]) -> str:
    """The client's address for the log: behind a trusted proxy, the last hop that is not one of them."""
    peer = request.remote or ""
    if not trusted or not is_in(peer, trusted):
        return peer
    for hop in map(str.strip, reversed(request.headers.get("X-Forwarded-For", "").split(","))):
        if not _is_address(hop):
            break
        peer = hop
        if not is_in(hop, trusted):
            break
    return peer


def is_in(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether an IP address lies in one of the networks; an IPv4 address mapped into IPv6 counts as IPv4."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return any((mapped or ip) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def check_expectation(fields: Fields) -> None:
    """Raises ExpectationFailed for any but `100-continue`."""
    if b"expect" in fields and fields[b"expect"].lower() != b"100-continue":
        raise ExpectationFailed


class RequestUpload:
    """A request's body. Fits `ports.Upload`."""

    __slots__ = ("_begun", "_fields", "_request", "_settings")

    def __init__(self, request: web.BaseRequest, fields: Fields, settings: ServerSettings) -> None:
        self._request = request
        self._fields = fields
        self._settings = settings
        self._begun = not request.body_exists

    async def read(self) -> bytes:
        """Raises UnsupportedMediaType, RequestTooLarge, RequestTimeout or BadRequest."""
        request = self._request
        fields, content = self._fields, request.content
        if fields.get(b"content-type", _JSON) != _JSON or b"content-encoding" in fields:
            _check_media_type(request)
        if int(fields.get(b"content-length", b"0")) > self._settings.max_body_bytes:
            raise RequestTooLarge
        if b"expect" in fields:
            self._continue()
        self._begun = True
        if content.is_eof():
            body = content.read_nowait()
        else:
            try:
                async with asyncio.timeout(self._settings.body_timeout):
                    body = await self._collect()
            except TimeoutError:
                raise RequestTimeout(close=True) from None
            except RequestPayloadError:
                raise BadRequest(close=True) from None
            except ConnectionError:
                raise asyncio.CancelledError from None  # the client left; aiohttp's own cancellation is on its way
        if len(body) > self._settings.max_body_bytes:
            raise RequestTooLarge(close=True)
        return body

    async def _collect(self) -> bytes:
        body = bytearray()
        while chunk := await self._request.content.readany():
            body += chunk
            if len(body) > self._settings.max_body_bytes:
                raise RequestTooLarge(close=True)
        return bytes(body)

    def _continue(self) -> None:
        transport = self._request.transport
        if transport is not None and not self._request.content.is_eof():
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def discard(self) -> bool:
        """Before a refusal: take an unread body off the wire, or the refusal becomes a reset connection.

        At most 1 MiB or 2 s of it. False if the connection has to be closed after the answer.
        """
        if self._begun:
            return True
        self._begun = True
        if b"expect" in self._fields:
            return False
        content = self._request.content
        left = DISCARD_BYTES
        with contextlib.suppress(TimeoutError, RequestPayloadError, ConnectionError):
            async with asyncio.timeout(DISCARD_TIME):
                while left > 0 and (chunk := await content.readany()):
                    left -= len(chunk)
        return False


def _check_media_type(request: web.BaseRequest) -> None:
    """JSON in UTF-8, as it is; a missing Content-Type counts as JSON."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType
    if "Content-Type" not in request.headers:
        return
    charset = (request.charset or "utf-8").lower()
    if request.content_type != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType
