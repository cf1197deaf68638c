"""The simulator: listens, remembers what it was asked, and answers by its script."""

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from gateway.simulator.connection import Connection, Departure
from gateway.simulator.provider import Provider
from gateway.simulator.request import Request
from gateway.simulator.step import Step

Script = Callable[[Request], Iterable[Step]]


class Simulator:
    """An upstream on loopback. Without a script the model's name decides (see `provider`).

    `script` may be swapped at any time; it may return a generator, which is read no faster than the peer reads.
    With `at_head` it is called when a request's head is in, and the body is never read.
    `tokens_per_second` 0 means as fast as the socket takes. `remember=False` keeps no request, for long runs.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        name: str = "simulator",
        tokens_per_second: float = 0.0,
        api_key: str | None = None,
        at_head: bool = False,
        remember: bool = True,
    ) -> None:
        self.script: Script = script or Provider(name, tokens_per_second, api_key)
        self.name = name
        self.host = "127.0.0.1"
        self.port = 0
        self.requests: list[Request] = []
        self.connections = 0
        self._at_head = at_head
        self._remember = remember
        self._server: asyncio.Server | None = None
        self._known: dict[int, Connection] = {}

    def __repr__(self) -> str:
        return f"<Simulator {self.name} {self.url} requests={len(self.requests)} open={self.open_connections}>"

    @property
    def url(self) -> str:
        """The base URL for an SDK or an upstream's `base_url`."""
        return f"http://{self.host}:{self.port}/v1"

    @property
    def open_connections(self) -> int:
        return sum(connection.departure is None for connection in self._known.values())

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. May be started again after `close`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, host, port, backlog=1024)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server:
            self._server.close()
            for connection in list(self._known.values()):
                await connection.abort()
            await self._server.wait_closed()
            self._server = None

    async def until_left(self, request: Request) -> Departure:
        """Wait until the connection that `request` came on has ended."""
        return await self._known[request.connection].until_left()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _accept(self) -> Connection:
        self.connections += 1
        connection = Connection(self.connections, self._respond, self._forget, at_head=self._at_head)
        self._known[connection.number] = connection
        return connection

    def _respond(self, request: Request) -> Iterable[Step]:
        if self._remember:
            self.requests.append(request)
        return self.script(request)

    def _forget(self, connection: Connection) -> None:
        if not self._remember:
            del self._known[connection.number]
