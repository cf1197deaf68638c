"""Tools, and which of them the model may or must call."""

from gateway.core.errors import Inexpressible
from gateway.wire.events import Json
from gateway.wire.expect import a_flag, a_list, a_name, a_text, an_object, invalid
from gateway.wire.openai_anthropic.content import Dropped, cache_mark
from gateway.wire.openai_anthropic.models import Abilities
from gateway.wire.openai_anthropic.schema import adapt

_MODES = {"none": "none", "auto": "auto", "required": "any"}


def read_tools(chat: Json, abilities: Abilities, dropped: Dropped) -> list[Json]:
    """Raises InvalidValue, Inexpressible."""
    given = chat.get("tools")
    if given is None:
        return []
    tools = []
    for index, one in enumerate(a_list(given, "tools")):
        at = f"tools[{index}]"
        tools.append(_read_tool(an_object(one, at), at, abilities, dropped))
    return tools


def read_choice(chat: Json, tools: list[Json]) -> tuple[list[Json], Json | None]:
    """The tools that may be called, and `tool_choice`. Raises InvalidValue, Inexpressible."""
    given = chat.get("tool_choice")
    if isinstance(given, dict) and given.get("type") == "allowed_tools":
        tools, given = _read_allowed(given, tools)
    choice = None if given is None else _read_choice(given, tools)
    if not tools:
        return tools, None
    if chat.get("parallel_tool_calls") is not None and not a_flag(chat["parallel_tool_calls"], "parallel_tool_calls"):
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    return tools, choice


def stand_ins(called: dict[str, None]) -> list[Json]:
    """A conversation with calls in it needs tools, though none may be called any more."""
    return [{"name": name, "input_schema": {"type": "object"}} for name in called]


def _read_tool(tool: Json, at: str, abilities: Abilities, dropped: Dropped) -> Json:
    if (kind := tool.get("type", "function")) != "function":
        raise Inexpressible(param=f"{at}.custom" if kind == "custom" else f"{at}.type")
    mark = cache_mark(tool, at)
    at = f"{at}.function"
    function = an_object(tool.get("function"), at)
    parameters = {"type": "object", **an_object(function.get("parameters") or {}, f"{at}.parameters")}
    made: Json = {"name": a_name(function.get("name"), f"{at}.name"), "input_schema": parameters}
    if function.get("description"):
        made["description"] = a_text(function["description"], f"{at}.description")
    if function.get("strict") is not None and a_flag(function["strict"], f"{at}.strict"):
        if abilities.strict:
            made["strict"], made["input_schema"] = True, adapt(parameters)
        else:
            dropped["tools.function.strict"] = None
    if mark is not None:
        made["cache_control"] = mark
    return made


def _read_choice(given: object, tools: list[Json]) -> Json:
    if isinstance(given, str):
        if given not in _MODES:
            invalid("tool_choice", "`none`, `auto`, `required` or an object")
        if given == "required" and not tools:
            invalid("tool_choice", "left out where there are no tools")
        return {"type": _MODES[given]}
    choice = an_object(given, "tool_choice")
    if choice.get("type") == "custom":
        raise Inexpressible(param="tool_choice.custom")
    if choice.get("type") != "function":
        invalid("tool_choice.type", "`function` or `allowed_tools`")
    return {"type": "tool", "name": _known(_read_name(choice, "tool_choice"), tools, "tool_choice")}


def _read_allowed(choice: Json, tools: list[Json]) -> tuple[list[Json], object]:
    """The tools that are left, and the mode. Its members stand in `allowed_tools`, or beside it in older clients."""
    at = "tool_choice.allowed_tools"
    allowed = an_object(choice.get("allowed_tools", choice), at)
    names = set()
    for index, one in enumerate(a_list(allowed.get("tools"), f"{at}.tools")):
        place = f"{at}.tools[{index}]"
        names.add(_known(_read_name(an_object(one, place), place), tools, place))
    if allowed.get("mode") not in ("auto", "required"):
        invalid(f"{at}.mode", "`auto` or `required`")
    return [tool for tool in tools if tool["name"] in names], allowed["mode"]


def _read_name(choice: Json, at: str) -> str:
    function = an_object(choice.get("function"), f"{at}.function")
    return a_name(function.get("name"), f"{at}.function.name")


def _known(name: str, tools: list[Json], at: str) -> str:
    return name if any(tool["name"] == name for tool in tools) else invalid(f"{at}.function.name", "one of `tools`")
