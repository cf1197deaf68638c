"""What a scalar is by the core schema of YAML 1.2: only `true` and `false` are booleans, dates stay text."""

import re

PREFIX = "tag:yaml.org,2002:"
SCALAR_TAGS: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
INTEGER = re.compile(r"[-+]?[0-9]{1,30}|0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}", re.ASCII)
REAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}

Scalar = str | int | float | bool | None


def scalar(text: str) -> Scalar:
    """A plain scalar by YAML 1.2's core schema; whole numbers of more than 30 digits stay text."""
    if text in WORDS:
        return WORDS[text]
    if text[0] in "+-.0123456789":
        if INTEGER.fullmatch(text):
            return int(text, 0) if text[1:2] in ("o", "x") else int(text)
        if len(text) <= 64 and REAL.fullmatch(text):
            return float(text)
        if SPECIAL.fullmatch(text):
            return float(text.replace(".", ""))
    return text


def is_of(tag: str, value: Scalar) -> bool:
    """Whether the tag says of a plain scalar only what it is anyway."""
    return type(value) is SCALAR_TAGS.get(tag.removeprefix(PREFIX))
