"""What Redis answers too late, or over a connection that was lost, is read by nobody: least of all by the next call."""

import asyncio

from gateway.store import redis
from gateway.store.batch import Batcher
from gateway.store.command import Numbers
from gateway.store.failures import Failure, Kind
from gateway.store.link import Address
from tests.store.bench import Meter, make_demand, until
from tests.store.scripted_redis import ScriptedRedis

LEASE = 30.0
PATIENT = 5.0
HASTY = 0.05


def ask(batcher: Batcher, call: str) -> asyncio.Future[Numbers | Failure]:
    loop = asyncio.get_running_loop()
    packed, deadline = redis.admit(make_demand(call), LEASE), loop.time() + batcher.timeout
    admit = redis.Admit(loop.create_future(), packed, deadline, lambda: None)
    batcher.put(admit)
    return admit.future


async def test_it_is_not_read_by_the_call_that_comes_next() -> None:
    async with ScriptedRedis() as server:
        batcher = Batcher(Address.of(server.url), redis.GREETING, Meter(), lambda _: None)
        await batcher.connect()
        server.hold("admit")
        batcher.timeout = HASTY
        late = await ask(batcher, "c0")
        assert isinstance(late, Failure)
        assert late.kind is Kind.TIMEOUT
        batcher.timeout = PATIENT
        if not batcher.open:
            await batcher.connect()
            await until(server.connections[0].transport.is_closing)
        following = ask(batcher, "c1")
        await server.saw("admit c1")
        first, newest = server.connections[0].transport, server.connections[-1].transport
        if not first.is_closing():
            first.write(b"+1 6 6 6 6\r\n")
        newest.write(b"+1 7 7 7 7\r\n")
        assert await following == (1, 7, 7, 7, 7)
        batcher.close()


async def test_what_was_asked_over_a_lost_connection_is_not_asked_again() -> None:
    """Redis may have run it, and whoever asked has gone on without it."""
    async with ScriptedRedis() as server:
        batcher = Batcher(Address.of(server.url), redis.GREETING, Meter(), lambda _: None)
        batcher.timeout = PATIENT
        await batcher.connect()
        server.hold("admit")
        lost = ask(batcher, "c0")
        await server.saw("admit c0")
        server.cut()
        await until(lambda: not batcher.open)
        server.hold()
        await batcher.connect()
        await ask(batcher, "c1")
        assert server.told == ["admit c0", "admit c1"]
        assert await lost == Failure(Kind.CONNECTION, unknown=True)
        batcher.close()
