"""A TCP relay on loopback whose faults are set while it runs."""

import asyncio
import contextlib

from tests.loopback import LoopbackServer


class FaultProxy(LoopbackServer):
    """`async with` it, before a server at `target`, a port that may be changed for connections to come.

    * `latency`: seconds that every reply is late
    * `drop_replies`: requests arrive, replies are lost
    * `blackhole`: connections are accepted, and nothing passes either way
    * `garbage`: these bytes come in place of the next reply
    """

    def __init__(self, target: int) -> None:
        super().__init__()
        self.target = target
        self.latency = 0.0
        self.drop_replies = False
        self.blackhole = False
        self.garbage: bytes | None = None
        self.accepted: list[float] = []
        self.replies = 0
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def accept(self) -> asyncio.Protocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), self._serve)

    async def end_connections(self) -> None:
        self.cut()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def cut(self) -> None:
        """Every connection, with a reset."""
        for task, writer in list(self._serving.items()):
            writer.transport.abort()
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        self.accepted.append(asyncio.get_running_loop().time())
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._relay(reader, writer)
        finally:
            writer.transport.abort()
            del self._serving[task]

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        loop = asyncio.get_running_loop()
        replies = loop.create_task(self._pass_replies(server_reader, writer), name="replies")
        try:
            await self._pass_requests(reader, server_writer)
        finally:
            server_writer.transport.abort()
            replies.cancel()
            await asyncio.wait([replies])

    async def _pass_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.blackhole:
                writer.write(data)

    async def _pass_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The server's end of the connection ends the client's."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.latency:
                    await asyncio.sleep(self.latency)
                if self.blackhole or self.drop_replies:
                    continue
                if self.garbage is not None:
                    data, self.garbage = self.garbage, None
                self.replies += 1
                writer.write(data)
        writer.transport.abort()
