import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from gateway.core.fault import BusyFault, ConnectFault, ConnectTimeoutFault, Fault, ProtocolFault
from gateway.simulator import Request, Reset, Send, Silence, Simulator, Step, json_answer
from gateway.state.timers import Wheel
from gateway.upstream.connection import Connection
from gateway.upstream.faults import connect_fault
from gateway.upstream.pool import IDLE_TIMEOUT, MAX_IDLE, Pool
from gateway.upstream.sender import Sender
from tests.upstream.wire import LENGTH_5, REQUEST, Listening, until
from tests.values import make_upstream


def answering(_: Request) -> Iterable[Step]:
    return json_answer(200, {})


def silent(_: Request) -> Iterable[Step]:
    return [Silence()]


@pytest.fixture
async def upstream() -> AsyncIterator[Simulator]:
    async with Simulator(answering) as simulator:
        yield simulator


def pool_to(upstream: Simulator, wheel: Wheel, limit: int | None = None, patience: float = 30.0) -> Pool:
    target = make_upstream(port=upstream.port, max_connections=limit, connect_timeout=patience)
    return Pool(target, wheel, None)


async def ask(connection: Connection) -> None:
    """A whole exchange, up to where the connection may be let go of."""
    listening = Listening()
    connection.send(REQUEST, listening)
    await until(lambda: listening.end)
    assert listening.end == "ended"


async def use(pool: Pool) -> Connection:
    connection = await pool.take()
    await ask(connection)
    connection.release()
    return connection


async def several_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class TestKeeping:
    async def test_a_connection_is_used_again(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        assert await use(pool) is await use(pool)
        assert (upstream.connections, len(upstream.requests)) == (1, 2)
        assert repr(pool) == "<Pool first open=1 idle=1>"

    async def test_the_newest_goes_first(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        older, newer = await pool.take(), await pool.take()
        for connection in (newer, older):
            await ask(connection)
        for connection in (older, newer):
            connection.release()
        assert [await pool.take(), await pool.take()] == [newer, older]

    async def test_a_busy_one_is_nobody_elses(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        assert len({await pool.take() for _ in range(5)}) == 5

    async def test_a_fresh_one_is_made_when_asked_for(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        kept = await use(pool)
        assert await pool.take(fresh=True) is not kept
        assert await pool.take() is kept

    async def test_an_idle_one_is_closed_after_its_time(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        kept = await use(pool)
        wheel.tick(wheel.now + IDLE_TIMEOUT - 1)
        assert await use(pool) is kept
        wheel.tick(wheel.now + IDLE_TIMEOUT + 1)
        assert await use(pool) is not kept
        assert (await upstream.until_left(upstream.requests[0])).by_peer

    async def test_one_that_the_upstream_closed_is_not_handed_out(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        kept = await use(pool)
        port = upstream.port
        await upstream.close()
        await upstream.start(port=port)
        await until(lambda: not kept.usable)
        assert await use(pool) is not kept
        await until(lambda: repr(pool) == "<Pool first open=1 idle=1>")

    async def test_nor_one_that_is_closing(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        kept = await use(pool)
        kept.close()
        assert await pool.take() is not kept

    async def test_nor_one_that_said_something_unasked(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        upstream.script = lambda _: [*json_answer(200, {}), *json_answer(200, {"answer": "to nobody"})]
        kept = await use(pool)
        await until(lambda: not kept.usable)
        assert await pool.take() is not kept

    async def test_no_more_than_so_many_are_kept(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        connections = await asyncio.gather(*(pool.take() for _ in range(MAX_IDLE + 3)))
        await asyncio.gather(*map(ask, connections))
        for connection in connections:
            connection.release()
        await until(lambda: repr(pool) == f"<Pool first open={MAX_IDLE} idle={MAX_IDLE}>")
        pool.close()
        await until(lambda: repr(pool) == "<Pool first open=0 idle=0>")
        await until(lambda: upstream.open_connections == 0)


class TestLimit:
    async def test_there_are_never_more_than_so_many(self, upstream: Simulator, wheel: Wheel) -> None:
        pool, most = pool_to(upstream, wheel, limit=3), 0

        def counting(_: Request) -> Iterable[Step]:
            nonlocal most
            most = max(most, upstream.open_connections)
            return json_answer(200, {})

        upstream.script = counting
        await asyncio.gather(*(use(pool) for _ in range(30)))
        assert len(upstream.requests) == 30
        assert 1 <= most <= 3

    async def test_who_waits_too_long_is_told_so(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel, limit=1, patience=0.03)
        held = await pool.take()
        with pytest.raises(BusyFault):
            await pool.take()
        await ask(held)
        held.release()
        assert await pool.take() is held

    async def test_an_idle_one_makes_room_for_a_fresh_one(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel, limit=1)
        kept = await use(pool)
        assert await pool.take(fresh=True) is not kept
        assert repr(pool) == "<Pool first open=1 idle=0>"

    @pytest.mark.parametrize("how", ["released", "abandoned", "lost"])
    async def test_room_goes_to_who_waits(self, upstream: Simulator, wheel: Wheel, how: str) -> None:
        pool = pool_to(upstream, wheel, limit=1)
        held = await pool.take()
        async with asyncio.TaskGroup() as tasks:
            waiters = [tasks.create_task(use(pool), name=f"waiter {n}") for n in range(3)]
            await several_turns()
            assert not any(waiter.done() for waiter in waiters)
            match how:
                case "released":
                    await ask(held)
                    held.release()
                case "abandoned":
                    held.abandon()
                case "lost":
                    upstream.script = lambda request: answering(request) if len(upstream.requests) > 1 else [Reset()]
                    held.send(REQUEST, Listening())

    async def test_who_waits_is_given_the_connection_that_was_let_go_of(
        self, upstream: Simulator, wheel: Wheel
    ) -> None:
        pool = pool_to(upstream, wheel, limit=1)
        held = await pool.take()
        async with asyncio.TaskGroup() as tasks:
            waiter = tasks.create_task(pool.take(), name="waiter")
            await several_turns()
            await ask(held)
            held.release()
        assert waiter.result() is held

    async def test_who_stops_waiting_leaves_the_room_to_the_next(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel, limit=1)
        held = await pool.take()
        async with asyncio.TaskGroup() as tasks:
            gone = tasks.create_task(pool.take(), name="gone")
            waiter = tasks.create_task(pool.take(), name="waiter")
            await several_turns()
            gone.cancel()
            await several_turns()
            held.abandon()
            assert (await waiter).usable

    async def test_who_leaves_as_room_is_made_is_just_cancelled(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel, limit=1)
        held = await pool.take()
        await ask(held)
        gone = asyncio.get_running_loop().create_task(pool.take(), name="gone")
        await several_turns()
        gone.cancel()
        held.release()
        with pytest.raises(asyncio.CancelledError):
            await gone

    async def test_who_leaves_when_it_has_its_room_leaves_it_to_the_next(
        self, upstream: Simulator, wheel: Wheel
    ) -> None:
        pool = pool_to(upstream, wheel, limit=1, patience=0.2)
        held = await pool.take()
        await ask(held)
        gone = asyncio.get_running_loop().create_task(pool.take(), name="gone")
        waiter = asyncio.get_running_loop().create_task(pool.take(), name="waiter")
        await several_turns()
        held.release()
        gone.cancel()
        assert (await waiter).usable

    async def test_a_connection_that_is_not_made_leaves_its_room_to_the_next(
        self, upstream: Simulator, wheel: Wheel
    ) -> None:
        pool = pool_to(upstream, wheel, limit=1, patience=0.2)
        await upstream.close()
        faults = await asyncio.gather(pool.take(), pool.take(), pool.take(), return_exceptions=True)
        assert [type(fault) for fault in faults] == [ConnectFault] * 3

    async def test_connections_that_are_lost_at_once_leave_no_trace(self, upstream: Simulator, wheel: Wheel) -> None:
        """An upstream that accepts and hangs up must not use up the room."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            pool = Pool(make_upstream(port=port, max_connections=2), wheel, None)
            for _ in range(20):
                await pool.take()
                listener.accept()[0].close()
        await until(lambda: repr(pool) == "<Pool first open=0 idle=0>")


class TestClosing:
    async def test_idle_ones_close_at_once(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        await use(pool)
        pool.close()
        assert (await upstream.until_left(upstream.requests[0])).by_peer

    async def test_busy_ones_close_when_they_are_done_with(self, upstream: Simulator, wheel: Wheel) -> None:
        pool = pool_to(upstream, wheel)
        busy = await pool.take()
        pool.close()
        await ask(busy)
        busy.release()
        assert not busy.usable


class TestConnecting:
    async def test_u01_a_closed_port_is_a_fault(self, upstream: Simulator, wheel: Wheel) -> None:
        await upstream.close()
        pool = pool_to(upstream, wheel)
        with pytest.raises(ConnectFault):
            await pool.take()
        assert repr(pool) == "<Pool first open=0 idle=0>"

    async def test_u02_one_that_never_answers_is_a_timeout(self, wheel: Wheel) -> None:
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(4):  # the queue of who is not accepted is full: nobody answers any more
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            pool = Pool(make_upstream(port=listener.getsockname()[1], connect_timeout=0.05), wheel, None)
            with pytest.raises(ConnectTimeoutFault):
                await pool.take()

    @pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".test"])
    async def test_a_name_that_can_be_none_is_a_fault(self, wheel: Wheel, host: str) -> None:
        with pytest.raises(ConnectFault):
            await Pool(make_upstream(host=host), wheel, None).take()

    @pytest.mark.parametrize(
        ("error", "fault"),
        [
            (TimeoutError(), ConnectTimeoutFault),
            (ConnectionRefusedError(), ConnectFault),
            (ConnectionResetError(), ConnectFault),
            (OSError(113, "No route to host"), ConnectFault),
            (socket.gaierror(-2, "Name or service not known"), ConnectFault),
            (ssl.SSLCertVerificationError(), ConnectFault),
            (ssl.SSLError(), ConnectFault),
            (UnicodeError(), ConnectFault),
            (ValueError("a host that is in no message"), ProtocolFault),
        ],
        ids=repr,
    )
    def test_what_connecting_raises_is_one_of_our_faults(self, error: Exception, fault: type[Fault]) -> None:
        assert type(connect_fault(error)) is fault

    def test_a_mistake_of_ours_is_none(self) -> None:
        with pytest.raises(KeyError):
            connect_fault(KeyError())


@contextlib.asynccontextmanager
async def a_tls_server(certificate: Path) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Its port, and the requests it has seen."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(LENGTH_5 + b"hello")
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1], seen


class TestTls:
    async def test_a_certificate_that_nobody_vouches_for_is_refused(self, certificate: Path, wheel: Wheel) -> None:
        async with a_tls_server(certificate) as (port, seen):
            sender = Sender({"first": make_upstream(port=port, tls=True)}, wheel)
            with pytest.raises(ConnectFault):
                await sender.pools["first"].take()
        assert seen == []

    async def test_a_certificate_of_another_name_is_refused(self, certificate: Path, wheel: Wheel) -> None:
        trusting = ssl.create_default_context(cafile=certificate)
        async with a_tls_server(certificate) as (port, seen):
            with pytest.raises(ConnectFault):
                await Pool(make_upstream(host="localhost", port=port, tls=True), wheel, trusting).take()
        assert seen == []

    async def test_a_good_certificate_is_served_and_the_connection_kept(self, certificate: Path, wheel: Wheel) -> None:
        trusting = ssl.create_default_context(cafile=certificate)
        async with a_tls_server(certificate) as (port, seen):
            pool = Pool(make_upstream(port=port, tls=True), wheel, trusting)
            assert await use(pool) is await use(pool)
            assert seen == [REQUEST, REQUEST]
            pool.close()
            await until(lambda: repr(pool) == "<Pool first open=0 idle=0>")

    async def test_an_upstream_that_speaks_no_tls_is_refused(self, upstream: Simulator, wheel: Wheel) -> None:
        upstream.script = lambda _: [Send(b"HTTP/1.1 400 Bad Request\r\n\r\n")]
        sender = Sender({"first": make_upstream(port=upstream.port, tls=True)}, wheel)
        with pytest.raises(ConnectFault):
            await sender.pools["first"].take()
        assert upstream.requests == []


async def test_idle_connections_are_closed_in_time_also_where_no_call_comes(upstream: Simulator, wheel: Wheel) -> None:
    pool = pool_to(upstream, wheel)
    await use(pool)
    wheel.tick(wheel.now + IDLE_TIMEOUT - 1)
    await several_turns()
    assert repr(pool) == "<Pool first open=1 idle=1>"
    wheel.tick(wheel.now + 2)
    await until(lambda: repr(pool) == "<Pool first open=0 idle=0>")


async def test_waiting_for_room_takes_no_longer_than_the_call_has_left(upstream: Simulator, wheel: Wheel) -> None:
    pool = pool_to(upstream, wheel, limit=1, patience=60.0)
    await pool.take()
    with pytest.raises(BusyFault):
        await pool.take(wheel.now + 0.1)


async def test_nor_does_connecting(wheel: Wheel) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()), contextlib.ExitStack() as queued:
            for _ in range(3):  # until the backlog drops what comes
                waiting = queued.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            pool = Pool(make_upstream(port=full.getsockname()[1], connect_timeout=60.0), wheel, None)
            with pytest.raises(ConnectTimeoutFault):
                await pool.take(wheel.now + 0.1)
