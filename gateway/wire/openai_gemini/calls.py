"""Function calls of one answer as tool calls."""

import msgspec

from gateway.core.fault import ProtocolFault
from gateway.wire.events import Json
from gateway.wire.openai_gemini.partial import Arguments


class Calls:
    """Of one candidate. `prefix` makes the ids of calls that have none unique over all turns: they are counted."""

    __slots__ = ("_count", "_index", "_open", "_prefix")

    def __init__(self, prefix: str, index: int) -> None:
        self._prefix = prefix
        self._index = index
        self._count = 0
        self._open: Arguments | None = None

    def __bool__(self) -> bool:
        return self._count > 0

    def read(self, call: object, signature: object) -> list[Json]:
        """Deltas of `tool_calls`. Raises ProtocolFault for a call without a name."""
        if not isinstance(call, dict):
            raise ProtocolFault
        deltas = []
        if call.get("name"):
            deltas += self.close()
            args = call.get("args")
            whole = call.get("willContinue") is not True
            deltas.append(self._start(call, signature, _encode({} if args is None else args) if whole else ""))
            if whole:
                return deltas
            self._open = Arguments()
        if self._open is None:
            # A last word after the arguments were closed; a call without a name is none.
            if call.get("args"):
                raise ProtocolFault
            return deltas
        pieces = call.get("partialArgs")
        for piece in pieces if isinstance(pieces, list) else []:
            self._open.add(piece)
        return deltas if call.get("willContinue") is True else deltas + self.close()

    def close(self) -> list[Json]:
        """The arguments that came in pieces: only now they are known to be whole."""
        if self._open is None:
            return []
        arguments, self._open = _encode(self._open.value), None
        return [{"index": self._count - 1, "function": {"arguments": arguments}}]

    def _start(self, call: Json, signature: object, arguments: str) -> Json:
        name, key = call["name"], call.get("id")
        if not isinstance(name, str):
            raise ProtocolFault
        if not isinstance(key, str) or not key:
            key = f"call_{self._prefix}_{self._index}_{self._count}"
        function = {"name": name, "arguments": arguments}
        delta: Json = {"index": self._count, "id": key, "type": "function", "function": function}
        if isinstance(signature, str) and signature:
            delta["extra_content"] = {"google": {"thought_signature": signature}}
        self._count += 1
        return delta


def _encode(arguments: object) -> str:
    if not isinstance(arguments, dict):
        raise ProtocolFault
    return msgspec.json.encode(arguments).decode()
