"""The table of API schemas an upstream may speak: a dialect is one module here and one line below."""

from types import MappingProxyType
from typing import Protocol

from gateway.core.call import Ask, Endpoint
from gateway.core.fault import Fault
from gateway.core.outcome import Usage
from gateway.core.ports import Scanner
from gateway.core.route import Target, Upstream
from gateway.wire.openai import OpenAI


class Dialect(Protocol):
    """How to ask an upstream of one schema, and how to read what it answers. Pure."""

    def path(self, endpoint: Endpoint) -> str:
        """Below the upstream's base path."""

    def credential(self, upstream: Upstream) -> tuple[tuple[str, str], ...]:
        """The headers that carry the upstream's API key."""

    def request(self, ask: Ask, target: Target) -> bytes:
        """The body to send."""

    def scanner(self, ask: Ask) -> Scanner:
        """A fresh reading of one stream."""

    def read_answer(self, body: bytes) -> Usage | None:
        """A plain answer's usage. Raises the Fault that a body without a good answer amounts to."""

    def read_status(self, status: int) -> Fault | None:
        """What an error status means whatever its body says; None if the body has to be read."""

    def read_failure(self, status: int, body: bytes) -> Fault:
        """What an error status (or, with 200, an error in place of an answer) means for the attempt."""


DIALECTS: MappingProxyType[str, Dialect] = MappingProxyType({"openai": OpenAI()})
