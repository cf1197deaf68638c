"""Reading a caller's values: each is what it must be, or a Refusal that names where it is."""

import msgspec

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter
from gateway.wire.anthropic_openai.fields import FIELDS
from gateway.wire.events import Json
from gateway.wire.translation import How


class Lookup:
    """Looks nested fields up in the table. `dropped` are the names of those that are left out."""

    def __init__(self) -> None:
        self.dropped: dict[str, None] = {}

    def keeps(self, name: str, at: str) -> bool:
        """Raises Inexpressible where the table refuses it, or does not know it."""
        field = FIELDS.get(name)
        if field is None or field.how is How.REFUSED:
            raise Inexpressible(param=at)
        if field.how is How.DROPPED:
            self.dropped[name] = None
        return field.how is How.KEPT

    def members(self, name: str, value: Json) -> None:
        """Of an object that is read by the names it is known to have: the others are dropped."""
        for member in value:
            if member == "type" or value[member] is None:
                continue
            field = FIELDS.get(nested := f"{name}.{member}")
            if field is None or field.how is How.DROPPED:
                self.dropped[nested] = None


def read_flag(value: object, at: str) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InvalidValue(param=at)
    return value


def read_share(value: object, at: str) -> float:
    """Between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidValue(param=at)
    return value


def required(body: Json, name: str) -> object:
    if body.get(name) is None:
        raise MissingParameter(f"`{name}` is missing.", param=name)
    return body[name]


def encode(value: object, at: str) -> str:
    """As JSON text."""
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise InvalidValue(param=at) from None
