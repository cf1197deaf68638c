"""A TCP relay on loopback whose faults are set while it runs, for each direction by itself."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, replace

from tests.loopback import LoopbackServer

READ = 65536


@dataclass(frozen=True, slots=True)
class Faults:
    """Of one direction. Offsets are in bytes of each connection, counted from when these faults were set.

    * `latency`: seconds that every read is late
    * `bandwidth`: bytes a second
    * `slices`: so many bytes a write, and seconds between two; 0 is a turn of the loop
    * `silent_after`: from there on nothing passes, and nobody is told
    * `cut_after`: there both ends lose their connection, with a FIN, or with a reset if `reset`
    * `corrupt_at`: this byte comes with all its bits turned
    """

    latency: float = 0.0
    bandwidth: float | None = None
    slices: tuple[int, float] | None = None
    silent_after: int | None = None
    cut_after: int | None = None
    reset: bool = False
    corrupt_at: int | None = None


NONE = Faults()
SILENT = Faults(silent_after=0)


class FaultProxy(LoopbackServer):
    """`async with` it, before a server at `target`, a port that may be changed for connections to come.

    How one end leaves, with a FIN or a reset, is passed on to the other. `garbage` comes in place of the next reply.
    `replies` counts reads that were passed to clients, `accepted` has when each connection began, in the loop's time.
    """

    def __init__(self, target: int) -> None:
        super().__init__()
        self.target = target
        self.to_server = NONE
        self.to_client = NONE
        self.garbage: bytes | None = None
        self.accepted: list[float] = []
        self.replies = 0
        self._connections: dict[asyncio.Task[None], _Connection] = {}

    @property
    def latency(self) -> float:
        """Of replies."""
        return self.to_client.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self.to_client = replace(self.to_client, latency=seconds)

    @property
    def drop_replies(self) -> bool:
        """Requests arrive, replies are lost."""
        return self.to_client.silent_after is not None

    @drop_replies.setter
    def drop_replies(self, drop: bool) -> None:
        self.to_client = replace(self.to_client, silent_after=0 if drop else None)

    @property
    def blackhole(self) -> bool:
        """Connections are accepted, and nothing passes either way."""
        return self.drop_replies and self.to_server.silent_after is not None

    @blackhole.setter
    def blackhole(self, swallow: bool) -> None:
        self.drop_replies = swallow
        self.to_server = replace(self.to_server, silent_after=0 if swallow else None)

    def cut(self) -> None:
        """Every connection, with a reset."""
        for task, connection in list(self._connections.items()):
            connection.reset()
            task.cancel()

    def accept(self) -> asyncio.Protocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), self._serve)

    async def end_connections(self) -> None:
        self.cut()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = self._connections[task] = _Connection(self, writer)
        self.accepted.append(asyncio.get_running_loop().time())
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await connection.relay(reader)
        finally:
            connection.end()
            del self._connections[task]


class _Connection:
    def __init__(self, proxy: FaultProxy, client: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._ends = [client]

    async def relay(self, reader: asyncio.StreamReader) -> None:
        """Until both directions ended, or one was cut. Raises OSError."""
        answers, server = await asyncio.open_connection("127.0.0.1", self._proxy.target)
        client = self._ends[0]
        self._ends.append(server)
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pass(reader, server, "to_server"), name="to server")
                ways.create_task(self._pass(answers, client, "to_client"), name="to client")
        except* _Cut as cut:
            if cut.subgroup(lambda error: isinstance(error, _Reset)):
                self.reset()

    def reset(self) -> None:
        for writer in self._ends:
            linger = struct.pack("ii", 1, 0)
            if (end := writer.get_extra_info("socket")) is not None:  # None once it is closed
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    def end(self) -> None:
        for writer in self._ends:
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        """Raises _Cut."""
        faults, offset = NONE, 0
        try:
            while data := await reader.read(READ):
                if faults is not (current := getattr(self._proxy, way)):
                    faults, offset = current, 0
                if faults.latency:
                    await asyncio.sleep(faults.latency)
                passed = _spoilt(data, faults, offset)
                offset += len(data)
                if passed and way == "to_client":
                    passed = self._instead(passed)
                await _write(writer, passed, faults)
                if faults.cut_after is not None and offset >= faults.cut_after:
                    raise _Reset if faults.reset else _Cut
            with contextlib.suppress(OSError, RuntimeError):
                writer.write_eof()
        except (OSError, RuntimeError):  # RuntimeError: uvloop's word for a closed transport
            raise _Reset from None

    def _instead(self, data: bytes) -> bytes:
        proxy = self._proxy
        proxy.replies += 1
        data, proxy.garbage = proxy.garbage or data, None
        return data


class _Cut(Exception):
    pass


class _Reset(_Cut):
    pass


def _spoilt(data: bytes, faults: Faults, offset: int) -> bytes:
    """What is left of a read that begins at `offset`."""
    if faults.corrupt_at is not None and 0 <= (at := faults.corrupt_at - offset) < len(data):
        data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
    ends = [end - offset for end in (faults.cut_after, faults.silent_after) if end is not None]
    return data[: max(0, min(ends))] if ends else data


async def _write(writer: asyncio.StreamWriter, data: bytes, faults: Faults) -> None:
    """Raises OSError."""
    size, delay = faults.slices or (READ, 0.0)
    if faults.bandwidth is not None:
        size = min(size, max(1, int(faults.bandwidth / 50)))
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        writer.write(piece)
        await writer.drain()
        if faults.slices or faults.bandwidth:
            await asyncio.sleep(delay + (len(piece) / faults.bandwidth if faults.bandwidth else 0))
