"""The tool calls of one answer, put together from fragments."""

from gateway.wire.events import Json
from gateway.wire.responses_openai.delta import read_function, read_signature
from gateway.wire.responses_openai.items import Call


class Slot:
    """A call under way: `call` is there from when its name is known."""

    def __init__(self, given_id: str) -> None:
        self.id = given_id
        self.name = ""
        self.arguments = ""
        self.signature: str | None = None
        self.call: Call | None = None

    def add(self, fragment: Json) -> None:
        """`arguments` are those that have not been passed on."""
        name, arguments = read_function(fragment)
        self.name = self.name or name
        self.arguments += arguments
        self.signature = read_signature(fragment) or self.signature

    def take(self) -> str:
        arguments, self.arguments = self.arguments, ""
        return arguments


class Slots:
    """By `index`, or by id where there is none. Some upstreams give every call the index 0."""

    def __init__(self) -> None:
        self._all: list[Slot] = []
        self._by_index: dict[int, Slot] = {}
        self._used: set[str] = set()

    def find(self, fragment: Json) -> Slot:
        given, index = fragment.get("id"), fragment.get("index")
        name = given if isinstance(given, str) else ""
        if not isinstance(index, int):
            return self._find_by_id(name, fragment)
        slot = self._by_index.get(index)
        if slot is None or (name and slot.id and name != slot.id and read_function(fragment)[0]):
            slot = self._by_index[index] = self._new(name)
        slot.id = slot.id or name
        return slot

    def _find_by_id(self, name: str, fragment: Json) -> Slot:
        if name:
            return next((slot for slot in self._all if slot.id == name), None) or self._new(name)
        return self._new("") if not self._all or read_function(fragment)[0] else self._all[-1]

    def _new(self, name: str) -> Slot:
        slot = Slot(name)
        self._all.append(slot)
        return slot

    def answers(self, slot: Slot, otherwise: str) -> str:
        """The call's id, which no other call of the answer has."""
        name = slot.id if slot.id and slot.id not in self._used else otherwise
        self._used.add(name)
        return name

    def take_all(self) -> list[Call]:
        calls = [slot.call for slot in self._all if slot.call is not None]
        self._all, self._by_index = [], {}
        return calls
