from typing import Any

import pytest

from gateway.core.fault import AuthFault, CallerFault, EmptyFault, Fault, ProtocolFault, RateLimitFault
from tests.wire.openai_gemini.answers import COUNTS, HEAD, USAGE, answer, candidate, response, translation

TEXT = {"text": "Hi"}
CALL = {"functionCall": {"name": "f", "args": {"a": 1}}}
FORMAT = "google-gemini-v1"


def message(*parts: Any, finish: str = "STOP") -> dict[str, Any]:
    found: dict[str, Any] = answer(response(candidate(*parts, finish=finish)))["choices"][0]["message"]
    return found


def test_an_answer_is_a_chat_completion() -> None:
    assert answer(response(candidate({"text": "Hi, "}, {"text": "Ann."}, finish="STOP"), usageMetadata=COUNTS)) == {
        "id": "chatcmpl-r1",
        "object": "chat.completion",
        "created": 1767323045,
        "model": "gemini-3-pro",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi, Ann.", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }


def test_thoughts_are_apart_and_their_signatures_are_kept() -> None:
    assert message(
        {"text": "Hm. ", "thought": True},
        {"text": "So.", "thought": True, "thoughtSignature": "YQ=="},
        {"text": "Hi", "thoughtSignature": "Yg=="},
    ) == {
        "role": "assistant",
        "content": "Hi",
        "refusal": None,
        "reasoning_content": "Hm. So.",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "So.", "signature": "YQ==", "format": FORMAT},
            {"type": "reasoning.encrypted", "data": "Yg==", "format": FORMAT},
        ],
    }


def test_calls_have_ids_that_are_of_this_answer_alone() -> None:
    signed = {**CALL, "thoughtSignature": "YQ=="}
    own = {"functionCall": {"name": "g", "id": "own"}}
    found = answer(response(candidate(signed, CALL, own, finish="STOP")))["choices"][0]
    assert found["finish_reason"] == "tool_calls"
    assert found["message"]["content"] is None
    function = {"name": "f", "arguments": '{"a":1}'}
    assert found["message"]["tool_calls"] == [
        {
            "id": "call_r1_0_0",
            "type": "function",
            "function": function,
            "extra_content": {"google": {"thought_signature": "YQ=="}},
        },
        {"id": "call_r1_0_1", "type": "function", "function": function},
        {"id": "own", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("CONTINUATION", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("OTHER", "content_filter"),
        ("A_NEW_ONE", "stop"),
        (1, "stop"),
        (2, "length"),
        (3, "content_filter"),
        (None, "stop"),
    ],
)
def test_a_finish_reason_is_one_of_four(reason: Any, finish: str) -> None:
    assert answer(response(candidate(TEXT, finish=reason)))["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize(
    ("found", "content", "finish"),
    [
        pytest.param({"finishReason": "SAFETY"}, None, "content_filter", id="nothing, for safety"),
        pytest.param({"finishReason": "MAX_TOKENS"}, "", "length", id="nothing but thoughts"),
        pytest.param(candidate({"text": ""}, finish="STOP"), "", "stop", id="an empty text"),
    ],
)
def test_an_answer_may_be_empty(found: dict[str, Any], content: str | None, finish: str) -> None:
    choice = answer(response(found))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (content, finish)


def test_a_blocked_prompt_is_a_content_filter() -> None:
    feedback = {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "No."}
    body = {**HEAD, "promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 3}}
    found = answer(body)
    assert found["choices"][0]["finish_reason"] == "content_filter"
    assert found["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": "No."}
    assert found["usage"]["total_tokens"] == 3


def test_candidates_are_choices() -> None:
    body = response(candidate(TEXT, finish="STOP"), candidate(CALL, finish="STOP", index=1))
    found = answer(body)["choices"]
    assert [(choice["index"], choice["finish_reason"]) for choice in found] == [(0, "stop"), (1, "tool_calls")]
    assert found[1]["message"]["tool_calls"][0]["id"] == "call_r1_1_0"


def test_logprobs_are_translated() -> None:
    result = {
        "chosenCandidates": [{"token": "Hi", "tokenId": 7, "logProbability": -0.5}, "odd"],
        "topCandidates": [{"candidates": [{"token": "Hi", "logProbability": -0.5}, {"token": "é"}, 7]}],
    }
    found = answer(response(candidate(TEXT, finish="STOP", logprobsResult=result)))["choices"][0]["logprobs"]
    hi = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}
    other = {"token": "é", "logprob": 0.0, "bytes": [195, 169]}
    assert found == {"content": [{**hi, "top_logprobs": [hi, other]}], "refusal": None}


@pytest.mark.parametrize(
    "part",
    [
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK"}},
        {"aNewOne": {}},
        {"text": 7},
    ],
)
def test_an_unknown_part_is_passed_over(part: Any) -> None:
    assert message(part, TEXT)["content"] == "Hi"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param({"promptTokenCount": 3}, (3, 0, 0, 0), id="only a prompt"),
        pytest.param({"promptTokenCount": -3, "candidatesTokenCount": "5"}, (0, 0, 0, 0), id="nonsense"),
        pytest.param({"promptTokenCount": 3, "cachedContentTokenCount": 9}, (3, 0, 3, 0), id="cached more than read"),
    ],
)
def test_usage_is_what_was_counted(counts: dict[str, Any], expected: tuple[int, ...]) -> None:
    usage = answer(response(candidate(TEXT, finish="STOP"), usageMetadata=counts))["usage"]
    cached, thought = usage["prompt_tokens_details"], usage["completion_tokens_details"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], *cached.values(), *thought.values()) == expected


@pytest.mark.parametrize("counts", [None, 7, {}, {"trafficType": "ON_DEMAND"}])
def test_usage_that_was_not_counted_is_none(counts: Any) -> None:
    assert "usage" not in answer(response(candidate(TEXT, finish="STOP"), usageMetadata=counts))


@pytest.mark.parametrize(
    ("created", "seconds"),
    [
        ("2026-01-02T03:04:05", 1767323045),
        ("2026-01-02T03:04:05.123456789Z", 1767323045),
        ("0001-01-01T00:00:00Z", 0),
        ("yesterday", 0),
        (None, 0),
    ],
)
def test_a_moment_is_seconds(created: Any, seconds: int) -> None:
    assert answer(response(candidate(TEXT, finish="STOP"), createTime=created))["created"] == seconds


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, RateLimitFault, id="error"),
        pytest.param({"error": {"code": 403}}, AuthFault, id="error of the credential"),
        pytest.param({"error": {"code": 400, "message": "No."}}, CallerFault, id="error of the caller"),
        pytest.param({}, ProtocolFault, id="nothing"),
        pytest.param({"choices": []}, ProtocolFault, id="another schema"),
        pytest.param({"candidates": 7}, ProtocolFault, id="candidates are a number"),
        pytest.param({"candidates": ["a"]}, ProtocolFault, id="candidate is a text"),
        pytest.param({"candidates": []}, EmptyFault, id="no candidates"),
        pytest.param({"usageMetadata": {}}, EmptyFault, id="only usage"),
        pytest.param(response({"finishReason": "STOP"}), EmptyFault, id="nothing said"),
        pytest.param(response(candidate(finish="STOP")), EmptyFault, id="no parts"),
        pytest.param(response(candidate(finish="MALFORMED_FUNCTION_CALL")), ProtocolFault, id="malformed call"),
        pytest.param(response(candidate(TEXT, finish="UNEXPECTED_TOOL_CALL")), ProtocolFault, id="unexpected call"),
        pytest.param(response({"content": {"parts": ["a"]}}), ProtocolFault, id="part is a text"),
        pytest.param(response(candidate({"functionCall": 7})), ProtocolFault, id="call is a number"),
        pytest.param(response(candidate({"functionCall": {"args": {"a": 1}}})), ProtocolFault, id="call without name"),
        pytest.param(response(candidate({"functionCall": {"name": 7}})), ProtocolFault, id="name is a number"),
        pytest.param(response(candidate({"functionCall": {"name": "f", "args": 7}})), ProtocolFault, id="arguments"),
    ],
)
def test_what_is_no_answer_is_a_fault(body: dict[str, Any], fault: type[Fault]) -> None:
    with pytest.raises(Fault) as caught:
        translation.answer(body)
    assert type(caught.value) is fault
