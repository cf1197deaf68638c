"""A member of what a caller sent, of the type it must have. `path` is the object's place in the request.

Each raises InvalidValue with the member's place for any other type; a missing text is a MissingParameter.
"""

from typing import Any

from gateway.core.errors import InvalidValue, MissingParameter
from gateway.wire.events import Json


def place(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def object_at(value: object, path: str) -> Json:
    if not isinstance(value, dict):
        raise InvalidValue(param=path)
    return value


def list_at(value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidValue(param=path)
    return value


def text(item: Json, name: str, path: str = "") -> str:
    value = maybe_text(item, name, path)
    if value is None:
        raise MissingParameter(param=place(path, name))
    return value


def maybe_text(item: Json, name: str, path: str = "") -> str | None:
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidValue(param=place(path, name))
    return value


def maybe_object(item: Json, name: str, path: str = "") -> Json | None:
    value = item.get(name)
    return None if value is None else object_at(value, place(path, name))


def maybe_list(item: Json, name: str, path: str = "") -> list[Any]:
    value = item.get(name)
    return [] if value is None else list_at(value, place(path, name))


def maybe_flag(item: Json, name: str, path: str = "") -> bool | None:
    value = item.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidValue(param=place(path, name))
    return value


def maybe_number(item: Json, name: str, least: float, most: float) -> float | None:
    value = item.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InvalidValue(param=name)
    return value


def maybe_count(item: Json, name: str, least: int, most: int) -> int | None:
    value = maybe_number(item, name, least, most)
    if isinstance(value, float):
        raise InvalidValue(param=name)
    return value
