"""URL -> handler, and what every answer has in common. Closed unless listed."""

import os
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import structlog
from aiohttp import web

from gateway.core.call import Caller, Endpoint
from gateway.core.errors import Break, InternalError, MethodNotAllowed, Refusal, UnknownUrl
from gateway.core.ports import Prober
from gateway.core.settings import ServerSettings
from gateway.edge import listing, ops
from gateway.edge.cors import Cors
from gateway.edge.ingress import RequestUpload, check_expectation, read_call, read_keys, read_peer, read_request_id
from gateway.edge.refusal import refuse
from gateway.edge.server import SENT, SENT_LAST, ClientConnection
from gateway.flow.authenticate import authorize, identify
from gateway.flow.exchange import House, exchange
from gateway.wire.headers import read_fields

JSON = (("content-type", "application/json"),)
METRICS = (("content-type", "text/plain; version=0.0.4; charset=utf-8"),)
PLAIN = (("content-type", "text/plain; charset=utf-8"),)

_MODEL_PREFIX = "/v1/models/"

log = structlog.get_logger()


class Visit:
    """One request and all that its handler needs.

    `id` is the gateway's own; `request_id` is the same, or the client's if it sent one that is safe to show.
    """

    __slots__ = ("downstream", "fields", "id", "request", "request_id", "upload")

    def __init__(self, request: web.BaseRequest, settings: ServerSettings) -> None:
        self.request = request
        self.downstream = cast(ClientConnection, request.protocol).open_downstream(request)
        self.fields = read_fields(request.raw_headers)
        self.id = os.urandom(16).hex()
        self.request_id = read_request_id(self.fields) or self.id
        self.upload = RequestUpload(request, self.fields, settings)


@dataclass(frozen=True, slots=True)
class Route:
    """What is served at a URL. HEAD comes with GET; `for_operators`: 404 for everybody else, whatever the method."""

    method: str
    handler: Callable[["Dispatch", Visit], Awaitable[None]]
    for_operators: bool = False


class Dispatch:
    """The surface of one configuration; `render_metrics` gives the text that is scraped."""

    def __init__(self, house: House, prober: Prober, render_metrics: Callable[[], Awaitable[bytes]]) -> None:
        self._house = house
        self._prober = prober
        self._render_metrics = render_metrics
        self._cors = Cors(house.config.server.cors_origins)
        self._version = ("x-gateway-config-version", house.config.version)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The one handler of the server: writes the answer itself."""
        house = self._house
        visit = Visit(request, house.config.server)
        downstream = visit.downstream
        downstream.extra = (("x-request-id", visit.request_id), self._version, *self._cors.headers(request))
        downstream.body_wanted = request.method != "HEAD"
        downstream.keep_alive &= not house.live.draining
        try:
            await self._serve(visit)
        except Refusal as refusal:
            downstream.keep_alive &= await visit.upload.discard()
            refuse(downstream, refusal)
        except Break:
            pass
        except Exception:
            log.exception("internal error", request_id=visit.request_id)
            if downstream.begun:
                downstream.abort()
            else:
                refuse(downstream, InternalError(close=True))
        return SENT if downstream.keep_alive else SENT_LAST

    async def _serve(self, visit: Visit) -> None:
        route = self._find(visit.request)
        method = route.method
        if route.for_operators:
            ops.require_operator(visit.request, self._house.config.server)
        if visit.request.method == method or (method == "GET" and visit.request.method == "HEAD"):
            check_expectation(visit.fields)
            await route.handler(self, visit)
            return
        if visit.request.method == "OPTIONS" and (headers := self._cors.preflight(visit.request, f"{method}, OPTIONS")):
            visit.downstream.answer(204, headers, b"")
            return
        raise MethodNotAllowed(headers=(("allow", method if method == "POST" else "GET, HEAD"),))

    def _find(self, request: web.BaseRequest) -> Route:
        """Raises UnknownUrl. The path is compared as sent first; only escapes of plain characters are undone."""
        raw = request.raw_path.partition("?")[0]
        found = ROUTES.get(raw)
        if found is None and "%" in raw and "%2f" not in raw.lower():
            found = ROUTES.get(urllib.parse.unquote(raw))
        if found is None and raw.startswith(_MODEL_PREFIX) and len(raw) > len(_MODEL_PREFIX):
            found = Route("GET", Dispatch._model)
        if found is None:
            raise UnknownUrl
        return found

    def _caller(self, visit: Visit) -> Caller:
        """Raises what `identify` and `authorize` do."""
        caller = identify(read_keys(visit.fields), self._house.keyring)
        authorize(caller, time.time())
        return caller

    async def _chat(self, visit: Visit) -> None:
        await self._exchange(visit, Endpoint.CHAT)

    async def _embeddings(self, visit: Visit) -> None:
        await self._exchange(visit, Endpoint.EMBEDDINGS)

    async def _exchange(self, visit: Visit, endpoint: Endpoint) -> None:
        house = self._house
        peer = read_peer(visit.request, house.config.server.trusted_proxies)
        call = read_call(visit.fields, endpoint, visit.id, visit.request_id, house.clock(), peer)
        await exchange(call, visit.upload, visit.downstream, house)

    async def _models(self, visit: Visit) -> None:
        visit.downstream.answer(200, JSON, listing.models(self._house.config.routes, self._caller(visit)))

    async def _model(self, visit: Visit) -> None:
        name = urllib.parse.unquote(visit.request.raw_path.partition("?")[0][len(_MODEL_PREFIX) :])
        visit.downstream.answer(200, JSON, listing.model(self._house.config.routes, self._caller(visit), name))

    async def _key(self, visit: Visit) -> None:
        caller = self._caller(visit)
        use = await self._house.admission.use(caller)
        visit.downstream.answer(200, JSON, listing.key(caller, use, time.time()))

    async def _healthz(self, visit: Visit) -> None:
        visit.downstream.answer(200, PLAIN, b"ok\n")

    async def _readyz(self, visit: Visit) -> None:
        if self._house.live.draining:
            visit.downstream.answer(503, PLAIN, b"draining\n")
        elif not self._house.admission.ready:
            visit.downstream.answer(503, PLAIN, b"limiter unavailable\n")
        else:
            visit.downstream.answer(200, PLAIN, b"ready\n")

    async def _metrics(self, visit: Visit) -> None:
        visit.downstream.answer(200, METRICS, await self._render_metrics())

    async def _health_ai(self, visit: Visit) -> None:
        visit.downstream.answer(200, JSON, ops.report(await self._prober.check()))


ROUTES = {
    "/v1/chat/completions": Route("POST", Dispatch._chat),
    "/v1/embeddings": Route("POST", Dispatch._embeddings),
    "/v1/models": Route("GET", Dispatch._models),
    "/v1/key": Route("GET", Dispatch._key),
    "/healthz": Route("GET", Dispatch._healthz),
    "/readyz": Route("GET", Dispatch._readyz),
    "/metrics": Route("GET", Dispatch._metrics, for_operators=True),
    "/health/ai": Route("GET", Dispatch._health_ai, for_operators=True),
}
