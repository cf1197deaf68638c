from typing import Any

import pytest

from tests.wire.openai_gemini.answers import COUNTS, HEAD, USAGE, candidate, fold, response, stream, translation

CALL = {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "YQ=="}


def event(*parts: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return response(candidate(*parts, finish=finish), **fields)


def piece(path: str | None = None, more: bool = True, **value: Any) -> dict[str, Any]:
    args = {"partialArgs": [{"jsonPath": path, **value}]} if path else {}
    return {"functionCall": args | ({"willContinue": True} if more else {})}


def start(name: str) -> dict[str, Any]:
    return {"functionCall": {"name": name, "willContinue": True}}


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-r1",
        "object": "chat.completion.chunk",
        "created": 1767323045,
        "model": "gemini-3-pro",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }


def test_each_event_is_a_chunk_and_the_usage_comes_last() -> None:
    chunks, done = stream(
        event({"text": "Hm.", "thought": True}),
        event({"text": "Hi, "}, usageMetadata={"promptTokenCount": 1}),
        event({"text": "Ann."}, finish="STOP", usageMetadata=COUNTS),
    )
    assert chunks == [
        chunk({"role": "assistant", "reasoning_content": "Hm."}),
        chunk({"content": "Hi, "}),
        chunk({"content": "Ann."}),
        chunk({}, "stop"),
        {**chunk({}), "choices": [], "usage": USAGE},
    ]
    assert done


def test_an_event_is_passed_on_before_the_next() -> None:
    reader = translation.reader()
    assert reader.read("", event({"text": "Hi"})) == [chunk({"role": "assistant", "content": "Hi"})]
    assert not reader.done


def test_a_call_comes_whole_and_ends_in_tool_calls() -> None:
    chunks, done = stream(event(CALL), event({"functionCall": {"name": "g"}}), event({"text": ""}, finish="STOP"))
    found = fold(chunks)["choices"][0]
    assert [(one["id"], one["function"]) for one in found["tool_calls"]] == [
        ("call_r1_0_0", {"name": "f", "arguments": '{"a":1}'}),
        ("call_r1_0_1", {"name": "g", "arguments": "{}"}),
    ]
    assert found["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "YQ=="}}
    assert (found["finish_reason"], done) == ("tool_calls", True)


def test_arguments_in_pieces_are_put_together() -> None:
    chunks, done = stream(
        event(start("f")),
        event(piece("$.to.name", stringValue="An")),
        event(piece("$.to.name", stringValue="n")),
        event(piece("$.items[0].n", numberValue=0.5)),
        event(piece("$.items[1]['a b']", boolValue=True)),
        event(piece('$["x"]', nullValue="NULL_VALUE")),
        event(piece(more=False)),
        event(piece(more=False)),
        event(start("g")),
        event(start("h")),
        event(piece("$.a", stringValue="")),
        event({"text": ""}, finish="STOP"),
    )
    assert [one["function"] for one in fold(chunks)["choices"][0]["tool_calls"]] == [
        {"name": "f", "arguments": '{"to":{"name":"Ann"},"items":[{"n":0.5},{"a b":true}],"x":null}'},
        {"name": "g", "arguments": "{}"},
        {"name": "h", "arguments": '{"a":""}'},
    ]
    assert done


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(piece("$.a[3]", numberValue=1), id="an item after none"),
        pytest.param(piece("$", numberValue=1), id="no way"),
        pytest.param(piece("$[0]", numberValue=1), id="an item of no list"),
        pytest.param(piece("$.a..b", numberValue=1), id="no step"),
        pytest.param(piece("$" + ".a" * 65, numberValue=1), id="too deep"),
        pytest.param(piece("$.known.b", numberValue=1), id="a member of a text"),
        pytest.param({"functionCall": {"partialArgs": [7]}}, id="piece is a number"),
    ],
)
def test_a_piece_that_leads_nowhere_breaks_the_stream(found: dict[str, Any]) -> None:
    chunks, done = stream(
        event(start("f")), event(piece("$.known", stringValue="a")), event(found), event(finish="STOP")
    )
    assert chunks[1]["error"]["code"] == "upstream_error"
    assert not done


def test_a_signature_alone_is_passed_on() -> None:
    chunks, _ = stream(event({"text": "Hi"}), event({"text": "", "thoughtSignature": "YQ=="}, finish="STOP"))
    assert fold(chunks)["choices"][0]["reasoning_details"] == [
        {"type": "reasoning.encrypted", "data": "YQ==", "format": "google-gemini-v1"}
    ]


def test_choices_end_each_for_itself() -> None:
    first, second = candidate({"text": "a"}, index=0), candidate({"text": "b"}, index=1)
    ended = candidate(finish="STOP", index=0), candidate(finish="MAX_TOKENS", index=1)
    chunks, done = stream(response(first), response(second, ended[0]))
    assert fold(chunks)["choices"][0]["finish_reason"] == "stop"
    assert not done
    chunks, done = stream(response(first), response(second, ended[0]), response(ended[1]))
    assert [one["finish_reason"] for one in fold(chunks)["choices"].values()] == ["stop", "length"]
    assert done


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="empty"),
        pytest.param([{}], id="an event without anything"),
        pytest.param([event({"text": "Hi"}, usageMetadata=COUNTS)], id="no finish reason"),
        pytest.param([event({"text": "Hi"}, finish="FINISH_REASON_UNSPECIFIED")], id="no reason in the reason"),
        pytest.param([event({"text": "Hi"}, finish="STOP"), {"error": {"code": 503}}], id="an error after the end"),
    ],
)
def test_a_stream_without_its_end_is_not_whole(events: list[dict[str, Any]]) -> None:
    chunks, done = stream(*events)
    assert not done
    assert not any("usage" in chunk for chunk in chunks)


def test_an_end_is_said_once() -> None:
    chunks, done = stream(event({"text": "Hi"}, finish="STOP"), event(finish="STOP"), {**HEAD, "usageMetadata": COUNTS})
    assert fold(chunks)["choices"][0]["finish_reason"] == "stop"
    assert fold(chunks)["usage"] == USAGE
    assert done


@pytest.mark.parametrize(
    ("reason", "finish"), [("SAFETY", "content_filter"), ("RECITATION", "content_filter"), ("MAX_TOKENS", "length")]
)
def test_an_end_before_anything_was_said_is_an_answer(reason: str, finish: str) -> None:
    chunks, done = stream(response({"finishReason": reason}))
    assert chunks == [chunk({"role": "assistant"}), chunk({}, finish)]
    assert done


def test_a_blocked_prompt_is_a_content_filter() -> None:
    feedback = {"blockReason": "SAFETY", "blockReasonMessage": "No."}
    chunks, done = stream({**HEAD, "promptFeedback": feedback, "usageMetadata": COUNTS})
    found = fold(chunks)
    assert found["choices"] == {
        0: {"role": "assistant", "refusal": "No.", "tool_calls": [], "finish_reason": "content_filter"}
    }
    assert (found["usage"], done) == (USAGE, True)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        pytest.param({"error": {"code": 429, "message": "Later."}}, "upstream_rate_limited", id="error"),
        pytest.param({"error": "odd"}, "upstream_error", id="error is a text"),
        pytest.param(response({"finishReason": "MALFORMED_FUNCTION_CALL"}), "upstream_error", id="malformed call"),
        pytest.param({"candidates": 7}, "upstream_error", id="candidates are a number"),
        pytest.param({"candidates": [7]}, "upstream_error", id="candidate is a number"),
    ],
)
def test_an_error_inside_the_stream_is_one_of_chat(found: dict[str, Any], code: str) -> None:
    chunks, done = stream(event({"text": "Hi"}), found, event(finish="STOP"))
    assert chunks[1]["error"]["code"] == code
    assert chunks[1]["error"].keys() == {"message", "type", "param", "code"}
    assert not done
