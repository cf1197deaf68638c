"""Which tool call a piece of a stream belongs to."""

from collections.abc import Mapping

import msgspec

from gateway.wire.anthropic_openai.answer import tool_id
from gateway.wire.anthropic_openai.block import ToolUse
from gateway.wire.events import Json


class Calls:
    """By its index; where an index is used again with another id, or there is none, by its id and its name."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._by_index: dict[int, ToolUse] = {}
        self._all: list[ToolUse] = []

    @property
    def count(self) -> int:
        return len(self._all)

    @property
    def any(self) -> bool:
        return bool(self._all)

    def find(self, piece: Json) -> ToolUse | None:
        """None for the first piece of a call."""
        index, is_named = piece.get("index"), bool(_name(piece))
        given = _word(piece.get("id"))
        if isinstance(index, int):
            call = self._by_index.get(index)
        elif given:
            call = next((call for call in self._all if call.id == given), None)
        else:
            call = self._all[-1] if self._all and not (is_named and self._all[-1].name) else None
        return None if call is None or (given and call.id and call.id != given) else call

    def add(self, piece: Json, call: ToolUse) -> ToolUse:
        self._all.append(call)
        if isinstance(index := piece.get("index"), int):
            self._by_index[index] = call
        return call

    def fill(self, call: ToolUse, piece: Json) -> None:
        """The first id and the first name count; some repeat them, or send them empty, with each piece."""
        if call.closed:
            return
        call.id = call.id or _word(piece.get("id"))
        if not call.name and (name := _name(piece)):
            call.name = self._names.get(name, name)
        arguments = _function(piece).get("arguments")
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        if isinstance(arguments, str) and arguments:
            call.add(arguments)


def _word(given: object) -> str:
    return tool_id(given, "", 0) if isinstance(given, str) and given else ""


def _name(piece: Json) -> str:
    name = _function(piece).get("name")
    return name if isinstance(name, str) else ""


def _function(piece: Json) -> Json:
    function = piece.get("function")
    return function if isinstance(function, dict) else {}
