import pytest

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter, Refusal
from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.events import Json
from tests.wire.anthropic_openai.asked import CACHE, SCHEMA, TOOL, request, sent

FUNCTION = {"type": "function", "function": {"name": "f", "description": "Does f.", "parameters": SCHEMA}}
OPEN = {"type": "object", "properties": {"a": {"type": "integer"}}}
BASE = {"model": "m", "max_completion_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}


def json_schema(schema: Json, **more: bool) -> Json:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema} | more}}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        pytest.param({}, {}, id="nothing more"),
        pytest.param({"stop_sequences": ["A", "B"]}, {"stop": ["A", "B"]}, id="stop sequences"),
        pytest.param({"stop_sequences": []}, {}, id="no stop sequences"),
        pytest.param({"temperature": 0}, {"temperature": 0}, id="temperature 0"),
        pytest.param({"temperature": 1.0, "top_p": 0.5}, {"temperature": 1.0, "top_p": 0.5}, id="sampling"),
        pytest.param({"temperature": None}, {}, id="null"),
        pytest.param({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, id="stream"),
        pytest.param({"stream": False}, {"stream": False}, id="no stream"),
        pytest.param({"metadata": {"user_id": "u-1"}}, {"user": "u-1"}, id="user"),
        pytest.param({"metadata": {"user_id": None}}, {}, id="no user"),
        pytest.param(
            {"metadata": {"user_id": "x" * 65}},
            {"user": "9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9"},
            id="user with a long name",
        ),
        pytest.param({"tools": [TOOL]}, {"tools": [FUNCTION]}, id="tool"),
        pytest.param({"tools": [TOOL | {"type": "custom"}]}, {"tools": [FUNCTION]}, id="tool that says its type"),
        pytest.param({"tools": []}, {}, id="no tools"),
        pytest.param(
            {"tools": [TOOL | {"cache_control": CACHE}]},
            {"tools": [FUNCTION | {"cache_control": CACHE}]},
            id="tool marker",
        ),
        pytest.param(
            {"tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": True}]},
            {
                "tools": [
                    {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
                ]
            },
            id="strict tool",
        ),
        pytest.param({"tool_choice": {"type": "auto"}}, {}, id="choice without tools"),
        pytest.param({"tools": [TOOL], "tool_choice": {"type": "auto"}}, {"tool_choice": "auto"}, id="auto"),
        pytest.param({"tools": [TOOL], "tool_choice": {"type": "any"}}, {"tool_choice": "required"}, id="any"),
        pytest.param({"tools": [TOOL], "tool_choice": {"type": "none"}}, {"tool_choice": "none"}, id="none"),
        pytest.param(
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": False},
            id="one tool, one call",
        ),
        pytest.param(
            {"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning_effort": "low"}, id="small budget"
        ),
        pytest.param(
            {"thinking": {"type": "enabled", "budget_tokens": 10000}}, {"reasoning_effort": "medium"}, id="budget"
        ),
        pytest.param(
            {"thinking": {"type": "enabled", "budget_tokens": 31999}}, {"reasoning_effort": "high"}, id="large budget"
        ),
        pytest.param({"thinking": {"type": "adaptive"}}, {}, id="adaptive"),
        pytest.param({"thinking": {"type": "disabled"}}, {}, id="disabled"),
        pytest.param({"output_config": {"effort": "max"}}, {"reasoning_effort": "max"}, id="effort"),
        pytest.param(
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            {"reasoning_effort": "low"},
            id="adaptive with an effort",
        ),
        pytest.param(
            {"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "xhigh"}},
            {"reasoning_effort": "xhigh"},
            id="effort before budget",
        ),
        pytest.param(
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, {}, id="effort without thinking"
        ),
        pytest.param(
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            json_schema(SCHEMA, strict=True),
            id="schema",
        ),
        pytest.param(
            {"output_format": {"type": "json_schema", "schema": SCHEMA}},
            json_schema(SCHEMA, strict=True),
            id="older name",
        ),
        pytest.param(
            {"output_config": {"format": {"type": "json_schema", "schema": OPEN}}},
            json_schema(OPEN),
            id="schema that OpenAI's strict mode refuses",
        ),
        pytest.param(
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA | {"$defs": {"x": OPEN}}}}},
            json_schema(SCHEMA | {"$defs": {"x": OPEN}}),
            id="schema with an open part",
        ),
        pytest.param({"mcp_servers": [], "container": None}, {}, id="refused fields that ask for nothing"),
    ],
)
def test_a_field_becomes_its_counterpart(given: Json, made: Json) -> None:
    chat = sent(request(**given)).body
    assert {**chat} == {**BASE, **({"tools": [FUNCTION]} if given.get("tools") else {}), **made}


@pytest.mark.parametrize(
    ("given", "error", "param"),
    [
        pytest.param({"max_tokens": None}, MissingParameter, "max_tokens", id="no max_tokens"),
        pytest.param({"messages": None}, MissingParameter, "messages", id="no messages"),
        pytest.param({"model": None}, MissingParameter, "model", id="no model"),
        pytest.param({"model": ["m"]}, InvalidValue, "model", id="model"),
        pytest.param({"messages": []}, InvalidValue, "messages", id="empty messages"),
        pytest.param({"messages": "Hi"}, InvalidValue, "messages", id="messages of a text"),
        pytest.param({"max_tokens": -1}, InvalidValue, "max_tokens", id="negative max_tokens"),
        pytest.param({"max_tokens": True}, InvalidValue, "max_tokens", id="max_tokens of a flag"),
        pytest.param({"max_tokens": 0}, Inexpressible, "max_tokens", id="warming the cache"),
        pytest.param({"temperature": 1.5}, InvalidValue, "temperature", id="hot"),
        pytest.param({"temperature": float("nan")}, InvalidValue, "temperature", id="no number"),
        pytest.param({"top_p": "1"}, InvalidValue, "top_p", id="top_p of a text"),
        pytest.param({"stop_sequences": ["a", 1]}, InvalidValue, "stop_sequences[1]", id="stop sequence"),
        pytest.param({"stream": "yes"}, InvalidValue, "stream", id="stream"),
        pytest.param({"metadata": [1]}, InvalidValue, "metadata", id="metadata"),
        pytest.param({"metadata": {"user_id": 1}}, InvalidValue, "metadata.user_id", id="user"),
        pytest.param({"system": [{"type": "image"}]}, InvalidValue, "system[0].type", id="image in the system prompt"),
        pytest.param({"tools": [1]}, InvalidValue, "tools[0]", id="tool"),
        pytest.param({"tools": [{"name": ""}]}, InvalidValue, "tools[0].name", id="tool's name"),
        pytest.param({"tools": [{"name": "f"}]}, InvalidValue, "tools[0].input_schema", id="tool's schema"),
        pytest.param({"tools": [TOOL, {"type": 1}]}, InvalidValue, "tools[1].type", id="tool's type"),
        pytest.param({"tools": [{"type": "name"}]}, InvalidValue, "tools[0].type", id="a field's name as type"),
        pytest.param({"tools": [{"type": "x_20990101"}]}, Inexpressible, "tools[0].type", id="unknown tool"),
        pytest.param(
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            Inexpressible,
            "tools[0].type",
            id="server tool",
        ),
        pytest.param({"tool_choice": "auto"}, InvalidValue, "tool_choice", id="choice"),
        pytest.param({"tool_choice": {"type": "any"}}, InvalidValue, "tool_choice.type", id="a must without tools"),
        pytest.param(
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}},
            InvalidValue,
            "tool_choice.name",
            id="no such tool",
        ),
        pytest.param({"thinking": "yes"}, InvalidValue, "thinking", id="thinking"),
        pytest.param({"thinking": {"type": "enabled"}}, InvalidValue, "thinking.budget_tokens", id="no budget"),
        pytest.param({"output_config": {"effort": "huge"}}, InvalidValue, "output_config.effort", id="effort"),
        pytest.param({"output_format": {"type": "xml"}}, InvalidValue, "output_format.type", id="format"),
        pytest.param(
            {"output_config": {"format": {"type": "json_schema"}}},
            InvalidValue,
            "output_config.format.schema",
            id="no schema",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(given: Json, error: type[Refusal], param: str) -> None:
    with pytest.raises(error) as raised:
        AnthropicOpenAI().request(request() | given)
    assert raised.value.param == param


def test_a_user_of_claude_code_gets_a_name_that_openai_takes() -> None:
    name = '{"device_id":"d","account_uuid":"a","session_id":"s"}'
    first, second = (sent(request(metadata={"user_id": name})).body["user"] for _ in range(2))
    assert first == second
    assert len(first) == 64


def test_long_names_that_begin_alike_stay_apart() -> None:
    tools = [TOOL | {"name": "x" * 70 + end} for end in ("a", "b")]
    chat = sent(request(tools=tools, tool_choice={"type": "tool", "name": tools[1]["name"]})).body
    names = [tool["function"]["name"] for tool in chat["tools"]]
    assert len(set(names)) == 2
    assert chat["tool_choice"]["function"]["name"] == names[1]
