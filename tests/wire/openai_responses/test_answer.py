import copy
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from gateway.core.fault import CallerFault, EmptyFault, Fault, ProtocolFault, RateLimitFault, StatusFault
from gateway.wire.openai_responses import OpenAIResponses
from tests.wire.openai_responses.cases import CHAT_USAGE, TARGET, USAGE, Json, call, response, said, text


def _answer(body: Json) -> Json:
    """The answer, after the official SDK has found a chat completion in it."""
    before = copy.deepcopy(body)
    answer = OpenAIResponses().answer(body)
    assert body == before
    ChatCompletion.model_validate(answer, strict=True)
    return answer


def _choice(*output: Json, **members: Any) -> Json:
    answer = _answer(response(*output, **members))
    assert len(answer["choices"]) == 1
    choice: Json = answer["choices"][0]
    return choice


_CITATION = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://e.org", "title": "E"}
_LOGPROB = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}


@pytest.mark.parametrize(
    ("output", "message"),
    [
        pytest.param([said(text("Hi"))], {"content": "Hi"}, id="text"),
        pytest.param([said(text("H"), text("i"))], {"content": "Hi"}, id="two parts"),
        pytest.param(
            [said(text("Let me see."), name="msg_1"), said(text("Hi"), name="msg_2")],
            {"content": "Let me see.\n\nHi"},
            id="two messages",
        ),
        pytest.param([said(text(""))], {"content": ""}, id="an empty text"),
        pytest.param([said({"type": "refusal", "refusal": "No."})], {"refusal": "No."}, id="a refusal"),
        pytest.param(
            [call("f", '{"a":1}'), call("g", "", "call_2")],
            {
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": ""}},
                ]
            },
            id="parallel calls",
        ),
        pytest.param(
            [{"type": "custom_tool_call", "call_id": "call_1", "name": "sql", "input": "SELECT 1"}],
            {"tool_calls": [{"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}]},
            id="a custom call",
        ),
        pytest.param(
            [
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}],
                    "encrypted_content": "gAAA",
                },
                said(text("Hi")),
            ],
            {
                "content": "Hi",
                "reasoning_content": "A\n\nB",
                "reasoning_details": [
                    {
                        "type": "reasoning.encrypted",
                        "format": "openai-responses-v1",
                        "id": "rs_1",
                        "data": "gAAA",
                        "summary": ["A", "B"],
                    }
                ],
            },
            id="encrypted reasoning",
        ),
        pytest.param(
            [
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [],
                    "content": [{"type": "reasoning_text", "text": "Hm."}],
                    "encrypted_content": "",
                },
                said(text("Hi")),
            ],
            {
                "content": "Hi",
                "reasoning_content": "Hm.",
                "reasoning_details": [
                    {"type": "reasoning.text", "format": "openai-responses-v1", "id": "rs_1", "text": "Hm."}
                ],
            },
            id="open reasoning",
        ),
        pytest.param(
            [said(text("Look:")), said(text("Hi", annotations=[_CITATION, {"type": "file_path"}]), name="msg_2")],
            {
                "content": "Look:\n\nHi",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {"start_index": 7, "end_index": 9, "url": "https://e.org", "title": "E"},
                    }
                ],
            },
            id="citations",
        ),
        pytest.param([{"type": "brand_new"}, said(text("Hi"), {"type": "x"})], {"content": "Hi"}, id="unknown items"),
        pytest.param([{"type": "web_search_call", "id": "ws_1"}], {"content": ""}, id="nothing that can be said"),
    ],
)
def test_items_become_one_message(output: list[Json], message: Json) -> None:
    expected = {"role": "assistant", "content": None, "refusal": None, **message}
    assert _choice(*output)["message"] == expected


@pytest.mark.parametrize(
    ("output", "members", "reason"),
    [
        pytest.param([said(text("Hi"))], {}, "stop", id="stop"),
        pytest.param([said({"type": "refusal", "refusal": "No."})], {}, "stop", id="refusal"),
        pytest.param([said(text("Hi")), call("f", "{}")], {}, "tool_calls", id="tool calls"),
        pytest.param(
            [said(text("Hi"))],
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "length",
            id="length",
        ),
        pytest.param(
            [],
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "usage": USAGE},
            "length",
            id="no output",
        ),
        pytest.param(
            [said(text("Hi"))],
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
            id="content filter",
        ),
        pytest.param([said(text("Hi"))], {"status": "incomplete"}, "length", id="no reason"),
        pytest.param([said(text("Hi"))], {"status": None}, "stop", id="no status"),
        pytest.param([], {"usage": USAGE}, "stop", id="ended at once"),
    ],
)
def test_the_status_becomes_the_finish_reason(output: list[Json], members: Json, reason: str) -> None:
    assert _choice(*output, **members)["finish_reason"] == reason


def test_the_response_s_own_members_are_kept() -> None:
    answer = _answer(response(said(text("Hi")), usage=USAGE, service_tier="default", created_at=1700000000.9))
    assert answer == {
        "id": "resp_1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-5",
        "service_tier": "default",
        "choices": answer["choices"],
        "usage": CHAT_USAGE,
    }


def test_log_probabilities_are_kept() -> None:
    choice = _choice(said(text("Hi", logprobs=[{**_LOGPROB, "top_logprobs": [_LOGPROB]}])))
    assert choice["logprobs"] == {"content": [{**_LOGPROB, "top_logprobs": [_LOGPROB]}], "refusal": None}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param(
            response(status="failed", error={"code": "rate_limit_exceeded", "message": "m"}), RateLimitFault, id="rate"
        ),
        pytest.param(response(status="failed"), StatusFault, id="failed"),
        pytest.param(response(error={"code": "invalid_prompt", "message": "m"}), CallerFault, id="prompt"),
        pytest.param(response(), EmptyFault, id="nothing in it"),
        pytest.param(response(status="in_progress"), ProtocolFault, id="under way"),
        pytest.param(response(status="cancelled"), ProtocolFault, id="cancelled"),
        pytest.param({}, ProtocolFault, id="no response"),
        pytest.param({"output": "Hi"}, ProtocolFault, id="a text"),
    ],
)
def test_what_is_no_answer_is_a_fault(body: Json, fault: type[Fault]) -> None:
    with pytest.raises(fault):
        OpenAIResponses().answer(body)


def test_reasoning_comes_back_on_the_next_turn_as_it_was() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "A"}],
        "encrypted_content": "gAAA",
    }
    message = _choice(item, call("f", "{}"))["message"]
    made = OpenAIResponses().request({"model": "m", "messages": [message]}, TARGET)
    assert made.body["input"] == [item, {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}]
    assert made.dropped == ()
