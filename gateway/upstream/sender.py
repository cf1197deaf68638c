"""Sends one attempt to one target: the request's bytes, a connection, and the wait for the first good byte."""

import ssl
from collections.abc import Mapping

from gateway.core.call import Ask, Call, Endpoint
from gateway.core.clock import Timers
from gateway.core.errors import Refusal
from gateway.core.fault import ElsewhereFault, ResetFault
from gateway.core.ports import Answer
from gateway.core.route import Target, Upstream
from gateway.upstream.attempt import Attempt
from gateway.upstream.pool import Pool
from gateway.upstream.said import Said
from gateway.wire.dialect import Dialect, spoken
from gateway.wire.pair import Outgoing, Pair

# A kept connection that its server had closed is lost at once; what is lost later may have been worked on.
REPLAY_WITHIN = 1.0
MAX_HEADS = 1000


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
        self._origins = {name: _Origin(pool) for name, pool in self.pools.items()}

    def _pool(self, upstream: Upstream, there: Mapping[str, Pool]) -> Pool:
        pool = there.get(upstream.name)
        return pool if pool and pool.upstream == upstream else Pool(upstream, self._timers, self._tls)

    async def attempt(self, target: Target, call: Call, ask: Ask, deadline: float) -> Answer:
        """A kept connection may be closed under the request: then it is sent once more, on a fresh one."""
        origin = self._origins[target.upstream.name]
        dialect = origin.spoken(call.endpoint)
        pair = dialect.pairs[call.endpoint]
        try:
            outgoing = pair.request(ask, target)
        except Refusal as refusal:
            raise ElsewhereFault(refusal) from None
        if outgoing.answer is not None:
            return Said(target, outgoing.answer)
        request = origin.request(dialect, pair, pair.path(ask, target), call, outgoing)
        connection = origin.pool.take_idle()
        if connection is None:
            connection = await origin.pool.take(deadline)
        reused, sent = connection.exchanges > 0, self._timers.now
        try:
            return await Attempt(target, pair, ask, outgoing, connection).run(request, deadline)
        except ResetFault:
            if not reused or connection.answer_begun or self._timers.now - sent > REPLAY_WITHIN:
                raise
        connection = await origin.pool.take(deadline, fresh=True)
        return await Attempt(target, pair, ask, outgoing, connection).run(request, deadline)

    def close(self, after: "Sender | None" = None) -> None:
        """Let go of idle connections, but of those in pools that the sender `after` this one shares.

        Busy ones close when they are done with. It can still send, for calls under way.
        """
        for name, pool in self.pools.items():
            if after is None or after.pools.get(name) is not pool:
                pool.close()


class _Origin:
    """An upstream as requests are sent to it: all of a head that is the same from call to call."""

    __slots__ = ("_heads", "_own_headers", "_spoken", "_upstream", "pool")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._upstream = upstream = pool.upstream
        self._spoken = {endpoint: spoken(upstream.dialects, endpoint) for endpoint in Endpoint}
        self._own_headers = frozenset(name.lower().encode() for name, _ in upstream.headers)
        self._heads: dict[tuple[str, str], bytes] = {}

    def spoken(self, endpoint: Endpoint) -> Dialect:
        """No plan has a target that does not speak any."""
        dialect = self._spoken[endpoint]
        assert dialect is not None
        return dialect

    def request(self, dialect: Dialect, pair: Pair, path: str, call: Call, outgoing: Outgoing) -> bytes:
        """What the dialect pins, a caller may say itself."""
        key = outgoing.method, path
        head = self._heads.get(key) or self._head(key, dialect)
        pinned = tuple([one for one in dialect.pinned(self._upstream) if one[0] not in self._own_headers])
        forwards, own = pair.forwards, self._own_headers
        for header in call.forward:
            if header[0] in forwards and header[0] not in own:
                head += b"%b: %b\r\n" % header
                if pinned:
                    pinned = tuple([one for one in pinned if one[0] != header[0]])
        for header in pinned:
            head += b"%b: %b\r\n" % header
        kind, body = outgoing.content_type, outgoing.body
        return b"%bContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (head, kind, len(body), body)

    def _head(self, key: tuple[str, str], dialect: Dialect) -> bytes:
        """Kept, as most paths are few; names under a wildcard are the callers' to think up."""
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        method, path = key
        upstream = self._upstream
        head = self._heads[key] = request_head(method, upstream, upstream.base_path + path, dialect)
        return head


def request_head(method: str, upstream: Upstream, path: str, dialect: Dialect) -> bytes:
    """Request line and headers, without the blank line."""
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    if upstream.port != (443 if upstream.tls else 80):
        host = f"{host}:{upstream.port}"
    headers = [("Host", host), ("Accept-Encoding", "identity"), *dialect.credential(upstream), *upstream.headers]
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")
