"""Tools and the choice of one."""

import hashlib
import re
from collections.abc import Mapping

from gateway.core.errors import InvalidValue
from gateway.wire.anthropic_openai.values import Lookup, read_flag
from gateway.wire.events import Json
from gateway.wire.expect import a_list, a_name, a_text, an_object

# OpenAI's limit is half of Anthropic's, and the names of MCP tools are long.
MAX_NAME = 64
_DIGEST = 8

_DATED = re.compile(r"([a-z0-9_]{1,64}?)(_\d{8})?")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def short_name(name: str) -> str:
    """The same for the same name, in every turn."""
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:_DIGEST]
    return f"{name[: MAX_NAME - _DIGEST - 1]}_{digest}"


def full_names(asked: Json) -> Mapping[str, str]:
    """The caller's names by their short ones, where they differ."""
    tools = asked.get("tools")
    given = [tool.get("name") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    return {short_name(name): name for name in given if isinstance(name, str) and len(name) > MAX_NAME}


def read_tools(tools: object, lookup: Lookup) -> list[Json]:
    read = []
    for n, given in enumerate(a_list(tools, "tools")):
        at = f"tools[{n}]"
        tool = an_object(given, at)
        kind = tool.get("type")
        if kind is None or kind == "custom":
            read.append(_read_custom(tool, at, lookup))
            continue
        dated = _DATED.fullmatch(a_text(kind, f"{at}.type"))
        if lookup.keeps(f"tools.{dated[1] if dated else ''}", f"{at}.type"):
            raise InvalidValue(param=f"{at}.type")
    return read


def _read_custom(tool: Json, at: str, lookup: Lookup) -> Json:
    lookup.members("tools", tool)
    function: Json = {"name": short_name(a_name(tool.get("name"), f"{at}.name"))}
    if (description := tool.get("description")) is not None:
        function["description"] = a_text(description, f"{at}.description")
    function["parameters"] = an_object(tool.get("input_schema"), f"{at}.input_schema")
    if tool.get("strict") is not None:
        function["strict"] = read_flag(tool["strict"], f"{at}.strict")
    read: Json = {"type": "function", "function": function}
    if (mark := tool.get("cache_control")) is not None:
        read["cache_control"] = an_object(mark, f"{at}.cache_control")
    return read


def read_choice(choice: object, tools: list[Json]) -> Json:
    """`tool_choice` and `parallel_tool_calls`. Without tools OpenAI takes neither, and nothing can be forced."""
    given = an_object(choice, "tool_choice")
    kind = given.get("type")
    single = read_flag(given.get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use")
    parallel: Json = {"parallel_tool_calls": False} if single else {}
    if kind == "tool":
        name = short_name(a_name(given.get("name"), "tool_choice.name"))
        if all(tool["function"]["name"] != name for tool in tools):
            raise InvalidValue(param="tool_choice.name")
        return {"tool_choice": {"type": "function", "function": {"name": name}}, **parallel}
    word = _CHOICES.get(kind) if isinstance(kind, str) else None
    if word is None or (word == "required" and not tools):
        raise InvalidValue(param="tool_choice.type")
    return {"tool_choice": word, **parallel} if tools else {}
