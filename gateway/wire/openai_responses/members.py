"""Members of a caller's objects, each of the type that is needed. `at` is the path of the object."""

from typing import TypeVar

from gateway.core.errors import InvalidValue, MissingParameter
from gateway.wire.events import Json

T = TypeVar("T")


def required(of: Json, name: str, kind: type[T], at: str = "") -> T:
    """Raises MissingParameter or InvalidValue."""
    value = optional(of, name, kind, at)
    if value is None:
        raise MissingParameter(param=_path(at, name))
    return value


def optional(of: Json, name: str, kind: type[T], at: str = "") -> T | None:
    """None where it is missing or null. Raises InvalidValue; a boolean is no number."""
    value = of.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InvalidValue(param=_path(at, name))
    return value


def element(value: object, at: str) -> Json:
    """Of a list of objects."""
    if not isinstance(value, dict):
        raise InvalidValue(param=at)
    return value


def _path(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
