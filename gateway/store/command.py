"""What is carried to Redis: packed when it leaves, told of its answer, or of why there is none."""

import asyncio
import math

from gateway.store.failures import Failure, Kind
from gateway.store.resp import Reply, pack

Numbers = tuple[int, ...]


class Command:
    """What is sent in one trip. Exactly one of `answered` and `failed` is called, without anybody waiting in it.

    What is not `vital` may be refused without that saying anything of the server. What is kept is sent again after a
    loss, of which `unanswered` and `passed_over` tell it. What is `patient` waits a moment for others to go with.
    `refused` is what an error means that has no code.
    """

    __slots__ = ()
    op = "connect"
    keep = False
    vital = True
    patient = False
    refused = Kind.SCRIPT
    deadline = math.inf

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for it, until its deadline."""
        return False

    def packed(self) -> bytes:
        """Nothing if it is not worth sending any more."""
        raise NotImplementedError

    def answered(self, reply: Reply) -> None:
        """Raises ValueError if that can't be the answer."""

    def failed(self, failure: Failure) -> None:
        """There will be no answer that counts."""

    def unanswered(self) -> None:
        """The connection was lost on the way, and it will be sent again."""

    def passed_over(self) -> None:
        """A connection was lost before it was sent."""


class Setup(Command):
    """What a connection is good for nothing without."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def packed(self) -> bytes:
        return self._packed

    def answered(self, reply: Reply) -> None:
        if reply != b"OK":
            raise ValueError("not OK")


class Login(Setup):
    __slots__ = ()
    refused = Kind.AUTH


class Load(Setup):
    """A script, for Redis to know it by its hash."""

    __slots__ = ()

    def __init__(self, text: bytes) -> None:
        super().__init__(pack([b"SCRIPT", b"LOAD", text]))

    def answered(self, reply: Reply) -> None:
        if not isinstance(reply, bytes) or len(reply) != 40:
            raise ValueError("not a hash")


class Awaited(Command):
    """Somebody waits in `future` until `deadline`, in the loop's time, for `count` numbers, or why there are none."""

    __slots__ = ("_packed", "deadline", "future")
    count = 1

    def __init__(self, future: asyncio.Future[Numbers | Failure], packed: bytes, deadline: float) -> None:
        self.future = future
        self.deadline = deadline
        self._packed = packed

    @property
    def wanted(self) -> bool:
        return not self.future.done()

    def packed(self) -> bytes:
        return b"" if self.future.done() else self._packed

    def answered(self, reply: Reply) -> None:
        found = numbers(reply, self.count)
        if self.future.done():
            self.abandoned(found)
        else:
            self.future.set_result(found)

    def failed(self, failure: Failure) -> None:
        if self.future.done():
            self.abandoned(failure)
        else:
            self.future.set_result(failure)

    def abandoned(self, reply: Numbers | Failure) -> None:
        """Nobody waits any more."""


def numbers(reply: Reply, count: int) -> Numbers:
    """What our scripts answer: integers in one line. Raises ValueError."""
    if not isinstance(reply, bytes):
        raise ValueError("not a line")
    found = tuple(map(int, reply.split()))
    if len(found) != count:
        raise ValueError("not as many numbers")
    return found
