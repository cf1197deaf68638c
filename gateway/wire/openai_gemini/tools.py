"""Tools and the choice among them.

`parametersJsonSchema` takes JSON Schema as callers write it ($ref, anyOf, additionalProperties); `parameters` takes a
subset of OpenAPI's, and a schema cut down to that would be another one.
"""

from gateway.core.errors import Inexpressible, InvalidValue
from gateway.wire.events import Json
from gateway.wire.expect import a_list, a_name, a_text, an_object
from gateway.wire.openai_gemini.fields import Dropped

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def read_tools(chat: Json, dropped: Dropped) -> Json:
    """`tools` and `toolConfig`, where there are any. Raises InvalidValue, Inexpressible."""
    declared: list[Json] = []
    for at, tool in enumerate(_list_of(chat.get("tools"), "tools")):
        declared.append(_declare(an_object(tool, f"tools[{at}]"), f"tools[{at}]", dropped))
    choice = chat.get("tool_choice")
    if isinstance(choice, str):
        mode, allowed = _read_mode(choice, "tool_choice"), None
    elif choice is None:
        mode, allowed = None, None
    else:
        mode, allowed = _read_choice(an_object(choice, "tool_choice"), dropped)
    if not declared:
        if mode == "ANY" or allowed is not None:
            raise InvalidValue(param="tool_choice")
        return {}
    return _write(declared, mode, allowed)


def _write(declared: list[Json], mode: str | None, allowed: list[str] | None) -> Json:
    calling: Json = {"mode": mode}
    if allowed is not None:
        if not {tool["name"] for tool in declared}.issuperset(allowed):
            raise InvalidValue(param="tool_choice")
        if mode == "ANY":
            calling["allowedFunctionNames"] = allowed
        else:
            # Names are allowed only where a call is required; what is not declared is not called either.
            declared = [tool for tool in declared if tool["name"] in allowed]
    config = {"toolConfig": {"functionCallingConfig": calling}} if mode else {}
    return {"tools": [{"functionDeclarations": declared}]} | config if declared else {}


def _list_of(value: object, param: str) -> list[object]:
    return [] if value is None else a_list(value, param)


def _declare(tool: Json, path: str, dropped: Dropped) -> Json:
    dropped.look(tool, "tools", path)
    if tool.get("type") != "function":
        raise (Inexpressible if isinstance(tool.get("type"), str) else InvalidValue)(param=f"{path}.type")
    path = f"{path}.function"
    function = an_object(tool.get("function"), path)
    dropped.look(function, "tools.function", path)
    declaration: Json = {"name": a_name(function.get("name"), f"{path}.name")}
    if (description := function.get("description")) is not None:
        declaration["description"] = a_text(description, f"{path}.description")
    if (parameters := function.get("parameters")) is not None:
        schema = an_object(parameters, f"{path}.parameters")
        if schema:
            declaration["parametersJsonSchema"] = schema
    return declaration


def _read_mode(word: object, param: str) -> str:
    if not isinstance(word, str) or word not in _MODES:
        raise InvalidValue(param=param)
    return _MODES[word]


def _read_choice(choice: Json, dropped: Dropped) -> tuple[str, list[str]]:
    dropped.look(choice, "tool_choice", "tool_choice")
    match choice.get("type"):
        case "function":
            return "ANY", [_read_function(choice, "tool_choice")]
        case "allowed_tools":
            path = "tool_choice.allowed_tools"
            given = an_object(choice.get("allowed_tools"), path)
            mode = _read_mode(given.get("mode"), f"{path}.mode")
            names = []
            for at, tool in enumerate(a_list(given.get("tools"), f"{path}.tools")):
                names.append(_read_function(an_object(tool, f"{path}.tools[{at}]"), f"{path}.tools[{at}]"))
            if mode == "ANY" and not names:
                raise InvalidValue(param=f"{path}.tools")
            return mode, names
        case _:
            raise InvalidValue(param="tool_choice.type")


def _read_function(value: Json, path: str) -> str:
    function = an_object(value.get("function"), f"{path}.function")
    return a_name(function.get("name"), f"{path}.function.name")
