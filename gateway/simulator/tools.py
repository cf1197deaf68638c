"""Tools: which one a request forces, and arguments that fit its schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec


class Function(msgspec.Struct):
    """A tool's declaration; `parameters` is a JSON Schema."""

    name: str
    parameters: dict[str, object] | None = None


class Tool(msgspec.Struct):
    function: Function


class NamedFunction(msgspec.Struct):
    name: str


class NamedTool(msgspec.Struct):
    """`tool_choice` by name."""

    function: NamedFunction


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments` is JSON; `pieces` are what a stream sends of it, one by one."""

    id: str
    name: str
    arguments: str

    @property
    def pieces(self) -> list[str]:
        return [self.arguments[at : at + 4] for at in range(0, len(self.arguments), 4)]


def forced(tools: Sequence[Tool], choice: str | NamedTool | None) -> Function | None:
    """The function that `tool_choice` forces, None if it leaves the choice. Raises LookupError if none is declared."""
    if isinstance(choice, NamedTool):
        return {tool.function.name: tool.function for tool in tools}[choice.function.name]
    return tools[0].function if choice == "required" else None


def example(schema: Mapping[str, object]) -> object:
    """A value that fits the plain parts of a JSON Schema: enum, type, properties, required."""
    if isinstance(enum := schema.get("enum"), list) and enum:
        return enum[0]
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "object" | None:
            properties = schema.get("properties")
            members = properties if isinstance(properties, dict) else {}
            return {name: example(member) for name, member in members.items() if isinstance(member, dict)}
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "array":
            return []
        case "null":
            return None
        case _:
            return "example"
