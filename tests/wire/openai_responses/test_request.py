import pytest

from tests.wire.openai_responses.cases import SQL, WEATHER, Json, chat
from tests.wire.openai_responses.sending import sent


@pytest.mark.parametrize(
    ("fields", "there"),
    [
        pytest.param(
            {"tools": [WEATHER]},
            {"tools": [{"type": "function", **WEATHER["function"]}]},
            id="tool",
        ),
        pytest.param(
            {"tools": [{"type": "function", "function": {"name": "now"}}]},
            {
                "tools": [
                    {
                        "type": "function",
                        "name": "now",
                        "parameters": {"type": "object", "properties": {}},
                        "strict": False,
                    }
                ]
            },
            id="a tool that is only a name is not strict",
        ),
        pytest.param(
            {"tools": [SQL, {"type": "custom", "custom": {"name": "any", "format": {"type": "text"}}}]},
            {
                "tools": [
                    {
                        "type": "custom",
                        "name": "sql",
                        "description": "A query.",
                        "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
                    },
                    {"type": "custom", "name": "any", "format": {"type": "text"}},
                ]
            },
            id="custom tools",
        ),
        pytest.param({"tools": []}, {}, id="no tools"),
        pytest.param({"tool_choice": "required"}, {"tool_choice": "required"}, id="choice by a word"),
        pytest.param(
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"tool_choice": {"type": "function", "name": "weather"}},
            id="choice of a function",
        ),
        pytest.param(
            {"tool_choice": {"type": "custom", "custom": {"name": "sql"}}},
            {"tool_choice": {"type": "custom", "name": "sql"}},
            id="choice of a custom tool",
        ),
        pytest.param(
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "auto",
                        "tools": [
                            {"type": "function", "function": {"name": "weather"}},
                            {"type": "custom", "custom": {"name": "sql"}},
                        ],
                    },
                }
            },
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "weather"}, {"type": "custom", "name": "sql"}],
                }
            },
            id="allowed tools",
        ),
        pytest.param({"response_format": {"type": "text"}}, {"text": {"format": {"type": "text"}}}, id="text"),
        pytest.param(
            {"response_format": {"type": "json_object"}, "verbosity": "low"},
            {"text": {"format": {"type": "json_object"}, "verbosity": "low"}},
            id="any JSON, briefly",
        ),
        pytest.param(
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "description": "b", "schema": {"type": "object"}, "strict": True},
                }
            },
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "a",
                        "description": "b",
                        "strict": True,
                        "schema": {"type": "object"},
                    }
                }
            },
            id="a schema",
        ),
        pytest.param({"max_tokens": 100}, {"max_output_tokens": 100}, id="max_tokens"),
        pytest.param({"max_tokens": 5, "max_completion_tokens": 200}, {"max_output_tokens": 200}, id="both limits"),
        pytest.param({"max_completion_tokens": 1}, {"max_output_tokens": 16}, id="fewer than 16 tokens"),
        pytest.param(
            {"reasoning_effort": "high"},
            {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]},
            id="reasoning",
        ),
        pytest.param({"reasoning_effort": "none"}, {"reasoning": {"effort": "none"}}, id="no reasoning"),
        pytest.param(
            {"logprobs": True, "top_logprobs": 3},
            {"include": ["message.output_text.logprobs"], "top_logprobs": 3},
            id="logprobs",
        ),
        pytest.param({"logprobs": False}, {}, id="no logprobs"),
        pytest.param(
            {
                "web_search_options": {
                    "search_context_size": "low",
                    "user_location": {"type": "approximate", "approximate": {"city": "Rome"}},
                }
            },
            {
                "tools": [
                    {
                        "type": "web_search",
                        "search_context_size": "low",
                        "user_location": {"type": "approximate", "city": "Rome"},
                    }
                ]
            },
            id="web search",
        ),
        pytest.param(
            {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
            {"stream": True, "stream_options": {"include_obfuscation": False}},
            id="a stream without obfuscation",
        ),
        pytest.param(
            {"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}, id="a stream with usage"
        ),
        pytest.param(
            {
                "temperature": 2,
                "top_p": 0.5,
                "parallel_tool_calls": False,
                "metadata": {"a": "b"},
                "user": "u",
                "safety_identifier": "s",
                "prompt_cache_key": "k",
                "prompt_cache_retention": "24h",
                "service_tier": "flex",
            },
            {
                "temperature": 2,
                "top_p": 0.5,
                "parallel_tool_calls": False,
                "metadata": {"a": "b"},
                "user": "u",
                "safety_identifier": "s",
                "prompt_cache_key": "k",
                "prompt_cache_retention": "24h",
                "service_tier": "flex",
            },
            id="what is the same on both sides",
        ),
        pytest.param(
            {"n": 1, "stop": [], "logit_bias": {}, "modalities": ["text"], "functions": [], "audio": None},
            {},
            id="what asks for nothing",
        ),
    ],
)
def test_fields_become_the_fields_there(fields: Json, there: Json) -> None:
    body = sent(chat(**fields))
    assert {name: value for name, value in body.items() if name not in ("model", "input", "store")} == there
