"""The tools of a request: what chat calls them, and what the caller calls them."""

import enum
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from gateway.core.errors import Inexpressible, InvalidValue
from gateway.wire.events import Json
from gateway.wire.responses_openai import member
from gateway.wire.responses_openai.fields import FIELDS
from gateway.wire.translation import How

LOCAL_SHELL = "local_shell"
# Of a function's name, at OpenAI and most others.
MAX_NAME = 64

_OPTIONS = ("defer_loading", "allowed_callers", "output_schema", "async")
_FREEFORM: Json = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool."}},
    "required": ["input"],
    "additionalProperties": False,
}
_SHELL: Json = {
    "type": "object",
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}, "description": "The command and its arguments."},
        "working_directory": {"type": "string"},
        "timeout_ms": {"type": "integer"},
    },
    "required": ["command"],
}


class Kind(enum.Enum):
    FUNCTION = enum.auto()
    CUSTOM = enum.auto()
    LOCAL_SHELL = enum.auto()


class Tool(NamedTuple):
    """As the caller knows it."""

    kind: Kind
    name: str
    namespace: str | None = None


def chat_name(name: str, namespace: str | None) -> str:
    """Chat has no namespaces. Too long a name ends in its digest, so that two of them differ."""
    if not namespace:
        return name
    joined = f"{namespace}{'' if namespace.endswith('__') else '__'}{name}"
    if len(joined) <= MAX_NAME:
        return joined
    return f"{joined[: MAX_NAME - 9]}_{hashlib.sha256(joined.encode()).hexdigest()[:8]}"


class Toolbox:
    """`chat` are the tools as they are sent, by name; `known` what each of them is to the caller."""

    def __init__(self, tools: object) -> None:
        self.chat: dict[str, Json] = {}
        self.known: dict[str, Tool] = {}
        self.dropped: list[str] = []
        self._read_all([] if tools is None else tools, "tools", None)

    def tool(self, name: str) -> Tool:
        return self.known.get(name) or Tool(Kind.FUNCTION, name)

    def _read_all(self, tools: object, path: str, namespace: str | None) -> None:
        for index, given in enumerate(member.list_at(tools, path)):
            at = f"{path}[{index}]"
            self._read(member.object_at(given, at), at, namespace)

    def _read(self, tool: Json, path: str, namespace: str | None) -> None:
        kind = member.text(tool, "type", path)
        if kind not in ("function", "custom") and namespace is not None:
            raise InvalidValue(param=f"{path}.type")
        match kind:
            case "function":
                name = self._add(Kind.FUNCTION, tool, path, namespace)
                self.chat[name] = _function(name, tool, path)
            case "custom":
                name = self._add(Kind.CUSTOM, tool, path, namespace)
                self.chat[name] = _custom(name, tool, path)
            case "local_shell":
                self.known[LOCAL_SHELL] = Tool(Kind.LOCAL_SHELL, LOCAL_SHELL)
                self.chat[LOCAL_SHELL] = _wrap(LOCAL_SHELL, "Runs a command on the user's machine.", _SHELL)
            case "namespace":
                self._read_all(member.maybe_list(tool, "tools", path), f"{path}.tools", member.text(tool, "name", path))
            case _:
                self._leave_out(kind, path)

    def _add(self, kind: Kind, tool: Json, path: str, namespace: str | None) -> str:
        self.dropped += [f"tools.function.{name}" for name in _OPTIONS if tool.get(name)]
        given = member.text(tool, "name", path)
        name = chat_name(given, namespace)
        self.known[name] = Tool(kind, given, namespace)
        return name

    def _leave_out(self, kind: str, path: str) -> None:
        """Dated names (`web_search_preview_2025_03_11`) are the tool's own."""
        name = f"tools.{kind}"
        if (field := FIELDS.get(name)) is None:
            name = next((known for known in FIELDS if name.startswith(f"{known}_20")), name)
            field = FIELDS.get(name)
        if field is None or field.how is not How.DROPPED or "." in kind:
            raise Inexpressible(param=path)
        self.dropped.append(name)


def _wrap(name: str, description: str | None, parameters: Json | None, strict: bool | None = None) -> Json:
    function: Json = {"name": name}
    if description is not None:
        function["description"] = description
    if parameters is not None:
        function["parameters"] = parameters
    if strict is not None:
        function["strict"] = strict
    return {"type": "function", "function": function}


def _function(name: str, tool: Json, path: str) -> Json:
    parameters, strict = member.maybe_object(tool, "parameters", path), member.maybe_flag(tool, "strict", path)
    return _wrap(name, member.maybe_text(tool, "description", path), parameters, strict)


def _custom(name: str, tool: Json, path: str) -> Json:
    told = [member.maybe_text(tool, "description", path)]
    form = member.maybe_object(tool, "format", path) or {}
    if form.get("type") == "grammar":
        at = f"{path}.format"
        syntax, definition = member.text(form, "syntax", at), member.text(form, "definition", at)
        told.append(f"The input has to follow this {syntax} grammar:\n{definition}")
    elif form.get("type") not in (None, "text"):
        raise InvalidValue(param=f"{path}.format.type")
    return _wrap(name, "\n\n".join(one for one in told if one) or None, _FREEFORM)


def read_choice(choice: object, toolbox: Toolbox) -> Json:
    """`tools` and `tool_choice` of the chat request."""
    names, chosen = list(toolbox.chat), choice
    if not isinstance(choice, dict):
        _check_mode(choice, "tool_choice")
    elif choice.get("type") == "allowed_tools":
        allowed = set(_allowed(choice))
        names, chosen = [name for name in names if name in allowed], choice.get("mode")
        _check_mode(chosen, "tool_choice.mode")
    else:
        chosen = {"type": "function", "function": {"name": _named(choice, "tool_choice")}}
    if not names:
        if chosen in (None, "auto", "none"):
            return {}
        raise Inexpressible(param="tool_choice") if toolbox.dropped else InvalidValue(param="tool_choice")
    sent: Json = {"tools": [toolbox.chat[name] for name in names]}
    if chosen is not None:
        sent["tool_choice"] = chosen
    return sent


def _check_mode(mode: object, param: str) -> None:
    if mode not in (None, "auto", "none", "required"):
        raise InvalidValue(param=param)


def _allowed(choice: Json) -> Iterator[str]:
    for index, given in enumerate(member.maybe_list(choice, "tools", "tool_choice")):
        path = f"tool_choice.tools[{index}]"
        tool = member.object_at(given, path)
        if f"tools.{tool.get('type')}" not in FIELDS or tool.get("type") in ("function", "custom", "local_shell"):
            yield _named(tool, path)


def _named(choice: Json, path: str) -> str:
    match choice.get("type"):
        case "function" | "custom":
            return chat_name(member.text(choice, "name", path), member.maybe_text(choice, "namespace", path))
        case "local_shell":
            return LOCAL_SHELL
        case str():
            raise Inexpressible(param=path)
        case _:
            raise InvalidValue(param=f"{path}.type")
