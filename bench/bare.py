"""`python -m bench.bare PORT UPSTREAM`: the least that aiohttp needs to be a proxy; no feature, no check, no log."""

import sys
from collections.abc import AsyncIterator

import uvloop
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

_SESSION = web.AppKey("session", ClientSession)
_UPSTREAM = web.AppKey("upstream", str)


async def _relay(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    headers = {name: request.headers[name] for name in ("Content-Type", "Authorization") if name in request.headers}
    url = request.app[_UPSTREAM] + request.path_qs
    async with request.app[_SESSION].post(url, data=body, headers=headers) as answer:
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]})
        response.content_length = answer.content_length
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


async def _session(app: web.Application) -> AsyncIterator[None]:
    connector = TCPConnector(limit=0)
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=None), auto_decompress=False) as session:
        app[_SESSION] = session
        yield


def main() -> None:
    port, upstream = int(sys.argv[1]), sys.argv[2]
    app = web.Application(client_max_size=64 << 20)
    app[_UPSTREAM] = upstream
    app.router.add_post("/v1/chat/completions", _relay)
    app.cleanup_ctx.append(_session)
    loop = uvloop.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, loop=loop, backlog=4096)


if __name__ == "__main__":
    main()
