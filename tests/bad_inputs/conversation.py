"""What a client hears on one connection while it may still be sending."""

import asyncio
import contextlib
import itertools
import random
import socket

from tests.bad_inputs.replies import Reply, split_replies
from tests.e2e.raw import RawClient

BYTEWISE = 2048
PIECES = 200


def cut(sent: bytes, seed: str) -> list[bytes]:
    """Single bytes; of more than 2 KB, pieces that are the same in every run."""
    if len(sent) <= BYTEWISE:
        return [sent[at : at + 1] for at in range(len(sent))]
    dice = random.Random(seed)
    cuts = [0, *sorted(dice.sample(range(1, len(sent)), PIECES)), len(sent)]
    return [sent[start:end] for start, end in itertools.pairwise(cuts)]


async def send(client: RawClient, pieces: list[bytes]) -> None:
    """Each in a segment of its own; up to where the other side has closed."""
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            await client.send(piece)
            await asyncio.sleep(0)  # the server, on the same loop, reads


class Conversation:
    """`is_head`: the answers have no body."""

    def __init__(self, client: RawClient, *, is_head: bool) -> None:
        self._client = client
        self._is_head = is_head
        self._raw = b""
        self._ended = False

    @property
    def replies(self) -> list[Reply]:
        """The whole ones so far, but `100 Continue`."""
        replies = split_replies(self._raw, is_head=self._is_head, ended=self._ended)
        return [reply for reply in replies if reply.status >= 200]

    async def until(self, count: int) -> None:
        """Until so many answers are whole, or the connection has ended."""
        while not self._ended and len(self.replies) < count:
            await self._hear()

    async def until_end(self) -> None:
        while not self._ended:
            await self._hear()

    async def _hear(self) -> None:
        try:
            data = await asyncio.get_running_loop().sock_recv(self._client.socket, 65536)
        except ConnectionError:
            data = b""
        self._raw += data
        self._ended = not data
