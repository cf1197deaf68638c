"""A server that greets as Redis does, and from then on answers what a test tells it to."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gateway.store
from tests.loopback import LoopbackServer
from tests.store.bench import until

_SCRIPTS = {
    hashlib.sha1(path.read_bytes()).hexdigest().encode(): path.stem
    for path in (Path(gateway.store.__file__).parent / "scripts").glob("*.lua")
}
ADMITTED = b"+1 0 0 1 0\r\n"
REFUSED = b"+0 9 9 1 0\r\n"
DONE = b"+1\r\n"
_ANSWERS = {"admit": ADMITTED, "use": ADMITTED, "settle": DONE, "renew": DONE, "load": b"$40\r\n%b\r\n" % (b"a" * 40)}


@dataclass(frozen=True)
class Seen:
    """A command: a script's name, or `load`, or the plain first word; for scripts, the keys and the rest."""

    name: str
    fields: tuple[bytes, ...] = ()

    @property
    def keys(self) -> tuple[bytes, ...]:
        return self.fields[1 : 1 + int(self.fields[0])]

    @property
    def arguments(self) -> tuple[bytes, ...]:
        return self.fields[1 + int(self.fields[0]) :]

    def __str__(self) -> str:
        """What a test is about: `admit c1`, `settle c1 first`, `renew c1 c2`."""
        if self.name == "settle":
            return f"settle {self.arguments[0].decode()} {self.arguments[3].decode()}"
        told = self.arguments[2:] if self.name == "renew" else self.arguments[:1] if self.name == "admit" else ()
        return " ".join((self.name, *(word.decode() for word in told)))


class ScriptedRedis(LoopbackServer):
    """`held` commands wait for `reply`; what is not held gets the answer that pleases.

    `seen` has every command but those of greetings, and is what Redis would run if it were alive.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held: Callable[[Seen], bool] = lambda seen: False
        self.refuse_greeting: bytes | None = None
        self.seen: list[Seen] = []
        self.trips: list[list[str]] = []
        self.connections: list[_Connection] = []

    def accept(self) -> asyncio.Protocol:
        return _Connection(self)

    async def end_connections(self) -> None:
        for connection in self.connections:
            connection.transport.abort()

    @property
    def told(self) -> list[str]:
        return [str(seen) for seen in self.seen]

    def hold(self, *names: str) -> None:
        self.held = lambda seen: seen.name in names

    def reply(self, *data: bytes) -> None:
        """To what was held, on the newest connection."""
        self.connections[-1].transport.write(b"".join(data))

    def cut(self) -> None:
        """End the newest connection."""
        self.connections[-1].transport.abort()

    async def saw(self, *told: str) -> None:
        """Wait until these are the last commands that came."""
        await until(lambda: self.told[-len(told) :] == list(told))

    async def connected(self, times: int) -> None:
        """Wait for that many connections to have been greeted."""
        await until(lambda: sum(connection.greeted for connection in self.connections) >= times)

    def answer(self, seen: Seen) -> bytes:
        return _ANSWERS.get(seen.name, b"-ERR unknown command\r\n")


class _Connection(asyncio.Protocol):
    def __init__(self, server: ScriptedRedis) -> None:
        self._server = server
        self._buffer = b""
        self.greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._server.connections.append(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        trip = []
        while (seen := self._next()) is not None:
            if self.greeted:
                trip.append(str(seen))
                self._server.seen.append(seen)
            if not (self.greeted and self._server.held(seen)):
                self.transport.write(self._answer(seen))
        if trip:
            self._server.trips.append(trip)

    def _answer(self, seen: Seen) -> bytes:
        if self.greeted:
            return self._server.answer(seen)
        if seen.name != "renew":
            return _ANSWERS[seen.name]
        self.greeted = self._server.refuse_greeting is None
        return self._server.refuse_greeting or b"+0\r\n"

    def _next(self) -> Seen | None:
        lines = deque(self._buffer.split(b"\r\n"))
        count = int(lines.popleft()[1:] or 0)
        if len(lines) <= 2 * count or not count:
            return None
        fields = []
        rest = self._buffer.partition(b"\r\n")[2]
        for _ in range(count):
            size, _, rest = rest.partition(b"\r\n")
            length = int(size[1:])
            fields.append(rest[:length])
            rest = rest[length + 2 :]
        self._buffer = rest
        if fields[0] == b"EVALSHA":
            return Seen(_SCRIPTS[fields[1]], tuple(fields[2:]))
        return Seen("load" if fields[0] == b"SCRIPT" else fields[0].decode().lower(), tuple(fields[1:]))
