"""What a call needs of a caller's endpoint and an upstream's schema together: a row of `wire/dialect.py`'s tables."""

from typing import NamedTuple, Protocol

from gateway.core.call import Ask
from gateway.core.fault import Fault
from gateway.core.outcome import Usage
from gateway.core.ports import Scanner
from gateway.core.route import Target
from gateway.wire.events import Json

FORWARDED = frozenset((b"accept", b"user-agent", b"openai-beta"))


class Outgoing(NamedTuple):
    """A request to an upstream; `asked` is the caller's, read, where the answer has to be translated by it.

    `answer` is one that needs no upstream.
    """

    body: bytes
    dropped: tuple[str, ...] = ()
    asked: Json | None = None
    content_type: bytes = b"application/json"
    answer: bytes | None = None
    method: str = "POST"


class Answered(NamedTuple):
    """A plain answer as the caller gets it."""

    usage: Usage | None
    body: bytes


class Pair(Protocol):
    """How to ask an upstream for a caller, and how to read what it answers. Pure.

    `forwards` are the caller's headers that go along; an answer that is `opaque` passes whatever it is, one that
    `translates` is read whole.
    """

    forwards: frozenset[bytes]
    opaque: bool
    translates: bool

    def path(self, ask: Ask, target: Target) -> str:
        """Below the upstream's base path."""

    def request(self, ask: Ask, target: Target) -> Outgoing:
        """Raises a Refusal for what the upstream's schema has no words for."""

    def scanner(self, ask: Ask, outgoing: Outgoing) -> Scanner:
        """A fresh reading of one stream."""

    def read_answer(self, body: bytes, outgoing: Outgoing) -> Answered:
        """Raises the Fault that a body without a good answer amounts to."""

    def read_status(self, status: int) -> Fault | None:
        """What an error status means whatever its body says; None if the body has to be read."""

    def read_failure(self, status: int, body: bytes) -> Fault:
        """What an error status (or, with 200, an error in place of an answer) means for the attempt."""
