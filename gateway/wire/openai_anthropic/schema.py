"""JSON schemas as Anthropic's structured outputs take them."""

from typing import Any

import msgspec

from gateway.wire.events import Json

# What is not known there is refused there; a description still says it to the model.
_LIMITS = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "contains",
        "minContains",
        "maxContains",
    }
)
_NAMED = ("properties", "$defs", "definitions")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")


def adapt(schema: Json) -> Json:
    """A copy: objects are closed, `oneOf` is `anyOf`, and unknown limits are words in the description."""
    adapted: Json = {}
    limits = {name: value for name, value in schema.items() if _is_limit(name, value)}
    for name, value in schema.items():
        if name not in limits:
            adapted["anyOf" if name == "oneOf" else name] = _member(name, value)
    if adapted.get("type") == "object" or "properties" in adapted:
        adapted.setdefault("additionalProperties", False)
    if limits:
        words = msgspec.json.encode(limits).decode()
        described = adapted.get("description")
        adapted["description"] = f"{described} {words}" if isinstance(described, str) else words
    return adapted


def _is_limit(name: str, value: object) -> bool:
    """Lists of at least none or one element are known."""
    return name in _LIMITS or (name == "minItems" and value not in (0, 1))


def _member(name: str, value: Any) -> Any:
    if name in _NAMED and isinstance(value, dict):
        return {key: _adapted(part) for key, part in value.items()}
    if name in _LISTED and isinstance(value, list):
        return [_adapted(part) for part in value]
    return _adapted(value) if name in ("items", "additionalProperties") else value


def _adapted(value: Any) -> Any:
    return adapt(value) if isinstance(value, dict) else value
