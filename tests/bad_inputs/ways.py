"""A row on its three ways: direct, byte by byte, through nginx; and what holds of every one of them."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

from gateway.simulator import Simulator
from tests.bad_inputs.conversation import Conversation, cut, send
from tests.bad_inputs.replies import Reply
from tests.bad_inputs.row import CANARY, MODEL, PLAIN, Row, sized
from tests.conftest import KEY, Gateway
from tests.e2e.raw import RawClient

PATIENCE = 15.0
GOOD = sized(PLAIN, "Connection: close\r\n")
# So slow that each request stays visible, so many that none is refused.
LIMITS = "{requests_per_minute: 1, request_burst: 100000, concurrent_streams: 1000}"
MICROSECONDS_A_REQUEST = 60_000_000


def config(upstream: Simulator, settings: str = "") -> str:
    """`settings` are more of the server's."""
    return f"""
server: {{listen: "127.0.0.1:0"{", " * bool(settings)}{settings}}}
upstreams:
  first: {{base_url: "{upstream.url}"}}
model_defaults: {{max_retries: 0}}
models:
  "first/*": {{upstream: first, name: "*"}}
limits: {{slow: {LIMITS}}}
keys:
  - {{name: tester, key: {KEY}, limits: slow}}
"""


@dataclass(frozen=True)
class Counts:
    """Of one gateway: requests its server took up, those that reached the upstream, what is charged, leases held."""

    taken: int
    reached: int
    debt: int
    leases: int


@dataclass
class Front:
    """A gateway whose key has `LIMITS`, the nginx before it, the upstream behind it, and the log of both so far."""

    gateway: Gateway
    nginx_port: int
    upstream: Simulator
    lines: list[bytes]

    async def run(self, row: Row, way: str) -> list[Reply]:
        """All answers, after everything was asserted that holds of every bad input, and of every good one."""
        await self._settled()
        before, logged = await self._counts(), len(self.lines)
        expected = row.expected_by(way)
        replies = await self._converse(row, way)
        assert tuple(reply.status for reply in replies) == expected.all_statuses, replies
        last = replies[-1]
        assert is_own(last) == expected.own, replies
        if expected.code is not None and not row.is_head:
            assert last.error["code"] == expected.code
        if row.check is not None:
            row.check(last)
        await self._settled()
        probes = int(way != "nginx" and not row.closes)
        after = await self._counts()
        assert after.taken - before.taken == sum(map(is_own, replies)) + probes, "requests seen, and answered"
        assert after.reached - before.reached == expected.reaches
        assert round((after.debt - before.debt) / MICROSECONDS_A_REQUEST) == expected.reaches
        self._assert_nothing_is_repeated(replies, logged)
        assert await self._serves(way)
        return replies

    async def _converse(self, row: Row, way: str) -> list[Reply]:
        """Everything that comes on one connection up to its end, which proves that it is as `row.closes` says."""
        client = RawClient(self._port(way))
        conversation = Conversation(client, is_head=row.is_head)
        await client.send(b"")
        pieces = cut(row.sent, row.id) if way == "bytewise" else [row.sent]
        sender = asyncio.get_running_loop().create_task(send(client, pieces), name="sender")
        try:
            async with asyncio.timeout(PATIENCE):
                await conversation.until(len(row.expected_by(way).all_statuses))
                if way != "nginx" and not row.closes:
                    await sender
                    return await _probed(client, conversation, row)
                if way == "nginx":
                    _half_close(client)
                else:
                    assert conversation.replies[-1].headers.get("connection") == "close", conversation.replies
                await conversation.until_end()
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            client.leave()
        return conversation.replies

    def _port(self, way: str) -> int:
        return self.nginx_port if way == "nginx" else self.gateway.port

    async def _settled(self) -> None:
        """A call ends a moment after its client has the answer."""
        async with asyncio.timeout(PATIENCE):
            while (await self._counts()).leases:
                await asyncio.sleep(0.001)

    async def _counts(self) -> Counts:
        app = self.gateway.app
        [caller] = app.config.callers.values()
        assert caller.limits is not None
        use = await app.store.use(caller.id, caller.limits, time.time())
        taken = app._server.requests_count
        return Counts(taken, len(self.upstream.requests), use.requests, use.streams + len(app.live))

    def _assert_nothing_is_repeated(self, replies: list[Reply], logged: int) -> None:
        """Nothing of what was sent is in an answer or in the log, and nothing failed there."""
        self.gateway.log()
        told = [reply.body for reply in replies] + [str(reply.headers).encode() for reply in replies]
        for text in [*told, *self.lines[logged:]]:
            assert CANARY.encode() not in text
            assert KEY.encode() not in text
            assert b"Traceback" not in text

    async def _serves(self, way: str) -> bool:
        """A good call, right behind, on a connection of its own."""
        client = RawClient(self._port(way))
        await client.send(GOOD)
        async with asyncio.timeout(PATIENCE):
            raw, _ = await client.rest()
        client.leave()
        return raw.startswith(b"HTTP/1.1 200 OK\r\n") and MODEL.encode() in raw


def is_own(reply: Reply) -> bool:
    """The gateway's, not nginx's."""
    return "x-gateway-config-version" in reply.headers


async def _probed(client: RawClient, conversation: Conversation, row: Row) -> list[Reply]:
    """The answers, without that to one more request, which has to be served."""
    count = len(conversation.replies)
    assert all(reply.headers.get("connection") != "close" for reply in conversation.replies)
    method = b"HEAD" if row.is_head else b"GET"
    await client.send(method + b" /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await conversation.until_end()
    assert [reply.status for reply in conversation.replies[count:]] == [200]
    return conversation.replies[:count]


def _half_close(client: RawClient) -> None:
    """nginx closes then, if it has not yet."""
    with contextlib.suppress(OSError):
        client.half_close()
