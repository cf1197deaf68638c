"""The relay that stands between the gateway and a server in tests of faults: it does what it says, and only that."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fault_proxy import SILENT, FaultProxy, Faults
from tests.loopback import LoopbackServer

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo(LoopbackServer):
    """What it gets, it gives back; a FIN too."""

    def __init__(self) -> None:
        super().__init__()
        self.got = b""
        self.ends: list[str] = []
        self.transports: list[asyncio.Transport] = []

    def accept(self) -> asyncio.Protocol:
        return _Echoing(self)

    async def end_connections(self) -> None:
        for transport in self.transports:
            transport.abort()


class _Echoing(asyncio.Protocol):
    def __init__(self, server: Echo) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._server.transports.append(self._transport)

    def data_received(self, data: bytes) -> None:
        self._server.got += data
        self._transport.write(data)

    def eof_received(self) -> bool:
        self._server.ends.append("fin")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            self._server.ends.append("rst")


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    async with Echo() as echo:
        yield echo


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
async def connection(proxy: FaultProxy) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield reader, writer
    writer.transport.abort()


async def rest(connection: Connection) -> tuple[bytes, str]:
    """All that comes, and how it ends: `fin` or `rst`."""
    seen = b""
    async with asyncio.timeout(5):
        try:
            while data := await connection[0].read(65536):
                seen += data
        except ConnectionResetError:
            return seen, "rst"
    return seen, "fin"


async def exchanged(connection: Connection, data: bytes) -> bytes:
    connection[1].write(data)
    async with asyncio.timeout(5):
        return await connection[0].readexactly(len(data))


async def nothing_more(connection: Connection) -> bool:
    """A moment is enough: whatever could come is on this machine."""
    try:
        async with asyncio.timeout(0.05):
            return await connection[0].read(1) == b"nothing"
    except TimeoutError:
        return True


BIG = bytes(range(256)) * 4096


async def test_without_faults_everything_passes_both_ways(connection: Connection) -> None:
    assert await exchanged(connection, BIG) == BIG


async def test_an_end_is_passed_on_as_it_came(connection: Connection, echo: Echo) -> None:
    connection[1].write(b"all of it")
    connection[1].write_eof()
    assert await rest(connection) == (b"all of it", "fin")
    assert echo.ends == ["fin"]


async def test_a_server_that_is_not_there_ends_the_connection(echo: Echo) -> None:
    async with FaultProxy(echo.port) as proxy:
        async with Echo() as gone:
            proxy.target = gone.port
        connection = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert (await rest(connection))[0] == b""
        connection[1].close()


@pytest.mark.parametrize("way", ["to_server", "to_client"])
class TestBothWays:
    async def test_latency_comes_once_a_way(self, proxy: FaultProxy, connection: Connection, way: str) -> None:
        loop = asyncio.get_running_loop()
        setattr(proxy, way, Faults(latency=0.05))
        began = loop.time()
        assert await exchanged(connection, b"late") == b"late"
        assert loop.time() - began >= 0.04

    async def test_bandwidth_is_a_bound(self, proxy: FaultProxy, connection: Connection, way: str) -> None:
        loop = asyncio.get_running_loop()
        setattr(proxy, way, Faults(bandwidth=1e6))
        began = loop.time()
        assert await exchanged(connection, BIG[:100_000]) == BIG[:100_000]
        assert loop.time() - began >= 0.07

    async def test_slices_change_no_byte(self, proxy: FaultProxy, connection: Connection, way: str) -> None:
        setattr(proxy, way, Faults(slices=(1, 0.0)))
        assert await exchanged(connection, BIG[:500]) == BIG[:500]

    @pytest.mark.parametrize(("reset", "end"), [(False, "fin"), (True, "rst")], ids=["fin", "rst"])
    async def test_a_cut_lets_so_many_bytes_pass_and_none_more(
        self, proxy: FaultProxy, connection: Connection, way: str, reset: bool, end: str
    ) -> None:
        assert await exchanged(connection, b"before") == b"before"
        setattr(proxy, way, Faults(cut_after=10, reset=reset))
        assert await exchanged(connection, b"1234567") == b"1234567"
        connection[1].write(b"890ABC")
        seen, how = await rest(connection)
        assert b"890".startswith(seen)
        assert how == end

    async def test_what_is_swallowed_is_not_told(self, proxy: FaultProxy, connection: Connection, way: str) -> None:
        assert await exchanged(connection, b"before") == b"before"
        setattr(proxy, way, Faults(silent_after=3))
        connection[1].write(b"123456")
        async with asyncio.timeout(5):
            assert await connection[0].readexactly(3) == b"123"
        assert await nothing_more(connection)

    async def test_a_byte_is_corrupted_where_it_is_told(
        self, proxy: FaultProxy, connection: Connection, way: str
    ) -> None:
        assert await exchanged(connection, b"before") == b"before"
        setattr(proxy, way, Faults(corrupt_at=2))
        assert await exchanged(connection, b"abcd") == bytes([97, 98, 99 ^ 0xFF, 100])
        assert await exchanged(connection, b"abcd") == b"abcd"


async def test_a_lost_reply_was_to_a_request_that_arrived(
    proxy: FaultProxy, connection: Connection, echo: Echo
) -> None:
    proxy.to_client = SILENT
    connection[1].write(b"charge me")
    async with asyncio.timeout(5):
        while echo.got != b"charge me":
            await asyncio.sleep(0.001)
    assert await nothing_more(connection)


async def test_of_a_black_hole_the_server_never_hears(proxy: FaultProxy, connection: Connection, echo: Echo) -> None:
    assert await exchanged(connection, b"before") == b"before"
    proxy.blackhole = True
    connection[1].write(b"is anybody there")
    assert await nothing_more(connection)
    assert echo.got == b"before"


async def test_garbage_comes_in_place_of_one_reply(proxy: FaultProxy, connection: Connection) -> None:
    proxy.garbage = b"noise"
    connection[1].write(b"reply")
    async with asyncio.timeout(5):
        assert await connection[0].readexactly(5) == b"noise"
    assert await exchanged(connection, b"reply") == b"reply"


async def test_a_cut_of_all_is_a_reset_at_both_ends(proxy: FaultProxy, connection: Connection, echo: Echo) -> None:
    assert await exchanged(connection, b"before") == b"before"
    proxy.cut()
    assert await rest(connection) == (b"", "rst")
    async with asyncio.timeout(5):
        while not echo.ends:
            await asyncio.sleep(0.001)
    assert echo.ends == ["rst"]
