"""docs/openapi.yaml as plain data, and what is looked for in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "docs/openapi.yaml").read_text())
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` stands for. Raises KeyError."""
    while "$ref" in node:
        parts = node["$ref"].removeprefix("#/").split("/")
        node = DOCUMENT
        for part in parts:
            node = node[part]
    return node


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Of a schema in the document, with what it may refer to."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def nodes(node: Any, at: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping in it, and where it is."""
    if isinstance(node, dict):
        yield at, node
        for name, child in node.items():
            yield from nodes(child, f"{at}/{name}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from nodes(child, f"{at}/{index}")


def examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Where it is, its schema, and the example."""
    for at, node in nodes(DOCUMENT):
        if "schema" in node:
            if "example" in node:
                yield at, node["schema"], node["example"]
            for name, example in node.get("examples", {}).items():
                yield f"{at}/{name}", node["schema"], example["value"]
        elif "example" in node and "/schemas/" in at:
            yield at, node, node["example"]


def codes(response: dict[str, Any]) -> set[str]:
    """The error codes that a response, or a schema, lists."""
    return {
        code
        for at, node in nodes(response)
        if at.endswith("/code")
        for _, part in nodes(node)
        for code in part.get("enum", ())
    }
