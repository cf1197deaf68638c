"""What is carried to Redis: packed when it leaves, told of its answer, or of why there is none."""

import asyncio
import math

from gateway.store.failures import Failure
from gateway.store.link import pack

Reply = tuple[int, ...] | Failure


class Command:
    """What is sent in one trip. Exactly one of `answered` and `failed` is called, without anybody waiting in it.

    What is not `vital` may be refused without that saying anything of the server. What is kept is sent again after a
    loss, of which `unanswered` and `passed_over` tell it.
    """

    __slots__ = ()
    op = "connect"
    keep = False
    vital = True
    deadline = math.inf

    @property
    def wanted(self) -> bool:
        """Whether it is worth sending."""
        return True

    def packed(self) -> bytes:
        raise NotImplementedError

    def answered(self, reply: object) -> None:
        """Raises ValueError if that can't be the answer."""

    def failed(self, failure: Failure) -> None:
        """There will be no answer that counts."""

    def unanswered(self) -> None:
        """The connection was lost on the way, and it will be sent again."""

    def passed_over(self) -> None:
        """A connection was lost before it was sent."""


class Load(Command):
    """A script, for Redis to know it by its hash."""

    __slots__ = ("_text",)

    def __init__(self, text: bytes) -> None:
        self._text = text

    def packed(self) -> bytes:
        return pack([b"SCRIPT", b"LOAD", self._text])

    def answered(self, reply: object) -> None:
        if not isinstance(reply, bytes) or len(reply) != 40:
            raise ValueError("not a hash")


class Awaited(Command):
    """Somebody waits for it until `deadline`, in the loop's time; numbers of the script, or why there are none."""

    __slots__ = ("_packed", "count", "deadline", "future", "op")

    def __init__(self, op: str, packed: bytes, count: int, deadline: float) -> None:
        self.op = op
        self.count = count
        self.deadline = deadline
        self.future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._packed = packed

    @property
    def wanted(self) -> bool:
        return not self.future.done()

    def packed(self) -> bytes:
        return self._packed

    def answered(self, reply: object) -> None:
        self._resolve(numbers(reply, self.count))

    def failed(self, failure: Failure) -> None:
        self._resolve(failure)

    def _resolve(self, reply: Reply) -> None:
        if self.future.done():
            self.abandoned(reply)
        else:
            self.future.set_result(reply)

    def abandoned(self, reply: Reply) -> None:
        """Nobody waits any more."""


def numbers(reply: object, count: int) -> tuple[int, ...]:
    """What our scripts answer: integers in one line. Raises ValueError."""
    if not isinstance(reply, bytes):
        raise ValueError("not a line")
    found = tuple(map(int, reply.split()))
    if len(found) != count:
        raise ValueError("not as many numbers")
    return found
