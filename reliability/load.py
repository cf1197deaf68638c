"""Clients in closed loops, each on a kept-alive connection: one call after another, half of them streams."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from reliability.client import Answer, Client, post


@dataclass
class Load:
    """`failed` are answers other than 200 and connections that ended without one; `cut` are streams without an end.

    `seen` gets every answer that was complete.
    """

    port: int
    model: str = "first/sim-100tps-10tok"
    seen: Callable[[Answer], None] | None = None
    served: int = 0
    cut: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    _stopped: bool = False

    @contextlib.asynccontextmanager
    async def running(self, clients: int) -> AsyncIterator[None]:
        """Until the end of the block, and until each call then under way has ended."""
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._client(number % 2 == 0), name=f"client {number}") for number in range(clients)]
        try:
            yield
        finally:
            self._stopped = True
            await asyncio.gather(*tasks)

    async def until(self, served: int) -> None:
        """So many more calls."""
        goal = self.served + served
        while self.served < goal:
            await asyncio.sleep(0.01)

    async def _client(self, streams: bool) -> None:
        client = Client(self.port)
        while not self._stopped:
            try:
                self._count(await client.ask(post(self.model, stream=streams)), streams)
            except (OSError, EOFError) as error:
                client.leave()
                self.failed[repr(error)] += 1
        client.leave()

    def _count(self, answer: Answer, streams: bool) -> None:
        if answer.status != 200:
            self.failed[str(answer.status)] += 1
        elif not answer.complete or (streams and not answer.whole_stream):
            self.cut += 1
        else:
            self.served += 1
            if self.seen is not None:
                self.seen(answer)
