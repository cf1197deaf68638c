"""The check behind `/health/ai`: one GET of each upstream's models endpoint."""

import asyncio
import time

from gateway.core.fault import Fault, TimeoutFault
from gateway.core.outcome import Check
from gateway.core.route import Upstream
from gateway.upstream.connection import Connection
from gateway.upstream.head import Head
from gateway.upstream.pool import Pool
from gateway.upstream.sender import Sender, request_head
from gateway.wire.dialect import DIALECTS

PROBE_TIMEOUT = 5.0
REMEMBERED = 10.0

_DEGRADED = {401: "upstream_auth_error", 403: "upstream_auth_error", 429: "upstream_rate_limited"}


class _Reply:
    """A Listener that wants the status, and reads the body off the wire."""

    def __init__(self) -> None:
        self.status: asyncio.Future[int | Fault] = asyncio.get_running_loop().create_future()

    def head(self, head: Head) -> None:
        self._answer(head.status)

    def chunk(self, payload: bytes, framed: bytes | None) -> None:
        pass

    def relay(self, data: bytes) -> bool:
        return False

    def ended(self) -> None:
        pass

    def broke(self) -> None:
        pass

    def failed(self, fault: Fault) -> None:
        self._answer(fault)

    def _answer(self, answer: int | Fault) -> None:
        if not self.status.done():
            self.status.set_result(answer)


class UpstreamProber:
    """Fits `ports.Prober`. Whoever asks while a probe is under way gets that probe's answer."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._checks: dict[str, tuple[float, asyncio.Task[Check]]] = {}

    async def check(self) -> list[Check]:
        return list(await asyncio.gather(*(asyncio.shield(self._latest(pool)) for pool in self._sender.pools.values())))

    def _latest(self, pool: Pool) -> "asyncio.Task[Check]":
        name = pool.upstream.name
        began, task = self._checks.get(name, (0.0, None))
        if task is None or (task.done() and time.monotonic() - began > REMEMBERED):
            task = asyncio.get_running_loop().create_task(_probe(pool), name=f"probe {name}")
            self._checks[name] = (time.monotonic(), task)
        return task


async def _probe(pool: Pool) -> Check:
    began = time.monotonic()
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            status = await _ask(pool)
    except TimeoutError:
        return _down(pool.upstream, began, TimeoutFault())
    except Fault as fault:
        return _down(pool.upstream, began, fault)
    latency = _milliseconds(began)
    if 200 <= status < 300:
        return Check(pool.upstream.name, "healthy", latency, None)
    return Check(pool.upstream.name, "degraded", latency, _DEGRADED.get(status, "upstream_error"))


async def _ask(pool: Pool) -> int:
    """The status that the upstream answers with. Raises a Fault."""
    upstream = pool.upstream
    dialect = DIALECTS[upstream.dialects[0]]
    request = request_head("GET", upstream, upstream.base_path + dialect.models(upstream), dialect)
    request += b"".join(b"%b: %b\r\n" % header for header in dialect.pinned(upstream)) + b"\r\n"
    connection: Connection = await pool.connect()
    reply = _Reply()
    try:
        connection.send(request, reply)
        answer = await reply.status
    finally:
        connection.abort()
    if isinstance(answer, Fault):
        raise answer
    return answer


def _down(upstream: Upstream, began: float, fault: Fault) -> Check:
    return Check(upstream.name, "down", _milliseconds(began), fault.refusal.code)


def _milliseconds(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
