"""What the tests' own servers have in common: a free port on loopback, and an end that waits for nobody."""

import asyncio
from types import TracebackType
from typing import Self


class LoopbackServer:
    """`async with` it; until the end of the block it accepts."""

    def __init__(self) -> None:
        self.port = 0
        self._listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """As of a Redis."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.get_running_loop().create_server(self.accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listener is not None
        self._listener.close()
        await self.end_connections()
        await self._listener.wait_closed()

    def accept(self) -> asyncio.Protocol:
        """Of one connection."""
        raise NotImplementedError

    async def end_connections(self) -> None:
        """All there are, with a reset."""
        raise NotImplementedError
