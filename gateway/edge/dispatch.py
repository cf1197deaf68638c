"""URL -> handler, and what every answer has in common. Closed unless listed."""

import asyncio
import contextlib
import re
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from aiohttp import web

from gateway.core.call import Caller, Endpoint
from gateway.core.errors import Break, InternalError, MethodNotAllowed, NoWebSocket, Refusal, UnknownUrl
from gateway.core.ports import Prober
from gateway.edge import listing, ops
from gateway.edge.cors import Cors
from gateway.edge.downstream import header_lines
from gateway.edge.ingress import check_expectation, read_call, read_keys
from gateway.edge.refusal import refuse
from gateway.edge.request import Request
from gateway.edge.server import SENT, SENT_LAST
from gateway.flow.authenticate import authorize, identify
from gateway.flow.exchange import House, exchange
from gateway.wire.door import ANTHROPIC, DOORS, OPENAI, Door

JSON = (("content-type", "application/json"),)
METRICS = (("content-type", "text/plain; version=0.0.4; charset=utf-8"),)
PLAIN = (("content-type", "text/plain; charset=utf-8"),)

_MODEL_PREFIX = "/v1/models/"
_STORED = re.compile(r"/v1/responses/([A-Za-z0-9_-]{1,128}(/cancel)?)", re.ASCII)

log = structlog.get_logger()

Handler = Callable[["Dispatch", Request], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """What is served at a URL: an endpoint, or what `handler` does. HEAD comes with GET.

    `for_operators`: 404 for everybody else, whatever the method.
    """

    method: str
    handler: Handler
    endpoint: Endpoint | None = None
    for_operators: bool = False


class Dispatch:
    """The surface of one configuration; `render_metrics` gives the text that is scraped."""

    def __init__(self, house: House, prober: Prober, render_metrics: Callable[[], Awaitable[bytes]]) -> None:
        self._house = house
        self._prober = prober
        self._render_metrics = render_metrics
        self._cors = Cors(house.config.server.cors_origins)
        self._loop = asyncio.get_running_loop()
        self._version = header_lines((("x-gateway-config-version", house.config.version),))

    async def handle(self, request: Request) -> web.StreamResponse:
        """The one handler of the server: writes the answer itself."""
        downstream, door = request.downstream, _door(request)
        downstream.extra = f"x-request-id: {request.request_id}\r\n{self._version}{self._cors.lines(request.fields)}"
        if door.id_header is not None:
            downstream.extra += header_lines(((door.id_header, request.request_id),))
        if self._house.live.draining:
            downstream.keep_alive = False
        try:
            await self._find(request)(self, request)
        except Refusal as refusal:
            if request.is_unread:
                refusal.close = True
            refuse(downstream, refusal, door, request.request_id)
            if refusal.close:
                downstream.end()
            if request.is_unread:
                await request.discard()
        except Break:
            pass
        except Exception:
            log.exception("internal error", request_id=request.request_id)
            if downstream.begun:
                downstream.abort()
            else:
                refuse(downstream, InternalError(close=True), door, request.request_id)
        return SENT if downstream.keep_alive else SENT_LAST

    def _find(self, request: Request) -> Handler:
        """Raises UnknownUrl, MethodNotAllowed, ExpectationFailed, or what is wrong with the head."""
        if request.fault is not None:
            raise request.fault
        route = _route(request.path)
        if route.for_operators:
            ops.require_operator(request, self._house.config.server)
        if request.method == route.method or (request.method == "HEAD" and route.method == "GET"):
            if b"expect" in request.fields:
                check_expectation(request.fields[b"expect"])
            return route.handler
        if request.method == "OPTIONS" and self._cors.is_preflight(request.fields):
            return Dispatch._preflight
        if request.fields.get(b"upgrade", b"").lower() == b"websocket":
            raise NoWebSocket
        raise MethodNotAllowed(headers=(("allow", "POST" if route.method == "POST" else "GET, HEAD"),))

    async def _preflight(self, request: Request) -> None:
        request.downstream.answer(204, self._cors.preflight(f"{_route(request.path).method}, OPTIONS"), b"")

    def _caller(self, request: Request) -> Caller:
        """Raises what `identify` and `authorize` do."""
        caller = identify(read_keys(request.fields), self._house.keyring)
        authorize(caller, time.time())
        return caller

    def _call(self, request: Request) -> Awaitable[None]:
        endpoint, house = _route(request.path).endpoint, self._house
        assert endpoint is not None
        stored = found[1] if endpoint is Endpoint.STORED and (found := _STORED.fullmatch(request.path)) else ""
        call = read_call(request, endpoint, stored, house.clock(), house.config.server.trusted_proxies)
        task = asyncio.current_task(self._loop)
        assert task is not None
        return exchange(call, request, request.downstream, house, task)

    async def _models(self, request: Request) -> None:
        shape = listing.anthropic_models if _door(request) is ANTHROPIC else listing.models
        request.downstream.answer(200, JSON, shape(self._house.config.routes, self._caller(request)))

    async def _model(self, request: Request) -> None:
        name = urllib.parse.unquote(request.path[len(_MODEL_PREFIX) :])
        shape = listing.anthropic_model if _door(request) is ANTHROPIC else listing.model
        request.downstream.answer(200, JSON, shape(self._house.config.routes, self._caller(request), name))

    async def _key(self, request: Request) -> None:
        caller = self._caller(request)
        use = await self._house.admission.use(caller)
        request.downstream.answer(200, JSON, listing.key(caller, use, time.time()))

    async def _root(self, request: Request) -> None:
        """Some clients look whether anybody is there before their first call."""
        request.downstream.answer(200, PLAIN, b"ok\n")

    async def _healthz(self, request: Request) -> None:
        request.downstream.answer(200, PLAIN, b"ok\n")

    async def _readyz(self, request: Request) -> None:
        if self._house.live.draining:
            request.downstream.answer(503, PLAIN, b"draining\n")
        elif not self._house.admission.ready:
            request.downstream.answer(503, PLAIN, b"limiter unavailable\n")
        else:
            request.downstream.answer(200, PLAIN, b"ready\n")

    async def _metrics(self, request: Request) -> None:
        request.downstream.answer(200, METRICS, await self._render_metrics())

    async def _health_ai(self, request: Request) -> None:
        request.downstream.answer(200, JSON, ops.report(await self._prober.check()))


ENDPOINTS = {
    "/v1/chat/completions": Endpoint.CHAT,
    "/v1/completions": Endpoint.COMPLETIONS,
    "/v1/responses": Endpoint.RESPONSES,
    "/v1/messages": Endpoint.MESSAGES,
    "/v1/messages/count_tokens": Endpoint.COUNT_TOKENS,
    "/v1/embeddings": Endpoint.EMBEDDINGS,
    "/v1/audio/transcriptions": Endpoint.TRANSCRIPTIONS,
    "/v1/audio/speech": Endpoint.SPEECH,
    "/v1/images/generations": Endpoint.IMAGES,
    "/v1/moderations": Endpoint.MODERATIONS,
}
_MODEL = Route("GET", Dispatch._model)
_READ, _CANCEL = (Route(method, Dispatch._call, Endpoint.STORED) for method in ("GET", "POST"))
ROUTES = {
    **{path: Route("POST", Dispatch._call, endpoint) for path, endpoint in ENDPOINTS.items()},
    "/": Route("GET", Dispatch._root),
    "/v1/models": Route("GET", Dispatch._models),
    "/v1/key": Route("GET", Dispatch._key),
    "/healthz": Route("GET", Dispatch._healthz),
    "/readyz": Route("GET", Dispatch._readyz),
    "/metrics": Route("GET", Dispatch._metrics, for_operators=True),
    "/health/ai": Route("GET", Dispatch._health_ai, for_operators=True),
}


def _route(path: str) -> Route:
    """Raises UnknownUrl. The path is compared as sent first; only escapes of plain characters are undone."""
    found = ROUTES.get(path)
    if found is None and "%" in path and "%2f" not in path.lower():
        found = ROUTES.get(urllib.parse.unquote(path))
    if found is None and path.startswith(_MODEL_PREFIX) and len(path) > len(_MODEL_PREFIX):
        found = _MODEL
    if found is None and (stored := _STORED.fullmatch(path)):
        found = _CANCEL if stored[2] else _READ
    if found is None:
        raise UnknownUrl
    return found


def _door(request: Request) -> Door:
    """Whose words a request is answered in, also where there is nothing at its URL."""
    if (endpoint := ENDPOINTS.get(request.path)) is not None:
        return DOORS[endpoint]
    with contextlib.suppress(UnknownUrl):
        if (found := _route(request.path).endpoint) is not None:
            return DOORS[found]
    return ANTHROPIC if b"anthropic-version" in request.fields else OPENAI
