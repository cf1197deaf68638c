"""Clients in a closed loop on kept-alive connections: one call after another, half of them streams."""

import asyncio
from dataclasses import dataclass, field

from tests.e2e.raw import chat, post
from tests.simulator.wire import Parsed


@dataclass
class Load:
    """`served` calls so far; what went wrong is in `failed`, a stream without its end in `cut`."""

    port: int
    model: str = "first/sim-100tps-10tok"
    served: int = 0
    failed: list[str] = field(default_factory=list)
    cut: int = 0
    stopped: bool = False

    async def run(self, clients: int) -> None:
        """Until `stopped`."""
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(self._client(streams=number % 2 == 0), name=f"client {number}")

    async def _client(self, *, streams: bool) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self.stopped:
            try:
                connection = connection or await asyncio.open_connection("127.0.0.1", self.port)
                if not await self._call(*connection, streams=streams):
                    connection[1].close()
                    connection = None
            except (OSError, EOFError) as error:
                self.failed.append(repr(error))
                connection = None
        if connection:
            connection[1].close()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, streams: bool) -> bool:
        """Whether the connection may be used again. Raises OSError, EOFError."""
        writer.write(post(chat(self.model, stream=streams)))
        seen = b""
        while True:
            data = await reader.read(65536)
            if not data and seen:
                self.cut += 1
                return False
            if not data:
                raise EOFError("closed without an answer")
            seen += data
            if b"\r\n\r\n" in seen and (answer := Parsed(seen)).complete:
                break
        if answer.status != 200:
            self.failed.append(f"{answer.status} {answer.body!r}")
        elif streams and answer.events[-1] != b"[DONE]":
            self.cut += 1
        else:
            self.served += 1
        return answer.headers.get(b"connection") != b"close"
