"""One request as the parser read it, and its body read whole, bounded in size and time."""

import asyncio
import contextlib
from email.message import Message
from typing import Protocol

from aiohttp import EMPTY_PAYLOAD, StreamReader
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestPayloadError

from gateway.core.errors import BadRequest, Refusal, RequestTimeout, RequestTooLarge, UnsupportedMediaType
from gateway.core.settings import ServerSettings
from gateway.edge.downstream import HttpDownstream
from gateway.edge.head import find_fault
from gateway.wire.form import is_form
from gateway.wire.headers import Fields, is_request_id, read_fields

DISCARD_BYTES = 1024 * 1024
DISCARD_TIME = 2.0

# Beyond the head. A chunk of one byte takes six, or about fifteen with an odd way of writing its size.
FRAMING_BYTES = 16 * 1024
FRAMING_RATIO = 16

NOT_A_FORM = "The request body must be `multipart/form-data`, not compressed."

_JSON = b"application/json"


class Request:
    """What a handler gets, in place of aiohttp's own request: that one costs several times as much to make and to ask.

    `id` is the gateway's own; `request_id` is the same, or the client's if it sent one that is safe to show. `fault` is
    what is wrong with the head, if anything. Fits `ports.Upload`. `_task`, `_cancel` and `_finish` are all that
    aiohttp's connection wants of a request.
    """

    __slots__ = (
        "_payload",
        "_settings",
        "_task",
        "_unread",
        "downstream",
        "fault",
        "fields",
        "id",
        "method",
        "path",
        "peer",
        "request_id",
    )

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        downstream: HttpDownstream,
        own_id: str,
        peer: str,
        settings: ServerSettings,
    ) -> None:
        self.method: str = message.method
        self.path = message.path.partition("?")[0]
        self.fields = read_fields(message.raw_headers)
        self.fault = find_fault(message, self.fields)
        self.peer = peer
        self.id = own_id
        self.request_id = own_id if b"x-request-id" not in self.fields else _read_request_id(self.fields) or own_id
        self.downstream = downstream
        self._payload = payload
        self._settings = settings
        self._unread = payload is not EMPTY_PAYLOAD
        self._task: object = None

    def _cancel(self, exc: BaseException) -> None:
        self._payload.set_exception(exc)

    def _finish(self) -> None: ...

    async def read(self, *, form: bool = False) -> bytes:
        """Raises UnsupportedMediaType, RequestTooLarge, RequestTimeout, BadRequest or HeadersTooLarge (trailers)."""
        fields, payload = self.fields, self._payload
        if payload is EMPTY_PAYLOAD and fields.get(b"content-length", b"0") == b"0":
            return b""
        if form or fields.get(b"content-type", _JSON) != _JSON or b"content-encoding" in fields:
            _check_media_type(fields, form=form)
        if int(fields.get(b"content-length", b"0")) > self._settings.max_body_bytes:
            raise RequestTooLarge(close=True)
        if b"expect" in fields:
            self._continue()
        if payload.is_eof():
            body = payload.read_nowait()
        else:
            body = await self._collect()
        self._unread = False
        if len(body) > self._settings.max_body_bytes:
            raise RequestTooLarge(close=True)
        return body

    async def _collect(self) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                while chunk := await self._payload.readany():
                    body += chunk
                    if len(body) > self._settings.max_body_bytes:
                        raise RequestTooLarge
        except TimeoutError:
            self._unread = False
            raise RequestTimeout(close=True) from None
        except RequestPayloadError:
            raise BadRequest(close=True) from None
        except ConnectionError:
            raise asyncio.CancelledError from None  # the client left; aiohttp's own cancellation is on its way
        return bytes(body)

    def _continue(self) -> None:
        if not self._payload.is_eof():
            self.downstream.encourage()

    @property
    def is_unread(self) -> bool:
        """Whether some of the body may yet be on its way."""
        return self._unread

    async def discard(self) -> None:
        """Behind a refusal: take the rest of the body off the wire, or the refusal becomes a reset connection.

        At most 1 MiB or 2 s of it. The connection has to be closed then.
        """
        if b"expect" in self.fields:
            return
        left = DISCARD_BYTES
        with contextlib.suppress(TimeoutError, RequestPayloadError, ConnectionError, Refusal):
            async with asyncio.timeout(DISCARD_TIME):
                while left > 0 and (chunk := await self._payload.readany()):
                    left -= len(chunk)


class Connection(Protocol):
    """What only the bytes of a chunked request tell."""

    def wire_bytes(self) -> int:
        """How many it took."""

    def may_have_trailers(self) -> bool: ...


class ChunkedRequest(Request):
    """aiohttp's parser passes over what extends a chunk's size line, so that is bounded here. The last trailer it takes
    for the first header of the connection's next request, so there must be none.
    """

    __slots__ = ("connection",)
    connection: Connection

    async def read(self, *, form: bool = False) -> bytes:
        """Also raises BadRequest."""
        body = await super().read(form=form)
        if self.connection.may_have_trailers():
            self.downstream.keep_alive = False
        head = sum(len(name) + len(value) for name, value in self.fields.items())
        if self.connection.wire_bytes() - head > FRAMING_BYTES + FRAMING_RATIO * len(body):
            raise BadRequest(close=True)
        return body


def _read_request_id(fields: Fields) -> str | None:
    """The client's own, if it is safe to show."""
    shown = fields[b"x-request-id"].decode("latin-1")
    return shown if is_request_id(shown) else None


def _check_media_type(fields: Fields, *, form: bool) -> None:
    """JSON in UTF-8, or a form, as it is; a missing Content-Type counts as JSON."""
    if fields.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType
    if form:
        if not is_form(fields.get(b"content-type", b"").decode("latin-1")):
            raise UnsupportedMediaType(NOT_A_FORM)
        return
    head = Message()
    head["content-type"] = fields.get(b"content-type", _JSON).decode("latin-1")
    charset = head.get_content_charset("utf-8")
    if head.get_content_type() != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType
