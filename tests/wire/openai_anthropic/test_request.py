from typing import Any

import pytest

from tests.wire.openai_anthropic.chats import (
    MIDDLE,
    NEW,
    OLD,
    OTHER,
    assistant,
    call,
    result,
    send,
    thought,
    tool,
    user,
)


class TestThinking:
    @pytest.mark.parametrize(
        ("model", "effort", "limit", "expected"),
        [
            pytest.param(NEW, "xhigh", None, ({"type": "adaptive", "display": "summarized"}, "xhigh"), id="newest"),
            pytest.param(NEW, "minimal", 1, ({"type": "adaptive", "display": "summarized"}, "low"), id="newest, low"),
            pytest.param(MIDDLE, "xhigh", None, ({"type": "adaptive"}, "max"), id="before xhigh"),
            pytest.param(OLD, "medium", 64000, ({"type": "enabled", "budget_tokens": 8192}, None), id="a budget"),
            pytest.param(OLD, "high", None, ({"type": "enabled", "budget_tokens": 2048}, None), id="half at most"),
            pytest.param(OLD, "low", 2047, (None, None), id="no room"),
            pytest.param(OTHER, "low", 9000, ({"type": "enabled", "budget_tokens": 2048}, None), id="not Claude"),
            pytest.param(NEW, "none", None, ({"type": "disabled"}, None), id="none"),
            pytest.param("claude-fable-5", "none", None, (None, "low"), id="none where it always thinks"),
            pytest.param("claude-next", "low", None, ({"type": "adaptive", "display": "summarized"}, "low"), id="new"),
        ],
    )
    def test_effort_is_asked_for_as_the_model_takes_it(
        self, model: str, effort: str, limit: int | None, expected: object
    ) -> None:
        body = send(model, limit, reasoning_effort=effort).body
        assert (body.get("thinking"), body.get("output_config", {}).get("effort")) == expected
        assert body.get("thinking", {}).get("budget_tokens", 0) < body["max_tokens"]

    def test_what_does_not_go_with_thinking_is_dropped(self) -> None:
        sent = send(MIDDLE, reasoning_effort="low", temperature=0.5, top_p=0.9)
        assert sent.dropped == ("temperature", "top_p")
        assert not {"temperature", "top_p"} & sent.body.keys()

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param({"tools": [tool()], "tool_choice": "required"}, id="a forced call"),
            pytest.param(
                {"tools": [tool()], "messages": [user("Hi"), assistant(tool_calls=[call(1)]), result(1)]},
                id="a call without its thought",
            ),
            pytest.param({"messages": [user("Hi"), assistant("Well")]}, id="an answer to be continued"),
        ],
    )
    def test_a_budget_is_left_out_where_the_turn_cannot_begin_with_a_thought(self, fields: Any) -> None:
        sent = send(OLD, 9000, reasoning_effort="low", **fields)
        assert "thinking" not in sent.body
        assert "reasoning_effort" in sent.dropped

    def test_a_call_with_its_thought_goes_on_thinking(self) -> None:
        turn = assistant(tool_calls=[call(1)], reasoning_details=[thought("Hm", "s")])
        sent = send(OLD, 9000, reasoning_effort="low", tools=[tool()], messages=[user("Hi"), turn, result(1)])
        assert sent.body["thinking"]["type"] == "enabled"

    def test_effort_and_a_schema_stand_together(self) -> None:
        asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
        config = send(NEW, reasoning_effort="high", response_format=asked).body["output_config"]
        assert config["effort"] == "high"
        assert config["format"]["type"] == "json_schema"


class TestNumbers:
    @pytest.mark.parametrize(
        ("fields", "limit", "expected"),
        [
            pytest.param({}, None, 4096, id="nobody says"),
            pytest.param({}, 8000, 8000, id="the model says"),
            pytest.param({"max_tokens": 5}, 8000, 5, id="the caller says"),
            pytest.param({"max_tokens": 9000}, 8000, 8000, id="more than there is"),
            pytest.param({"max_completion_tokens": None, "max_tokens": 6}, None, 6, id="null"),
        ],
    )
    def test_there_is_always_a_limit(self, fields: Any, limit: int | None, expected: int) -> None:
        assert send(limit=limit, **fields).body["max_tokens"] == expected

    @pytest.mark.parametrize(
        ("model", "kept", "dropped"),
        [
            pytest.param(NEW, {}, ("temperature", "top_p"), id="newest"),
            pytest.param(OLD, {"temperature": 0.2}, ("top_p",), id="one of them"),
            pytest.param("claude-3-5-haiku-20241022", {"temperature": 0.2, "top_p": 0.9}, (), id="old"),
            pytest.param("anthropic.claude-sonnet-4-20250514-v1:0", {"temperature": 0.2, "top_p": 0.9}, (), id="4.0"),
            pytest.param(OTHER, {"temperature": 0.2, "top_p": 0.9}, (), id="not Claude"),
        ],
    )
    def test_sampling_is_what_the_model_takes(self, model: str, kept: Any, dropped: Any) -> None:
        sent = send(model, temperature=0.2, top_p=0.9)
        assert {name: sent.body[name] for name in ("temperature", "top_p") if name in sent.body} == kept
        assert sent.dropped == dropped

    def test_what_asks_for_nothing_is_not_listed(self) -> None:
        sent = send(n=1, logprobs=False, modalities=["text"], presence_penalty=0, store=False, service_tier="auto")
        assert sent.dropped == ()

    @pytest.mark.parametrize("user_id", ["a@example.com", "+49 30 123456", "x" * 257, ""])
    def test_a_user_that_would_be_refused_is_dropped(self, user_id: str) -> None:
        sent = send(user=user_id)
        assert sent.dropped == ("user",)
        assert "metadata" not in sent.body


class TestTools:
    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            pytest.param("none", {"type": "none"}, id="none"),
            pytest.param("auto", {"type": "auto"}, id="auto"),
            pytest.param(tool(), {"type": "tool", "name": "look"}, id="named"),
        ],
    )
    def test_a_choice_is_said_in_other_words(self, choice: Any, expected: Any) -> None:
        assert send(tools=[tool()], tool_choice=choice).body["tool_choice"] == expected

    def test_one_call_at_a_time_goes_with_every_choice_but_none(self) -> None:
        one = {"tools": [tool()], "parallel_tool_calls": False}
        assert send(**one, tool_choice="required").body["tool_choice"] == {
            "type": "any",
            "disable_parallel_tool_use": True,
        }
        assert send(**one, tool_choice="none").body["tool_choice"] == {"type": "none"}

    def test_a_choice_without_tools_is_left_out(self) -> None:
        assert "tool_choice" not in send(tool_choice="auto", parallel_tool_calls=False).body

    def test_strict_is_left_out_where_it_is_not_known(self) -> None:
        assert send("claude-3-haiku-20240307", tools=[tool(strict=True)]).dropped == ("tools.function.strict",)


def test_unknown_limits_of_a_schema_go_into_its_descriptions() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "maxLength": 3, "description": "Short"},
            "b": {"type": "array", "minItems": 1, "items": {"oneOf": [{"type": "integer", "minimum": 1}]}},
        },
        "$defs": {"c": {"type": "object", "properties": {}}},
        "enum": [{"minimum": 1}],
    }
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert send(response_format=asked).body["output_config"]["format"]["schema"] == {
        "type": "object",
        "title": "x",
        "properties": {
            "a": {"type": "string", "description": 'Short {"maxLength":3}'},
            "b": {
                "type": "array",
                "minItems": 1,
                "items": {"anyOf": [{"type": "integer", "description": '{"minimum":1}'}]},
            },
        },
        "$defs": {"c": {"type": "object", "properties": {}, "additionalProperties": False}},
        "enum": [{"minimum": 1}],
        "additionalProperties": False,
    }
