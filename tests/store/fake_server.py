"""fakeredis behind a socket of the test's own event loop, on a clock that may be set by hand."""

import asyncio
import queue
import time
from typing import Any, cast

from fakeredis import FakeServer
from fakeredis._clients._tcp_server import encode_reply
from fakeredis._helpers import SimpleError
from fakeredis._socket import FakeSocket
from redis import Redis

from tests.loopback import LoopbackServer

VERSION = (7, 4)


class FakeRedisServer(LoopbackServer):
    """`now` is the server's clock in microseconds, None for the real one.

    `knows_flags` is False of servers older than Redis 7, which take no `#!lua` at the head of a script.
    """

    def __init__(self, now: int | None = None) -> None:
        super().__init__()
        self.now = now
        self.knows_flags = True
        self.commands: list[str] = []
        self.connections: set[_Connection] = set()
        self._fake = FakeServer(version=VERSION)

    def size(self, key: bytes) -> int:
        """How many members a key has."""
        item = self._fake.dbs[0].get(key)
        return 0 if item is None else len(item.value)

    @property
    def clock(self) -> int:
        return time.time_ns() // 1000 if self.now is None else self.now

    def accept(self) -> asyncio.Protocol:
        return _Connection(self, self._fake)

    async def end_connections(self) -> None:
        for connection in list(self.connections):
            connection.abort()


class _Socket(FakeSocket):
    """fakeredis's own end of a connection, where it differs from Redis 7 put right."""

    def __init__(self, server: FakeRedisServer, fake: FakeServer) -> None:
        super().__init__(fake, 0, client_class=Redis)
        self._of = server

    def time(self) -> list[bytes]:
        seconds, microseconds = divmod(self._of.clock, 1_000_000)
        return [b"%d" % seconds, b"%d" % microseconds]

    def _process_command(self, fields: list[bytes]) -> None:
        if fields:
            self._of.commands.append(fields[0].decode().lower())
        super()._process_command(fields)

    def _run_command(self, func: Any, sig: Any, args: list[Any], from_script: bool) -> Any:
        """Keys expire by the same clock that TIME tells."""
        self._db.time = self._of.clock / 1_000_000
        return super()._run_command(func, sig, args, from_script)

    def eval(self, script: bytes, numkeys: int, *keys_and_args: bytes) -> Any:
        """Its Lua does not know the line `#!lua flags=…`: it becomes a comment of the same length."""
        return super().eval(
            script.replace(b"#!", b"--", 1) if script.startswith(b"#!") else script, numkeys, *keys_and_args
        )

    def script_load(self, *args: bytes) -> bytes:
        if not self._of.knows_flags and args[0].startswith(b"#!"):
            raise SimpleError("ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'")
        return cast(bytes, super().script_load(*args))

    def _decode_error(self, error: SimpleError) -> Any:
        """As it is: redis-py's classes would lose the code that begins it."""
        return error


class _Connection(asyncio.Protocol):
    def __init__(self, server: FakeRedisServer, fake: FakeServer) -> None:
        self._server = server
        self._socket = _Socket(server, fake)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._server.connections.add(self)
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not one by inheritance

    def data_received(self, data: bytes) -> None:
        self._socket.sendall(data)
        responses = self._socket.responses
        assert responses is not None
        replies = []
        while True:
            try:
                reply = responses.get_nowait()
            except queue.Empty:
                break
            replies.append(encode_reply(reply, self._socket._client_info.protocol_version))
        self._transport.write(b"".join(replies))

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._socket.close()

    def abort(self) -> None:
        self._transport.abort()
