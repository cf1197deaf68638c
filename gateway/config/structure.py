"""Each field by itself, against the specs: what pydantic finds becomes faults in our own words."""

import re
from collections.abc import Iterable
from copy import copy
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config import schema
from gateway.config.faults import Path, shown
from gateway.config.findings import Findings
from gateway.config.interpolation import Unset
from gateway.config.spec import Spec

MESSAGES = {
    "missing": "is required",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least one entry",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}
KEY = "[key]"
# By path; * is a name or an index.
SPECS: dict[tuple[Any, ...], type[Spec]] = {
    ("server",): schema.ServerSpec,
    ("store",): schema.StoreSpec,
    ("upstreams", "*"): schema.UpstreamSpec,
    ("model_defaults",): schema.ModelDefaultsSpec,
    ("models", "*"): schema.ModelSpec,
    ("models", "*", "price"): schema.PriceSpec,
    ("complexity",): schema.ComplexitySpec,
    ("limits", "*"): schema.LimitsSpec,
    ("limits", "*", "budget"): schema.BudgetSpec,
    ("keys", "*"): schema.KeySpec,
}


def check_structure(
    data: dict[str, object], empty: Iterable[Path], left_out: Iterable[Path], findings: Findings
) -> schema.FileSpec | None:
    """The file as specs, or None if any field is faulty. `empty` is where None is, `left_out` where an `Unset` may be.

    Both are rare, so that looking at every field once more, in Python, would cost the most of all checks.
    """
    for path in empty:
        if path and path[-1] in fields_at(path[:-1]):
            findings.fault(path, "has no value (leave the line out to get the default)")
    try:
        return schema.FileSpec.model_validate(_with_defaults(data, left_out))
    except ValidationError as error:
        details = error.errors(include_url=False)
    for detail in details:
        _report(detail, data, findings)
    return None


def _with_defaults(data: dict[str, object], left_out: Iterable[Path]) -> dict[str, object]:
    """The same, but optional fields with an unset variable are not there."""
    copies: dict[str, Any] = {}
    for path in left_out:
        section, part = str(path[0]), path[1]
        fields = SPECS[section, "*"].model_fields
        if section not in copies:
            copies[section] = copy(data[section])
        entries = copies[section]
        entries[part] = {
            name: value
            for name, value in entries[part].items()
            if not isinstance(value, Unset) or name not in fields or fields[name].is_required()
        }
    return data | copies


def _report(detail: ErrorDetails, data: dict[str, object], findings: Findings) -> None:
    path = detail["loc"]
    if detail["type"] == "extra_forbidden":
        name = str(path[-1])
        findings.fault(path, _unknown_field(name, fields_at(path[:-1]), findings), at_key=True, label=_label(name))
    elif detail["type"] == "missing":
        findings.fault(path, MESSAGES["missing"])
    elif path[-1:] == (KEY,):
        findings.fault(path[:-1], _message(detail, findings), at_key=True)
    else:
        findings.fault(_existing(path, data), _message(detail, findings))


def _message(detail: ErrorDetails, findings: Findings) -> str:
    kind = detail["type"]
    context = {name: int(v) if isinstance(v, float) else v for name, v in detail.get("ctx", {}).items()}
    text = MESSAGES[kind].format_map(context) if kind in MESSAGES else "is not valid"
    given = detail["input"]
    if kind == "string_type" and isinstance(given, int | float):
        return f"{text} (quote it)"
    if kind == "literal_error" and isinstance(given, str):
        known = re.split(", | or ", detail["ctx"]["expected"].replace("'", ""))
        return text + findings.did_you_mean(given, known)
    return text


def _label(field: str) -> str:
    """Field names are short identifiers; what is not may be a field and its secret run together."""
    return field if len(field) <= 32 and field.replace("-", "_").isidentifier() and shown(field) == field else "?"


def _unknown_field(name: str, known: list[str], findings: Findings) -> str:
    head = name.partition(":")[0]
    if head != name and head in known:
        return f"is an unknown field: a space is missing after '{head}:'"
    return "is an unknown field" + findings.did_you_mean(name, known)


def fields_at(path: tuple[Any, ...]) -> list[str]:
    """The fields that the mapping at `path` may have; none where any name may be."""
    shape = tuple("*" if depth == 1 else part for depth, part in enumerate(path))
    spec = SPECS.get(shape) if shape else schema.FileSpec
    return list(spec.model_fields) if spec else []


def _existing(path: Path, data: object) -> Path:
    """As much of `path` as is in the file: the specs read a tier's plain name as a list of one."""
    for depth, part in enumerate(path):
        match data, part:
            case (dict(), str()) if part in data:
                data = data[part]
            case (list(), int()):
                data = data[part]
            case _:
                return path[:depth]
    return path
