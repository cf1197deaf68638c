from typing import Any

import pytest

from tests.values import make_target
from tests.wire.openai_gemini.asking import SCHEMA, send, tool, translation


class TestTools:
    def test_a_schema_is_sent_as_it_is(self) -> None:
        body = send(tools=[tool("f", description="It.", parameters=SCHEMA, strict=True), tool("g", parameters={})])
        assert body["tools"] == [
            {
                "functionDeclarations": [
                    {"name": "f", "description": "It.", "parametersJsonSchema": SCHEMA},
                    {"name": "g"},
                ]
            }
        ]
        assert "toolConfig" not in body

    @pytest.mark.parametrize(
        ("choice", "calling", "declared"),
        [
            pytest.param("auto", {"mode": "AUTO"}, ["f", "g"], id="auto"),
            pytest.param("none", {"mode": "NONE"}, ["f", "g"], id="none"),
            pytest.param("required", {"mode": "ANY"}, ["f", "g"], id="required"),
            pytest.param(tool("g"), {"mode": "ANY", "allowedFunctionNames": ["g"]}, ["f", "g"], id="one"),
            pytest.param(
                {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool("f")]}},
                {"mode": "ANY", "allowedFunctionNames": ["f"]},
                ["f", "g"],
                id="one of some",
            ),
            pytest.param(
                {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool("f")]}},
                {"mode": "AUTO"},
                ["f"],
                id="any of some",
            ),
        ],
    )
    def test_a_choice_is_a_mode(self, choice: Any, calling: dict[str, Any], declared: list[str]) -> None:
        body = send(tools=[tool("f"), tool("g")], tool_choice=choice)
        assert body["toolConfig"] == {"functionCallingConfig": calling}
        assert [one["name"] for one in body["tools"][0]["functionDeclarations"]] == declared

    @pytest.mark.parametrize("tools", [None, []])
    def test_without_tools_nothing_is_chosen(self, tools: Any) -> None:
        assert send(tools=tools, tool_choice="auto").keys() == {"contents"}


class TestConfig:
    @pytest.mark.parametrize(
        ("asked", "sent"),
        [
            pytest.param({"temperature": 0}, {"temperature": 0}, id="temperature"),
            pytest.param(
                {"temperature": 2, "top_p": 0.5, "top_k": 4}, {"temperature": 2, "topP": 0.5, "topK": 4}, id="top"
            ),
            pytest.param({"max_tokens": 5}, {"maxOutputTokens": 5}, id="max_tokens"),
            pytest.param({"max_tokens": 5, "max_completion_tokens": 6}, {"maxOutputTokens": 6}, id="both limits"),
            pytest.param({"max_tokens": 99}, {"maxOutputTokens": 64}, id="more than the model says"),
            pytest.param({"stop": "a"}, {"stopSequences": ["a"]}, id="one stop"),
            pytest.param({"stop": ["a", "", "b"]}, {"stopSequences": ["a", "b"]}, id="stops"),
            pytest.param({"stop": []}, None, id="no stop"),
            pytest.param({"seed": 7}, {"seed": 7}, id="seed"),
            pytest.param({"seed": -1}, {"seed": 2**31 - 1}, id="seed below"),
            pytest.param(
                {"presence_penalty": 2, "frequency_penalty": -2},
                {"presencePenalty": 1.99, "frequencyPenalty": -2},
                id="penalties",
            ),
            pytest.param({"n": 3}, {"candidateCount": 3}, id="n"),
            pytest.param(
                {"logprobs": True, "top_logprobs": 4}, {"responseLogprobs": True, "logprobs": 4}, id="logprobs"
            ),
            pytest.param({"modalities": ["text"]}, None, id="modalities"),
            pytest.param({"response_format": {"type": "text"}}, None, id="text"),
            pytest.param(
                {"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}, id="JSON"
            ),
            pytest.param(
                {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}},
                {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
                id="JSON of a schema",
            ),
            pytest.param({"temperature": None, "stop": None, "n": None, "response_format": None}, None, id="null"),
        ],
    )
    def test_settings_are_in_the_generation_config(self, asked: dict[str, Any], sent: dict[str, Any] | None) -> None:
        assert send(limit=64, **asked).get("generationConfig") == sent

    @pytest.mark.parametrize(
        ("remote", "effort", "thinking"),
        [
            ("gemini-2.5-flash", "none", {"thinkingBudget": 0, "includeThoughts": False}),
            ("gemini-2.5-flash", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
            ("gemini-2.5-flash-lite", "xhigh", {"thinkingBudget": 24576, "includeThoughts": True}),
            ("gemini-2.5-pro", "none", {"thinkingBudget": 128, "includeThoughts": False}),
            ("gemini-2.5-pro", "max", {"thinkingBudget": 32768, "includeThoughts": True}),
            ("gemini-3-pro-preview", "minimal", {"thinkingLevel": "LOW", "includeThoughts": True}),
            ("gemini-3-pro-preview", "medium", {"thinkingLevel": "HIGH", "includeThoughts": True}),
            ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
            (
                "publishers/google/models/gemini-3.5-flash",
                "minimal",
                {"thinkingLevel": "MINIMAL", "includeThoughts": True},
            ),
            ("gemini-flash-latest", "none", {"thinkingLevel": "MINIMAL", "includeThoughts": False}),
            ("gemini-4-flash-lite", "high", {"thinkingLevel": "HIGH", "includeThoughts": True}),
            ("gemini-2.0-flash", "high", None),
            ("gemini-2.5-flash-image", "high", None),
            ("gemini-3-pro-image-preview", "high", None),
            ("gemma-3-27b-it", "high", None),
        ],
    )
    def test_effort_is_a_level_or_a_budget(self, remote: str, effort: str, thinking: dict[str, Any] | None) -> None:
        body = send(remote=remote, reasoning_effort=effort)
        assert body.get("generationConfig", {}).get("thinkingConfig") == thinking

    def test_effort_is_listed_where_a_model_does_not_think(self) -> None:
        chat = {"messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": "low"}
        assert translation.request(chat, make_target("gemini-2.0-flash")).dropped == ("reasoning_effort",)
