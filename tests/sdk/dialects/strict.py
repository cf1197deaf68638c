"""The SDKs build what they read without a check; here is the check."""

import functools
from typing import Any

import pydantic

# OpenAI tells the first in every response, and its SDK has no such field; the others are widely used beside its own.
_UNLISTED = frozenset({"store", "reasoning_content", "reasoning_details", "extra_content"})


def check(value: object, declared: Any) -> None:
    """That `value`, as it was read, is what the SDK declares, and has no member that the SDK does not know."""
    if isinstance(value, pydantic.BaseModel):
        value = value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    _check_members(_adapter(declared).validate_python(value))


@functools.cache
def _adapter(declared: Any) -> pydantic.TypeAdapter[Any]:
    """Dear to make: some unions have dozens of kinds."""
    return pydantic.TypeAdapter(declared)


def _check_members(value: object) -> None:
    if isinstance(value, pydantic.BaseModel):
        unknown = (value.model_extra or {}).keys() - _UNLISTED
        assert not unknown, f"{type(value).__name__} does not know {unknown}"
        for name in type(value).model_fields:
            _check_members(getattr(value, name))
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            _check_members(member)
