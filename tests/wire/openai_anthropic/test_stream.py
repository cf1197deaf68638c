from typing import Any

import pytest

from gateway.core.fault import EmptyFault
from gateway.wire.openai_anthropic import OpenAIAnthropic
from tests.values import make_target
from tests.wire.openai_anthropic.streams import gather, read, sse


def start(**members: Any) -> dict[str, Any]:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7, "output_tokens": 1}
    message = {"id": "msg_1", "model": "claude-x", "role": "assistant", "content": [], "usage": usage, **members}
    return {"type": "message_start", "message": message}


def begin(index: int, kind: str, **members: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **members}}


def delta(index: int, kind: str, **members: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **members}}


def close(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def finish(reason: str | None, **members: Any) -> dict[str, Any]:
    details = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}
    return {"type": "message_delta", "delta": {"stop_reason": reason, **members}, "usage": details}


STOP = {"type": "message_stop"}
PING = {"type": "ping"}
TEXT = [begin(0, "text", text=""), delta(0, "text_delta", text="Hel"), delta(0, "text_delta", text="lo"), close(0)]


def test_a_text_comes_piece_by_piece_and_its_usage_last() -> None:
    chunks, done = read(sse(start(), PING, *TEXT, finish("end_turn"), STOP))
    assert done
    assert [chunk["choices"] for chunk in chunks] == [
        [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
        [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}],
        [{"index": 0, "delta": {"content": "lo"}, "finish_reason": None}],
        [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        [],
    ]
    assert {(chunk["id"], chunk["model"], chunk["object"]) for chunk in chunks} == {
        ("msg_1", "claude-x", "chat.completion.chunk")
    }
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 15,
        "completion_tokens": 9,
        "total_tokens": 24,
        "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }


def test_each_event_is_passed_on_when_it_is_there() -> None:
    reader = OpenAIAnthropic().reader()
    counts = [len(reader.read("", event)) for event in (start(), *TEXT, finish("end_turn"), STOP)]
    assert counts == [1, 0, 1, 1, 0, 1, 1]


def test_parallel_calls_come_by_their_place_among_the_calls() -> None:
    body = sse(
        start(),
        *TEXT,
        begin(1, "tool_use", id="toolu_1", name="look", input={}),
        delta(1, "input_json_delta", partial_json=""),
        delta(1, "input_json_delta", partial_json='{"a"'),
        delta(1, "input_json_delta", partial_json=":1}"),
        close(1),
        begin(2, "tool_use", id="toolu_2", name="stay", input={}),
        delta(2, "input_json_delta", partial_json=""),
        close(2),
        begin(3, "tool_use", id="toolu_3", name="go", input={"b": 2}),
        close(3),
        finish("tool_use"),
        STOP,
    )
    whole = gather(read(body)[0])
    assert whole["calls"] == [["toolu_1", "look", '{"a":1}'], ["toolu_2", "stay", "{}"], ["toolu_3", "go", '{"b":2}']]
    assert whole["finish"] == "tool_calls"


def test_a_thought_comes_in_pieces_the_last_of_which_is_its_signature() -> None:
    body = sse(
        start(),
        begin(0, "thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="H"),
        delta(0, "thinking_delta", thinking="m"),
        delta(0, "signature_delta", signature="s1"),
        close(0),
        begin(1, "redacted_thinking", data="x"),
        close(1),
        begin(2, "thinking", thinking="", signature=""),
        delta(2, "signature_delta", signature="s2"),
        close(2),
        finish("end_turn"),
        STOP,
    )
    whole = gather(read(body)[0])
    assert whole["reasoning"] == "Hm"
    assert whole["details"] == [
        {"type": "reasoning.text", "text": "H", "index": 0},
        {"type": "reasoning.text", "text": "m", "index": 0},
        {"type": "reasoning.text", "text": "", "signature": "s1", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1", "index": 1},
        {"type": "reasoning.text", "text": "", "signature": "s2", "format": "anthropic-claude-v1", "index": 2},
    ]


def test_a_streamed_thought_goes_back_as_it_came() -> None:
    thinking = [delta(0, "thinking_delta", thinking=text) for text in ("H", "m")]
    events = [begin(0, "thinking"), *thinking, delta(0, "signature_delta", signature="s1"), close(0)]
    whole = gather(read(sse(start(), *events, *TEXT, finish("end_turn"), STOP))[0])
    answer = {"role": "assistant", "content": whole["content"], "reasoning_details": whole["details"]}
    question = {"role": "user", "content": "Hi"}
    sent = OpenAIAnthropic().request({"model": "m", "messages": [question, answer, question]}, make_target("m"))
    assert sent.body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "s1"},
        {"type": "text", "text": "Hello"},
    ]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("unheard_of", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
    ],
)
def test_the_reason_to_stop_has_another_name(reason: str, expected: str) -> None:
    assert gather(read(sse(start(), *TEXT, finish(reason), STOP))[0])["finish"] == expected


def test_a_refusal_is_told_with_the_end() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Not this."}
    whole = gather(read(sse(start(), finish("refusal", stop_details=details), STOP))[0])
    assert (whole["finish"], whole["refusal"]) == ("content_filter", "Not this.")


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([begin(5, "server_tool_use", id="s", name="web_search", input={})], id="a server's tool"),
        pytest.param([begin(5, "mcp_tool_use"), delta(5, "input_json_delta", partial_json="{}")], id="its input"),
        pytest.param([begin(5, "web_search_tool_result", content=[{"type": "x"}]), close(5)], id="its result"),
        pytest.param([begin(5, "text"), delta(5, "citations_delta", citation={})], id="a citation"),
        pytest.param([delta(9, "signature_delta", signature="x"), close(9)], id="a block that never began"),
        pytest.param([{"type": "content_block_delta"}, {"type": "content_block_start"}], id="empty events"),
        pytest.param([{"type": "unheard_of", "index": []}], id="an unknown event"),
        pytest.param([{"type": "message_delta"}, finish(None)], id="no reason"),
        pytest.param([{"type": 7}, {}], id="no type"),
        pytest.param([start()], id="the first event again"),
    ],
)
def test_what_is_not_known_is_passed_over(events: list[dict[str, Any]]) -> None:
    reader = OpenAIAnthropic().reader()
    before, after = [start(), *TEXT], [finish("end_turn"), STOP]
    chunks = [chunk for event in [*before, *events, *after] for chunk in reader.read("", event)]
    whole = gather(chunks)
    assert (whole["content"], whole["finish"], whole["calls"], reader.done) == ("Hello", "stop", [], True)


def test_what_begins_with_an_answer_in_it_is_read_too() -> None:
    content = [{"type": "text", "text": "Hi"}, {"type": "tool_use", "id": "t", "name": "look", "input": {"a": 1}}]
    whole = gather(read(sse(start(content=content, stop_reason="tool_use"), STOP))[0])
    assert (whole["content"], whole["calls"], whole["finish"]) == ("Hi", [["t", "look", '{"a":1}']], "tool_calls")
    assert whole["usage"]["completion_tokens"] == 1


@pytest.mark.parametrize(
    ("kind", "message", "code"),
    [
        pytest.param("overloaded_error", "Overloaded", None, id="overloaded"),
        pytest.param("invalid_request_error", "prompt is too long: 9 > 8", "context_length_exceeded", id="too long"),
    ],
)
def test_an_error_ends_the_stream(kind: str, message: str, code: str | None) -> None:
    error = {"type": "error", "error": {"type": kind, "message": message}}
    chunks, done = read(sse(start(), *TEXT, error, finish("end_turn"), STOP))
    assert chunks[-1] == {"error": {"message": message, "type": kind, "param": None, "code": code}}
    assert not done


@pytest.mark.parametrize("error", [None, "busy", {}, {"message": 7, "type": []}, []])
def test_an_error_that_cannot_be_read_is_one_too(error: Any) -> None:
    chunks = OpenAIAnthropic().reader().read("error", {"type": "error", "error": error})
    assert set(chunks[0]["error"]) == {"message", "type", "param", "code"}
    assert chunks[0]["error"]["message"]
    assert chunks[0]["error"]["type"] == "api_error"


def test_another_answer_in_the_middle_of_one_is_an_error() -> None:
    chunks, done = read(sse(start(), *TEXT, start(id="msg_2"), *TEXT, finish("end_turn"), STOP))
    assert chunks[-1]["error"]["type"] == "api_error"
    assert not done


def test_nothing_follows_the_end() -> None:
    chunks, _ = read(sse(start(), *TEXT, finish("end_turn"), STOP, start(id="msg_2"), *TEXT))
    assert gather(chunks)["content"] == "Hello"


def test_a_stream_without_its_end_is_not_whole_but_accounted_for() -> None:
    chunks, done = read(sse(start(), *TEXT, finish("end_turn")))
    assert not done
    assert chunks[-1]["usage"]["total_tokens"] == 24
    chunks, done = read(sse(start(), *TEXT))
    assert not done
    assert gather(chunks)["finish"] is None


def test_an_end_without_a_beginning_is_no_answer() -> None:
    with pytest.raises(EmptyFault):
        OpenAIAnthropic().reader().read("message_stop", STOP)
