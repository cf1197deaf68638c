"""One connection to Redis: written to at once, heard without a task, dropped without waiting."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from gateway.store.failures import Kind, Unlinked
from gateway.store.resp import Replies, Reply, pack

CONNECT_TIMEOUT = 1.0
PORT = 6379


@dataclass(frozen=True, slots=True)
class Address:
    """`login` and `select` are packed commands, None if they are not needed."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    login: bytes | None = field(repr=False)
    select: bytes | None

    @classmethod
    def of(cls, url: str) -> "Address":
        """Raises ValueError.

        `rediss://` verifies the server's certificate and name, by the CAs that OpenSSL trusts: a private one is in the
        file that the environment's SSL_CERT_FILE names.
        """
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("a store has a host")
        words = [unquote(word).encode() for word in (parts.username, parts.password) if word]
        database = parts.path.strip("/")
        return cls(
            parts.hostname,
            parts.port or PORT,
            ssl.create_default_context() if parts.scheme == "rediss" else None,
            pack([b"AUTH", *words]) if words else None,
            pack([b"SELECT", b"%d" % int(database)]) if database.strip("0") else None,
        )


class Link(asyncio.Protocol):
    """`arrive` is given whole replies, `lost` is told once why there will be no more; neither after `abort`."""

    def __init__(self, arrive: Callable[[Sequence[Reply]], None], lost: Callable[[Kind], None]) -> None:
        self.open = True
        self._arrive = arrive
        self._lost = lost
        self._replies = Replies()
        self._transport: asyncio.Transport | None = None

    async def connect(self, address: Address) -> None:
        """Raises Unlinked."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await loop.create_connection(lambda: self, address.host, address.port, ssl=address.tls)
        except TimeoutError:
            raise Unlinked(Kind.TIMEOUT) from None
        except (OSError, UnicodeError):
            raise Unlinked(Kind.CONNECTION) from None
        if not self.open:
            raise Unlinked(Kind.CONNECTION)

    def write(self, data: bytes) -> None:
        """Without waiting: what may be under way is bounded by the one trip in flight. Raises OSError."""
        if self._transport is None:
            raise ConnectionResetError
        try:
            self._transport.write(data)
        except RuntimeError as error:  # uvloop's word for a closed transport
            raise ConnectionResetError from error

    def abort(self) -> None:
        """Nothing more is sent or heard, not even what is buffered."""
        self.open = False
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is not one by inheritance
        if not self.open:
            self.abort()

    def data_received(self, data: bytes) -> None:
        replies = self._replies
        if self.open:
            self._arrive(replies.feed(data))
        if replies.broken and self.open:
            self._lost(Kind.PROTOCOL)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self.open:
            self.open = False
            self._lost(Kind.CONNECTION)
