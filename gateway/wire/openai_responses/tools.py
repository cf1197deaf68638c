"""Tools and the choice among them: the Responses API has them flat."""

from gateway.core.errors import InvalidValue
from gateway.wire.events import Json
from gateway.wire.openai_responses.members import element, optional, required

_NO_PARAMETERS = {"type": "object", "properties": {}}


def write_tools(tools: list[object], noted: dict[str, None]) -> list[Json]:
    """Names in `noted`, as in the table, are what the tools have."""
    return [_write_tool(element(tool, f"tools[{i}]"), f"tools[{i}]", noted) for i, tool in enumerate(tools)]


def write_choice(choice: object) -> object:
    if isinstance(choice, str):
        return choice
    given = element(choice, "tool_choice")
    if given.get("type") != "allowed_tools":
        return _write_name(given, "tool_choice")
    allowed = required(given, "allowed_tools", dict, "tool_choice")
    at = "tool_choice.allowed_tools"
    names = required(allowed, "tools", list, at)
    tools = [_write_name(element(tool, f"{at}.tools[{i}]"), f"{at}.tools[{i}]") for i, tool in enumerate(names)]
    return {"type": "allowed_tools", "mode": required(allowed, "mode", str, at), "tools": tools}


def write_search(options: Json) -> Json:
    """`web_search_options` as the tool that they are here."""
    tool: Json = {"type": "web_search"}
    if size := optional(options, "search_context_size", str, "web_search_options"):
        tool["search_context_size"] = size
    if place := optional(options, "user_location", dict, "web_search_options"):
        near = required(place, "approximate", dict, "web_search_options.user_location")
        tool["user_location"] = {**near, "type": "approximate"}
    return tool


def _write_tool(tool: Json, at: str, noted: dict[str, None]) -> Json:
    noted.update(dict.fromkeys(f"tools.{name}" for name in tool if name != "type"))
    match tool.get("type"):
        case "function":
            return _write_function(required(tool, "function", dict, at), f"{at}.function")
        case "custom":
            return _write_custom(required(tool, "custom", dict, at), f"{at}.custom")
        case _:
            raise InvalidValue(param=f"{at}.type")


def _write_function(function: Json, at: str) -> Json:
    parameters = optional(function, "parameters", dict, at)
    return {
        "type": "function",
        "name": required(function, "name", str, at),
        **_description(function, at),
        "parameters": _NO_PARAMETERS if parameters is None else parameters,
        "strict": optional(function, "strict", bool, at) or False,
    }


def _write_custom(custom: Json, at: str) -> Json:
    tool = {"type": "custom", "name": required(custom, "name", str, at), **_description(custom, at)}
    if (form := optional(custom, "format", dict, at)) is not None:
        tool["format"] = form
        if form.get("type") == "grammar":
            grammar = required(form, "grammar", dict, f"{at}.format")
            tool["format"] = {
                "type": "grammar",
                "syntax": required(grammar, "syntax", str, f"{at}.format.grammar"),
                "definition": required(grammar, "definition", str, f"{at}.format.grammar"),
            }
    return tool


def _description(of: Json, at: str) -> Json:
    description = optional(of, "description", str, at)
    return {} if description is None else {"description": description}


def _write_name(named: Json, at: str) -> Json:
    kind = named.get("type")
    if kind not in ("function", "custom"):
        raise InvalidValue(param=f"{at}.type")
    return {"type": kind, "name": required(required(named, kind, dict, at), "name", str, f"{at}.{kind}")}
