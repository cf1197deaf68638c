import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.openai_responses import OpenAIResponses
from tests.wire.openai_responses.cases import ANYTHING, CHAT_USAGE, USAGE, Json, call, response, said, text
from tests.wire.openai_responses.reading import fold, read


def _event(kind: str, **members: Any) -> Json:
    return {"type": f"response.{kind}", **members}


def _encode(*events: Json) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def _folded(*events: Json) -> Json:
    chunks, done = read([_encode(*events)])
    assert done
    return fold(chunks)


_CREATED = _event("created", response=response(status="in_progress", service_tier="auto"))
_REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Hm."}, {"type": "summary_text", "text": "Aha."}],
    "encrypted_content": "gAAA",
}
_CITATION = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://e.org", "title": "E"}
_LOGPROB = {"token": "Hi", "logprob": -0.5, "top_logprobs": []}
_MESSAGE = said(text("Hi you", annotations=[_CITATION], logprobs=[_LOGPROB]))
_CALL = call("f", '{"a":1}')
_SQL = {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_2", "name": "sql", "input": "SELECT 1"}
_OUTPUT = (_REASONING, _MESSAGE, _CALL, _SQL)
_COMPLETED = _event("completed", response=response(*_OUTPUT, usage=USAGE, service_tier="default"))


def _summary(delta: str, part: int) -> Json:
    return _event("reasoning_summary_text.delta", output_index=0, item_id="rs_1", summary_index=part, delta=delta)


def _text(delta: str, **members: Any) -> Json:
    return _event("output_text.delta", output_index=1, item_id="msg_1", content_index=0, delta=delta, **members)


_STREAM = (
    _CREATED,
    _event("in_progress", response=response(status="in_progress")),
    _event("output_item.added", output_index=0, item={"type": "reasoning", "id": "rs_1", "summary": []}),
    _summary("H", 0),
    _summary("m.", 0),
    _summary("Aha.", 1),
    _event("output_item.done", output_index=0, item=_REASONING),
    _event("output_item.added", output_index=1, item=said()),
    _text("Hi", logprobs=[_LOGPROB]),
    _text(" you", logprobs=[]),
    _event("output_text.annotation.added", output_index=1, item_id="msg_1", content_index=0, annotation=_CITATION),
    _event("output_text.done", output_index=1, item_id="msg_1", content_index=0, text="Hi you"),
    _event("output_item.done", output_index=1, item=_MESSAGE),
    _event("output_item.added", output_index=2, item={**_CALL, "arguments": ""}),
    _event("function_call_arguments.delta", output_index=2, item_id="fc_call_1", delta='{"a"'),
    _event("function_call_arguments.delta", output_index=2, item_id="fc_call_1", delta=":1}"),
    _event("function_call_arguments.done", output_index=2, item_id="fc_call_1", arguments='{"a":1}'),
    _event("output_item.done", output_index=2, item=_CALL),
    _event("output_item.added", output_index=3, item={**_SQL, "input": ""}),
    _event("custom_tool_call_input.delta", output_index=3, item_id="ct_1", delta="SELECT"),
    _event("brand_new.delta", output_index=3, item_id="ct_1", delta="?"),
    _event("output_item.done", output_index=3, item=_SQL),
    _COMPLETED,
)
_FOLDED = {
    "reasoning_content": "Hm.\n\nAha.",
    "reasoning_details": [
        {
            "type": "reasoning.encrypted",
            "format": "openai-responses-v1",
            "id": "rs_1",
            "data": "gAAA",
            "summary": ["Hm.", "Aha."],
        }
    ],
    "content": "Hi you",
    "annotations": [
        {
            "type": "url_citation",
            "url_citation": {"start_index": 0, "end_index": 2, "url": "https://e.org", "title": "E"},
        }
    ],
    "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "call_2", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}},
    ],
    "finish_reason": "tool_calls",
    "usage": CHAT_USAGE,
}


def test_a_stream_becomes_chunks_one_by_one() -> None:
    chunks, done = read([_encode(*_STREAM)])
    assert done
    head = {"id": "resp_1", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-5"}
    assert {name: chunks[0][name] for name in head} == head
    assert [chunk["choices"][0]["delta"] for chunk in chunks[:4]] == [
        {"role": "assistant", "content": None},
        {"reasoning_content": "H"},
        {"reasoning_content": "m."},
        {"reasoning_content": "\n\nAha."},
    ]
    assert chunks[-1] == {**head, "service_tier": "default", "choices": [], "usage": CHAT_USAGE}
    assert fold(chunks) == _FOLDED
    assert [c["choices"][0]["logprobs"]["content"] for c in chunks[:-1] if "logprobs" in c["choices"][0]] == [
        [{**_LOGPROB, "bytes": None}]
    ]


def test_an_event_is_passed_on_as_soon_as_it_is_complete() -> None:
    reader = OpenAIResponses().reader()
    assert reader.read("", _CREATED) == []
    given = [reader.read("", event) for event in _STREAM[2:6]]
    assert [len(chunks) for chunks in given] == [1, 1, 1, 1]


_KINDS = sorted({event["type"] for event in _STREAM[:-1]})


@pytest.mark.parametrize("kind", _KINDS)
def test_what_was_not_streamed_is_given_when_it_comes_whole(kind: str) -> None:
    folded = _folded(*(event for event in _STREAM if event["type"] != kind))
    assert folded == _FOLDED


@given(st.sets(st.integers(0, len(_STREAM) - 2)))
def test_whatever_is_missing_of_a_stream_its_last_event_makes_up_for(missing: set[int]) -> None:
    """But for deltas in the middle of others, which nothing can put in their place, and for the order of the calls."""
    deltas = {i for i, event in enumerate(_STREAM) if event["type"].endswith(("delta", "annotation.added"))}
    folded = _folded(*(event for i, event in enumerate(_STREAM) if i not in missing - deltas))
    folded["tool_calls"].sort(key=lambda made: made["id"])
    assert folded == _FOLDED


def test_items_may_have_no_index_as_in_llama_cpp_s_server() -> None:
    output = {"type": "message", "id": "msg_1", "content": [text("Hi")]}
    tools = [{"type": "function_call", "call_id": f"fc_{n}", "name": "f", "arguments": '{"a":1}'} for n in "ab"]
    begun = [_event("output_item.added", item={**tool, "arguments": ""}) for tool in tools]
    folded = _folded(
        _event("output_item.added", item={**output, "content": []}),
        _event("output_text.delta", item_id="msg_1", delta="Hi"),
        begun[0],
        _event("function_call_arguments.delta", item_id="fc_a", delta='{"a"'),
        begun[1],
        _event("function_call_arguments.delta", item_id="fc_b", delta='{"a":'),
        *(_event("output_item.done", item=item) for item in (output, *tools)),
        _event("completed", response=response(output, *tools)),
    )
    assert folded["content"] == "Hi"
    assert [call["function"]["arguments"] for call in folded["tool_calls"]] == ['{"a":1}', '{"a":1}']


def test_an_item_s_id_may_change_from_event_to_event() -> None:
    changed = [
        {**event, **({"item_id": f"x{i}"} if "item_id" in event else {})} for i, event in enumerate(_STREAM[:-1])
    ]
    assert _folded(*changed, _COMPLETED) == _FOLDED


def test_arguments_that_come_whole_in_other_words_do_not_follow_those_that_were_streamed() -> None:
    folded = _folded(*_STREAM[13:16], _event("completed", response=response(call("f", '{"a": 1, "b": 2}'))))
    assert folded["tool_calls"][0]["function"]["arguments"] == '{"a":1}'


def test_two_messages_are_two_paragraphs() -> None:
    second = said(text("You", annotations=[_CITATION]), name="msg_2")
    folded = _folded(
        _text("Hi"),
        _event("output_text.delta", output_index=2, item_id="msg_2", content_index=0, delta="You"),
        _event("completed", response=response({"type": "reasoning"}, said(text("Hi")), second)),
    )
    assert folded["content"] == "Hi\n\nYou"
    assert folded["annotations"][0]["url_citation"]["start_index"] == 4


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        pytest.param({"reason": "max_output_tokens"}, "length", id="length"),
        pytest.param({"reason": "content_filter"}, "content_filter", id="content filter"),
        pytest.param(None, "length", id="no reason"),
    ],
)
def test_an_incomplete_response_says_why(details: Json | None, reason: str) -> None:
    end = _event("incomplete", response=response(_MESSAGE, status="incomplete", incomplete_details=details))
    assert _folded(_CREATED, _text("Hi"), end)["finish_reason"] == reason


def test_a_refusal_is_streamed_as_one() -> None:
    refused = _event("refusal.delta", output_index=0, item_id="msg_1", content_index=0, delta="No")
    folded = _folded(refused, _event("completed", response=response(said({"type": "refusal", "refusal": "No."}))))
    assert (folded["refusal"], folded["finish_reason"]) == ("No.", "stop")


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"type": "error", "code": "server_error", "message": "m", "param": None}, id="error"),
        pytest.param(
            {"type": "error", "error": {"type": "server_error", "code": "server_error", "message": "m"}}, id="nested"
        ),
        pytest.param(
            _event("failed", response=response(status="failed", error={"code": "server_error", "message": "m"})),
            id="failed",
        ),
    ],
)
@pytest.mark.parametrize("before", [pytest.param((_CREATED,), id="at once"), pytest.param(_STREAM[:9], id="later")])
def test_an_error_in_the_stream_is_the_last_of_it(before: tuple[Json, ...], event: Json) -> None:
    chunks, done = read([_encode(*before, event, event, _COMPLETED)])
    assert not done
    assert [chunk for chunk in chunks if "error" in chunk] == [
        {"error": {"message": "m", "type": "server_error", "param": None, "code": "server_error"}}
    ]
    assert "error" in chunks[-1]


def test_a_failure_right_after_the_start_comes_before_any_chunk() -> None:
    chunks, _ = read([_encode(_CREATED, _STREAM[1], {"type": "error", "code": "rate_limit_exceeded"})])
    assert [list(chunk) for chunk in chunks] == [["error"]]


def test_a_stream_without_its_end_is_not_whole() -> None:
    for length in range(len(_STREAM)):
        chunks, done = read([_encode(*_STREAM[:length])])
        assert not done
        assert all(choice["finish_reason"] is None for chunk in chunks for choice in chunk["choices"])


def test_after_the_end_nothing_follows() -> None:
    chunks, _ = read([_encode(_CREATED, _COMPLETED)])
    assert read([_encode(_CREATED, _COMPLETED, _text("?"), _COMPLETED)])[0] == chunks


@given(st.lists(st.integers(0, len(_encode(*_STREAM))), max_size=9).map(sorted))
def test_a_stream_may_be_cut_anywhere(cuts: list[int]) -> None:
    whole = _encode(*_STREAM)
    bounds = [0, *cuts, len(whole)]
    pieces = [whole[a:b] for a, b in itertools.pairwise(bounds)]
    assert read(pieces) == read([whole])


_MEMBERS = (
    *("delta", "item", "item_id", "output_index", "content_index", "summary_index", "annotation", "arguments"),
    *("response", "error", "message", "logprobs", "code", "type"),
)
_ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "x"])},
    optional=dict.fromkeys(("id", "call_id", "name", "arguments", "input", "encrypted_content"), ANYTHING)
    | {
        name: ANYTHING
        | st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["output_text", "refusal", "summary_text", "reasoning_text"])},
                optional=dict.fromkeys(("text", "refusal", "annotations", "logprobs"), ANYTHING),
            ),
            max_size=2,
        )
        for name in ("content", "summary")
    },
)
_RESPONSES = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("id", "model", "created_at", "service_tier", "status", "incomplete_details"), ANYTHING)
    | {"output": ANYTHING | st.lists(_ITEMS, max_size=3), "usage": ANYTHING},
)
_EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from([*_KINDS, "error", "response.completed", "response.failed"])},
    optional=dict.fromkeys(_MEMBERS[:-1], ANYTHING) | {"item": _ITEMS, "response": _RESPONSES},
)


@given(st.lists(_EVENTS, max_size=6))
def test_whatever_an_upstream_sends_is_read(events: list[Json]) -> None:
    reader = OpenAIResponses().reader()
    for event in events:
        json.dumps(reader.read("", event))
