"""The JSON Schema (draft-07) of the file, for editors, made from its shape."""

from typing import Any

from gateway.config import values
from gateway.config.schema import FileSpec

VARIABLE = r"\$\{"
NAMED = ("properties", "patternProperties", "$defs")


def _written(pattern: str | None, value: Any) -> Any:
    """A default as the file would say it."""
    match pattern:
        case values.DURATION:
            return f"{value:g}s" if value >= 1 else f"{value * 1000:g}ms"
        case values.SIZE:
            return f"{value >> 20}MiB"
        case values.LISTEN:
            return f"{value[0]}:{value[1]}"
        case _:
            return value


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without titles, nulls (a field is there or not) and draft 2020-12's siblings of $ref."""
    plain = {key: value for key, value in schema.items() if key != "title"}
    options = [option for option in plain.pop("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        plain = {**options[0], **plain}
    elif options:
        plain["anyOf"] = options
    default = plain.pop("default", None)
    if default is not None:
        pattern = next((option["pattern"] for option in [plain, *options] if "pattern" in option), None)
        plain["default"] = _written(pattern, default)
    if "$ref" in plain:
        plain["allOf"] = [{"$ref": plain.pop("$ref").replace("#/$defs/", "#/definitions/")}]
    if "patternProperties" in plain:
        plain["additionalProperties"] = False
    return plain


def _interpolated(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or a text with a variable in its place."""
    if "pattern" in schema:
        return {**schema, "pattern": f"{schema['pattern']}|{VARIABLE}"}
    if schema.get("type") not in ("integer", "number", "boolean") and "const" not in schema and "enum" not in schema:
        return schema
    about: dict[str, Any] = {key: schema[key] for key in ("description", "default") if key in schema}
    strict = {key: value for key, value in schema.items() if key not in about}
    return {**about, "anyOf": [strict, {"type": "string", "pattern": VARIABLE}]}


def _converted(schema: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in _plain(schema).items():
        match value:
            case dict() if key in NAMED:
                result["definitions" if key == "$defs" else key] = {name: _converted(v) for name, v in value.items()}
            case dict() if key in ("items", "additionalProperties"):
                result[key] = _converted(value)
            case list() if key in ("anyOf", "allOf"):
                result[key] = [_converted(option) if "$ref" not in option else option for option in value]
            case _:
                result[key] = value
    return _interpolated(result)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft-07) of the file, for editors: it checks each field by itself, not what fields refer to."""
    return {"$schema": "http://json-schema.org/draft-07/schema#", **_converted(FileSpec.model_json_schema())}
