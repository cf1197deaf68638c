"""Sends one attempt to one target: the request's bytes, a connection, and the wait for the first good byte."""

import ssl
from collections.abc import Mapping

from gateway.core.call import Ask, Call, Endpoint
from gateway.core.clock import Timers
from gateway.core.fault import ConnectFault, ResetFault
from gateway.core.route import Target, Upstream
from gateway.upstream.attempt import Attempt
from gateway.upstream.pool import Pool
from gateway.wire.dialect import DIALECTS, Dialect

# A kept connection that its server had closed is lost at once; what is lost later may have been worked on.
REPLAY_WITHIN = 1.0


class Sender:
    """The pools of one configuration's upstreams, and the request heads that never change. Fits `ports.Upstreams`.

    It shares with the sender `before` it, if there is one, the pools of upstreams that are the same.
    """

    def __init__(self, upstreams: Mapping[str, Upstream], timers: Timers, before: "Sender | None" = None) -> None:
        self._timers = timers
        usable = [upstream for upstream in upstreams.values() if upstream.left_out is None]
        self._tls: ssl.SSLContext | None = before._tls if before else None
        if self._tls is None and any(upstream.tls for upstream in usable):
            self._tls = ssl.create_default_context()
        there: Mapping[str, Pool] = before.pools if before else {}
        self.pools: Mapping[str, Pool] = {upstream.name: self._pool(upstream, there) for upstream in usable}
        self._heads = {
            (upstream.name, endpoint): _head(upstream, DIALECTS[upstream.dialect], endpoint)
            for upstream in usable
            for endpoint in Endpoint
        }
        self._own_headers = {
            upstream.name: frozenset(name.lower().encode() for name, _ in upstream.headers) for upstream in usable
        }

    def _pool(self, upstream: Upstream, there: Mapping[str, Pool]) -> Pool:
        pool = there.get(upstream.name)
        return pool if pool and pool.upstream == upstream else Pool(upstream, self._timers, self._tls)

    async def attempt(self, target: Target, call: Call, ask: Ask, deadline: float) -> Attempt:
        """A kept connection may be closed under the request: then it is sent once more, on a fresh one."""
        request = self._request(target, call, ask)
        attempt, reused = await self._send(target, ask, request, deadline, fresh=False)
        if attempt is None and reused:
            attempt, _ = await self._send(target, ask, request, deadline, fresh=True)
        if attempt is None:
            raise ResetFault
        return attempt

    async def _send(
        self, target: Target, ask: Ask, request: bytes, deadline: float, *, fresh: bool
    ) -> tuple[Attempt | None, bool]:
        """None where the connection was lost before anything of an answer was seen, and whether it was a kept one."""
        dialect = DIALECTS[target.upstream.dialect]
        connection = await self.pools[target.upstream.name].take(deadline, fresh=fresh)
        reused = connection.exchanges > 0
        sent = self._timers.now
        attempt = Attempt(target, dialect, dialect.scanner(ask) if ask.stream else None, self._timers)
        due = sent + target.model.first_byte_timeout if ask.stream else deadline
        try:
            await attempt.run(connection, request, min(due, deadline))
        except (ResetFault, ConnectFault):
            if connection.answer_begun or self._timers.now - sent > REPLAY_WITHIN:
                raise
            return None, reused
        return attempt, reused

    def _request(self, target: Target, call: Call, ask: Ask) -> bytes:
        upstream = target.upstream
        body = DIALECTS[upstream.dialect].request(ask, target)
        head = self._heads[upstream.name, call.endpoint]
        own = self._own_headers[upstream.name]
        passed = b"".join([b"%b: %b\r\n" % header for header in call.forward if header[0] not in own])
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (head, passed, len(body), body)

    def close(self, after: "Sender | None" = None) -> None:
        """Let go of idle connections, but of those in pools that the sender `after` this one shares.

        Busy ones close when they are done with. It can still send, for calls under way.
        """
        for name, pool in self.pools.items():
            if after is None or after.pools.get(name) is not pool:
                pool.close()


def _head(upstream: Upstream, dialect: Dialect, endpoint: Endpoint) -> bytes:
    """All of a request's head that does not change from call to call."""
    return request_head("POST", upstream, upstream.base_path + dialect.path(endpoint), dialect) + (
        b"Content-Type: application/json\r\n"
    )


def request_head(method: str, upstream: Upstream, path: str, dialect: Dialect) -> bytes:
    """Request line and headers, without the blank line."""
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    if upstream.port != (443 if upstream.tls else 80):
        host = f"{host}:{upstream.port}"
    headers = [("Host", host), ("Accept-Encoding", "identity"), *dialect.credential(upstream), *upstream.headers]
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")
