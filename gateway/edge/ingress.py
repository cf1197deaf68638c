"""HTTP head -> Call, and the body read whole, bounded in size and time."""

import asyncio
import contextlib
import os
from ipaddress import ip_address

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from gateway.core.call import Call, Endpoint
from gateway.core.errors import BadRequest, ExpectationFailed, RequestTimeout, RequestTooLarge, UnsupportedMediaType
from gateway.core.settings import Network, ServerSettings
from gateway.wire.headers import forwarded, is_request_id

DISCARD_BYTES = 1024 * 1024
DISCARD_TIME = 2.0
MAX_RETRY_COUNT = 99

_JSON = "application/json"


def read_call(request: web.BaseRequest, endpoint: Endpoint, request_id: str, started: float, peer: str) -> Call:
    headers = request.headers
    retries = headers.get("x-stainless-retry-count", "0")
    return Call(
        id=os.urandom(16).hex(),
        request_id=request_id,
        endpoint=endpoint,
        started=started,
        peer=peer,
        keys=read_keys(request),
        complexity=headers.get("X-Complexity"),
        provider=headers.get("X-Provider"),
        retry_count=min(int(retries), MAX_RETRY_COUNT) if retries.isdecimal() and len(retries) < 4 else 0,
        forward=forwarded(request.raw_headers),
    )


def read_request_id(request: web.BaseRequest) -> str:
    """The client's own if it is safe to show, else a new one."""
    given = request.headers.get("X-Request-Id")
    return given if given is not None and is_request_id(given) else os.urandom(16).hex()


def read_keys(request: web.BaseRequest) -> tuple[bytes, ...]:
    """What came in `Authorization: Bearer` and `x-api-key`; the same key in both counts once, other schemes never."""
    headers = request.headers
    keys = [key for value in headers.getall("Authorization", ()) if (key := _bearer(value))]
    keys += [key for value in headers.getall("x-api-key", ()) if (key := value.strip()) not in keys]
    return tuple(key.encode("utf-8", "surrogateescape") for key in keys)


def _bearer(authorization: str) -> str:
    scheme, _, credential = authorization.strip().partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


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


def check_expectation(request: web.BaseRequest) -> None:
    """Raises ExpectationFailed for any but `100-continue`."""
    if request.headers.get("Expect", "100-continue").lower() != "100-continue":
        raise ExpectationFailed


class RequestUpload:
    """A request's body. Fits `ports.Upload`."""

    def __init__(self, request: web.BaseRequest, settings: ServerSettings) -> None:
        self._request = request
        self._settings = settings
        self._begun = not request.body_exists

    async def read(self) -> bytes:
        """Raises UnsupportedMediaType, RequestTooLarge, RequestTimeout or BadRequest."""
        request = self._request
        _check_media_type(request)
        if (request.content_length or 0) > self._settings.max_body_bytes:
            raise RequestTooLarge
        self._continue()
        self._begun = True
        content = request.content
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
        if "Expect" in self._request.headers and transport is not None and not self._request.content.is_eof():
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def discard(self) -> bool:
        """Before a refusal: take an unread body off the wire, or the refusal becomes a reset connection.

        At most 1 MiB or 2 s of it. False if the connection has to be closed after the answer.
        """
        if self._begun:
            return True
        self._begun = True
        if "Expect" in self._request.headers:
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
    encoding = request.headers.get("Content-Encoding")
    if encoding is not None and encoding.lower() != "identity":
        raise UnsupportedMediaType
    if request.headers.get("Content-Type", _JSON) == _JSON:
        return
    charset = (request.charset or "utf-8").lower()
    if request.content_type != _JSON or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType
