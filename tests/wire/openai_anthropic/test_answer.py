from typing import Any

import pytest

from gateway.core.fault import ContextFault, EmptyFault, Fault, ProtocolFault, StatusFault
from gateway.wire.openai_anthropic import OpenAIAnthropic

USAGE = {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 1}


def answer(*blocks: dict[str, Any], reason: str | None = "end_turn", **members: Any) -> dict[str, Any]:
    body = {"id": "msg_1", "type": "message", "model": "claude-x", "content": list(blocks), "stop_reason": reason}
    return OpenAIAnthropic().answer({**body, "usage": USAGE, **members})


def message(*blocks: dict[str, Any], **members: Any) -> dict[str, Any]:
    told: dict[str, Any] = answer(*blocks, **members)["choices"][0]["message"]
    return told


def test_an_answer_is_a_chat_completion() -> None:
    assert answer({"type": "text", "text": "Hi"}) == {
        "id": "msg_1",
        "object": "chat.completion",
        "created": 0,
        "model": "claude-x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 4,
            "completion_tokens": 2,
            "total_tokens": 6,
            "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def test_calls_thoughts_and_texts_find_their_places() -> None:
    assert message(
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "Hi"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "content": []},
        {"type": "text", "text": " there", "citations": [{"type": "web_search_result_location"}]},
        {"type": "tool_use", "id": "t", "name": "look", "input": {"a": [1]}},
    ) == {
        "role": "assistant",
        "content": "Hi there",
        "refusal": None,
        "reasoning_content": "Hm",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm", "signature": "s", "format": "anthropic-claude-v1"},
            {"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1"},
        ],
        "tool_calls": [{"id": "t", "type": "function", "function": {"name": "look", "arguments": '{"a":[1]}'}}],
    }


def test_calls_alone_have_no_content() -> None:
    assert message({"type": "tool_use", "id": "t", "name": "look", "input": {}})["content"] is None


def test_an_answer_may_be_empty() -> None:
    assert message()["content"] == ""


def test_a_refusal_is_told_where_it_is_explained() -> None:
    details = {"type": "refusal", "explanation": "Not this."}
    told = answer(reason="refusal", stop_details=details)["choices"][0]
    assert told["finish_reason"] == "content_filter"
    assert told["message"] == {"role": "assistant", "content": None, "refusal": "Not this."}


@pytest.mark.parametrize("usage", [None, [], {"output_tokens": 3}, {"input_tokens": -1}])
def test_what_is_no_usage_is_left_out(usage: Any) -> None:
    assert "usage" not in answer({"type": "text", "text": "Hi"}, usage=usage)


def test_values_that_are_something_else_are_passed_over() -> None:
    odd = [{"type": "text", "text": 7}, {"type": "tool_use", "input": [1]}, {"type": "thinking"}, {}]
    told = answer(*odd, 7, "x", id=3, model=None, reason=[])
    assert told["id"] == told["model"] == ""
    assert told["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "", "arguments": "[1]"}


def deep() -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(3000):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param({}, ProtocolFault, id="nothing"),
        pytest.param({"content": "Hi"}, ProtocolFault, id="a text"),
        pytest.param({"content": []}, EmptyFault, id="empty"),
        pytest.param({"content": [{"type": "tool_use", "input": deep()}]}, ProtocolFault, id="deep"),
        pytest.param({"type": "error", "error": {"type": "overloaded_error"}}, StatusFault, id="an error"),
        pytest.param(
            {"error": {"type": "invalid_request_error", "message": "prompt is too long"}}, ContextFault, id="too long"
        ),
    ],
)
def test_what_is_no_answer_is_a_fault(body: dict[str, Any], fault: type[Fault]) -> None:
    with pytest.raises(fault):
        OpenAIAnthropic().answer(body)
