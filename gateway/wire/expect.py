"""Values of a request that may be anything. Each raises InvalidValue for what it does not expect."""

from typing import Any, NoReturn

from gateway.core.errors import InvalidValue
from gateway.wire.events import Json


def invalid(param: str, what: str) -> NoReturn:
    raise InvalidValue(f"`{param}` must be {what}.", param=param)


def a_text(value: object, param: str) -> str:
    return value if isinstance(value, str) else invalid(param, "a string")


def a_name(value: object, param: str) -> str:
    return value if isinstance(value, str) and value else invalid(param, "a string that is not empty")


def an_object(value: object, param: str) -> Json:
    return value if isinstance(value, dict) else invalid(param, "an object")


def a_list(value: object, param: str) -> list[Any]:
    return value if isinstance(value, list) else invalid(param, "a list")


def a_flag(value: object, param: str) -> bool:
    return value if isinstance(value, bool) else invalid(param, "true or false")


def a_number(value: object, param: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        invalid(param, f"a number between {least:g} and {most:g}")
    return value


def an_integer(value: object, param: str) -> int:
    """Also 5.0, which some encoders make of 5."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else invalid(param, "an integer")


def a_count(value: object, param: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**53:
        invalid(param, "a positive integer")
    return value
