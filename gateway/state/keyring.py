"""The keys that are known, by hash: the key itself is never kept."""

from collections.abc import Mapping
from hashlib import sha256

from gateway.core.call import Caller


class Keyring:
    """Lookup by SHA-256 digest: a dict probe on a hash tells a guesser nothing about how near a guess was."""

    def __init__(self, callers: Mapping[bytes, Caller]) -> None:
        self._callers = callers

    def find(self, key: bytes) -> Caller | None:
        return self._callers.get(sha256(key).digest())
