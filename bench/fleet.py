"""The clients of one thing measured: connections that stay open over the rounds, and the ways to use them."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from bench.client import Client
from bench.tally import Tally

_AT_ONCE = 64  # connections opened, streams begun together


class Stuck(Exception):
    """Answers did not end, or did not begin, in time."""


class Fleet:
    def __init__(self, port: int) -> None:
        self.clients: list[Client] = []
        self._port = port
        self._next: Callable[[Client], None] = _nothing

    async def open(self, number: int) -> None:
        """So many connections, no more and no less; those that were lost are replaced. Raises OSError."""
        loop = asyncio.get_running_loop()
        alive = [client for client in self.clients if not client.lost]
        self.clients = alive[:number]
        for client in alive[number:]:
            client.close()
        while (missing := number - len(self.clients)) > 0:
            made = await asyncio.gather(
                *(
                    loop.create_connection(lambda: Client(Tally(), self._ended), "127.0.0.1", self._port)
                    for _ in range(min(missing, _AT_ONCE))
                )
            )
            self.clients += [client for _, client in made]

    def count(self) -> Tally:
        """What the clients see from now on."""
        tally = Tally()
        for client in self.clients:
            client.tally = tally
        return tally

    def close(self) -> None:
        for client in self.clients:
            client.close()

    async def closed_loop(self, request: bytes, seconds: float) -> None:
        """Every client asks again as soon as it was answered."""
        until = time.monotonic() + seconds

        def again(client: Client) -> None:
            if not client.lost and time.monotonic() < until:
                client.ask(request)

        self._next = again
        for client in self.clients:
            client.ask(request)
        await self.until(lambda: not self.busy, seconds + 10)

    async def paced(self, request: bytes, seconds: float, per_second: float) -> None:
        """Whoever is free asks when the next call is due; a call for which nobody is free comes late."""
        free = deque(self.clients)
        self._next = free.append
        begin = time.monotonic()
        for number in range(int(seconds * per_second)):
            await asyncio.sleep(max(0.0, begin + number / per_second - time.monotonic()))
            while not free or free[0].lost:
                if free:
                    free.popleft()
                await self.until(lambda: bool(free), 10)
            free.popleft().ask(request)
        await self.until(lambda: not self.busy, 10)

    async def streams(self, request: bytes, per_second: float) -> None:
        """Begin one on every connection; returns when each had its first event."""
        self._next = _nothing
        begin = time.monotonic()
        for number, client in enumerate(self.clients):
            if number % _AT_ONCE == 0 or per_second < 1000:
                await asyncio.sleep(max(0.0, begin + number / per_second - time.monotonic()))
            client.ask(request)
        await self.until(lambda: all(client.begun or client.lost for client in self.clients), 20)

    @property
    def busy(self) -> bool:
        return any(client.busy for client in self.clients)

    async def until(self, true: Callable[[], bool], seconds: float) -> None:
        """Raises Stuck."""
        try:
            async with asyncio.timeout(seconds):
                while not true():  # noqa: ASYNC110 - it asks every client, and may not cost the load anything
                    await asyncio.sleep(0.002)
        except TimeoutError:
            busy = sum(client.busy for client in self.clients)
            raise Stuck(f"{busy} of {len(self.clients)} calls did not go on within {seconds:.0f} s") from None

    def _ended(self, client: Client) -> None:
        self._next(client)


def _nothing(_: Client) -> None:
    pass
