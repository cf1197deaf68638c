import openai
import pytest

from gateway.wire.responses_openai import ResponsesOpenAI
from tests.wire.responses_openai.examples import CALL, FUNCTION, MODEL
from tests.wire.responses_openai.sdk import (
    USAGE,
    Json,
    check_events,
    check_response,
    chunk,
    client,
    response_of,
    written,
)

_CUSTOM: Json = {"type": "custom", "name": "apply_patch"}


def _call(arguments: str = "", index: int = 0, **more: object) -> Json:
    function = {"arguments": arguments} | ({"name": more.pop("name")} if "name" in more else {})
    return {"tool_calls": [{"index": index, "function": function, **more}]}


_TEXT = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hel"}),
    chunk({"content": "lo"}),
    chunk({}, finish="stop"),
    chunk(usage=USAGE),
]
_CALLS = [
    chunk({"role": "assistant", "content": None, "reasoning_content": "Hm"}),
    chunk({"reasoning_content": "."}),
    chunk(_call("", id="a", name="f")),
    chunk(_call('{"a":')),
    chunk(_call("1}")),
    chunk(_call("{}", 1, id="b", name="g")),
    chunk({}, finish="tool_calls"),
]


def test_a_text_is_said_event_by_event() -> None:
    events = written(_TEXT)
    assert [event.name.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_reasoning_and_calls_are_items_of_their_own() -> None:
    events = written(_CALLS)
    assert [event.name.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    kinds = [(item["type"], item.get("call_id"), item.get("arguments")) for item in response_of(events)["output"]]
    assert kinds == [("reasoning", None, None), ("function_call", "a", '{"a":1}'), ("function_call", "b", "{}")]


def test_a_chunk_is_passed_on_at_once() -> None:
    writer = ResponsesOpenAI().writer(MODEL)
    assert [event.name for event in writer.write(_TEXT[0])] == ["response.created", "response.in_progress"]
    assert writer.write(_TEXT[1])[-1].data["delta"] == "Hel"
    assert writer.write(_TEXT[2])[-1].data["delta"] == "lo"
    assert writer.write(_TEXT[3])[-1].name == "response.output_item.done"
    assert writer.write(_TEXT[4]) == []


def test_the_sdk_puts_the_stream_together() -> None:
    with client(written(_TEXT)).responses.stream(model="m", input="Hi") as stream:
        response = stream.get_final_response()
    assert response.output_text == "Hello"
    assert response.id == "resp_1"
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.input_tokens_details.cached_tokens) == (10, 6)
    assert (response.usage.output_tokens, response.usage.output_tokens_details.reasoning_tokens) == (4, 3)


def test_the_sdk_puts_calls_together() -> None:
    asked = {**MODEL, "tools": [FUNCTION]}
    with client(written(_CALLS, asked)).responses.stream(model="m", input="Hi") as stream:
        response = stream.get_final_response()
    calls = [item for item in response.output if item.type == "function_call"]
    assert [(call.name, call.call_id, call.arguments) for call in calls] == [("f", "a", '{"a":1}'), ("g", "b", "{}")]


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        pytest.param("stop", "completed", None, id="stop"),
        pytest.param("tool_calls", "completed", None, id="calls"),
        pytest.param("length", "incomplete", {"reason": "max_output_tokens"}, id="length"),
        pytest.param("content_filter", "incomplete", {"reason": "content_filter"}, id="safety stop"),
        pytest.param("eos", "completed", None, id="one that nobody knows"),
    ],
)
def test_the_finish_reason_is_the_status(reason: str, status: str, why: object) -> None:
    events = written([chunk({"content": "Hi"}), chunk({}, finish=reason)])
    response = response_of(events)
    assert (response["status"], response["incomplete_details"]) == (status, why)
    assert events[-1].name == f"response.{status}"
    assert response["output"][0]["status"] == status


def test_a_refusal_is_a_part_of_the_message() -> None:
    events = written([chunk({"refusal": "I "}), chunk({"refusal": "won't."}), chunk({}, finish="stop")])
    assert "response.refusal.delta" in [event.name for event in events]
    assert response_of(events)["output"][0]["content"] == [{"type": "refusal", "refusal": "I won't."}]


def test_log_probabilities_go_with_their_text() -> None:
    logprob = {"token": "Hi", "logprob": -0.1, "bytes": None, "top_logprobs": [{"token": "Ho", "logprob": -2.0}]}
    one = chunk({"content": "Hi"})
    one["choices"][0]["logprobs"] = {"content": [logprob]}
    events = written([one, chunk({}, finish="stop")])
    assert [e.data["logprobs"] for e in events if e.name.endswith("text.delta")] == [
        [{"token": "Hi", "logprob": -0.1, "top_logprobs": [{"token": "Ho", "logprob": -2.0}]}]
    ]
    told = response_of(events)["output"][0]["content"][0]["logprobs"][0]
    assert (told["bytes"], told["top_logprobs"][0]["bytes"]) == ([72, 105], [72, 111])


def test_a_custom_tool_gets_its_text_as_it_is_written() -> None:
    fragments = ['{"in', 'put": "*** Be', "gin\\", 'n\\u00e4"', "}"]
    chunks = [chunk(_call(id="a", name="apply_patch")), *(chunk(_call(one)) for one in fragments)]
    events = written([*chunks, chunk({}, finish="tool_calls")], {**MODEL, "tools": [_CUSTOM]})
    deltas = [event.data["delta"] for event in events if event.name == "response.custom_tool_call_input.delta"]
    assert deltas == ["*** Be", "gin", "\nä"]
    item = response_of(events)["output"][0]
    assert (item["type"], item["input"], item["call_id"]) == ("custom_tool_call", "*** Begin\nä", "a")
    with client(events).responses.stream(model="m", input="Hi") as stream:
        assert stream.get_final_response().output[0].type == "custom_tool_call"


def test_a_local_shell_gets_its_command() -> None:
    arguments = '{"command":["ls","-a"],"timeout_ms":5}'
    chunks = [chunk(_call(arguments, id="a", name="local_shell")), chunk({}, finish="tool_calls")]
    item = response_of(written(chunks, {**MODEL, "tools": [{"type": "local_shell"}]}))["output"][0]
    assert item["type"] == "local_shell_call"
    assert item["action"] == {"type": "exec", "env": {}, "command": ["ls", "-a"], "timeout_ms": 5}


def test_a_tool_of_a_namespace_is_called_by_both_its_names() -> None:
    tools = [{"type": "namespace", "name": "mcp__git", "description": "d", "tools": [FUNCTION]}]
    chunks = [chunk(_call("{}", id="a", name="mcp__git__f")), chunk({}, finish="tool_calls")]
    item = response_of(written(chunks, {**MODEL, "tools": tools}))["output"][0]
    assert (item["namespace"], item["name"]) == ("mcp__git", "f")


@pytest.mark.parametrize(
    ("fragments", "calls"),
    [
        pytest.param([_call("{}", id="a", name="f"), _call("{}", id="b", name="f")], ["a", "b"], id="index always 0"),
        pytest.param(
            [_call("{}", 0, id="a", name="f"), _call("{}", 1, id="a", name="f")], ["a", "call_1_1"], id="one id"
        ),
        pytest.param([_call("{}", name="f")], ["call_1_0"], id="no id"),
        pytest.param([_call("{", id="a", name="f"), _call("}", id="a", name="f")], ["a"], id="name repeated"),
        pytest.param([_call("{", id="a"), _call("}", name="f")], ["a"], id="name late"),
        pytest.param([_call("", id="a", name="f")], ["a"], id="no arguments"),
        pytest.param(
            [_call("{", id="a", name="f"), _call("{}", 1, id="b", name="f"), _call("}")], ["a", "b"], id="mixed"
        ),
    ],
)
def test_calls_of_any_upstream_are_told_apart(fragments: list[Json], calls: list[str]) -> None:
    events = written([*(chunk(one) for one in fragments), chunk({}, finish="tool_calls")])
    output = response_of(events)["output"]
    assert [item["call_id"] for item in output] == calls
    assert {item["arguments"] for item in output} == {"{}"}
    with client(events).responses.stream(model="m", input="Hi") as stream:
        stream.get_final_response()


def test_calls_without_an_index_go_by_their_ids() -> None:
    first = {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": '{"a"'}}]}
    second = {"tool_calls": [{"id": "b", "function": {"name": "f", "arguments": {"b": 2}}}]}
    rest = {"tool_calls": [{"id": "a", "function": {"arguments": ":1}"}}]}
    output = response_of(written([chunk(first), chunk(second), chunk(rest), chunk({}, finish="tool_calls")]))["output"]
    assert [item["arguments"] for item in output] == ['{"a":1}', '{"b":2}']


def test_what_a_model_needs_back_makes_the_round() -> None:
    details = [
        {"type": "reasoning.text", "text": "Hm", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.text", "text": "m.", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.text", "signature": "sig", "format": "anthropic-claude-v1", "index": 0},
    ]
    signed: Json = {"extra_content": {"google": {"thought_signature": "thought"}}}
    chunks = [chunk({"reasoning_details": [one]}) for one in details]
    chunks += [chunk(_call("{}", id="c1", name="f", **signed)), chunk({}, finish="tool_calls")]
    output = response_of(written(chunks))["output"]
    assert [item["type"] for item in output] == ["reasoning", "function_call"]

    again = {"model": "m", "input": [{"role": "user", "content": "Hi"}, *output]}
    message = ResponsesOpenAI().request(again).body["messages"][1]
    assert message["reasoning_content"] == "Hmm."
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "Hmm.", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}
    ]
    assert message["tool_calls"][0]["extra_content"] == signed["extra_content"]
    assert message["tool_calls"][0]["id"] == CALL["call_id"]


def test_a_late_signature_still_reaches_its_call() -> None:
    signed: Json = {"extra_content": {"google": {"thought_signature": "late"}}}
    chunks = [chunk({"content": "So:"}), chunk(_call("{}", id="c1", name="f")), chunk(_call("", **signed))]
    output = response_of(written([*chunks, chunk({}, finish="tool_calls")]))["output"]
    messages = ResponsesOpenAI().request({"model": "m", "input": ["Hi", *output][1:]}).body["messages"]
    assert len(messages) == 1
    assert messages[0]["content"] == "So:"
    assert messages[0]["tool_calls"][0]["extra_content"] == signed["extra_content"]


def test_what_openai_encrypted_stays_as_it_is() -> None:
    detail = {"type": "reasoning.encrypted", "data": "gAAAA", "format": "openai-responses-v1"}
    output = response_of(written([chunk({"reasoning_details": [detail]}), chunk({"content": "Hi"}, finish="stop")]))
    item = output["output"][0]
    assert item["encrypted_content"] == "gAAAA"
    messages = ResponsesOpenAI().request({"model": "m", "input": output["output"]}).body["messages"]
    assert messages[0]["reasoning_details"] == [{**detail, "id": item["id"]}]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param({"message": "Gone", "code": "upstream_interrupted"}, "server_error", id="interrupted"),
        pytest.param({"message": "Slow down", "code": "upstream_rate_limited"}, "rate_limit_exceeded", id="rate limit"),
        pytest.param({"message": None, "code": 500, "type": None}, "server_error", id="no words"),
    ],
)
def test_a_stream_that_breaks_says_so_twice(error: Json, code: str) -> None:
    writer = ResponsesOpenAI().writer(MODEL)
    events = writer.write(_TEXT[1]) + writer.fail(error)
    check_events(events)
    assert [event.name for event in events[-2:]] == ["error", "response.failed"]
    assert check_response(response_of(events)).status == "failed"
    assert response_of(events)["error"]["code"] == code
    assert writer.write(_TEXT[2]) + writer.end() + writer.fail(error) == []
    with pytest.raises(openai.APIError), client(events).responses.stream(model="m", input="Hi") as stream:
        stream.until_done()


def test_a_prompt_too_long_is_named_as_codex_knows_it() -> None:
    writer = ResponsesOpenAI().writer(MODEL)
    events = writer.write({"error": {"message": "Too long", "code": "context_length_exceeded"}})
    assert [event.name for event in events[:2]] == ["response.created", "response.in_progress"]
    assert response_of(events)["error"] == {"code": "context_length_exceeded", "message": "Too long"}


def test_an_empty_stream_has_an_empty_answer() -> None:
    assert response_of(written([chunk({"role": "assistant"}), chunk({}, finish="stop")]))["output"] == []


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"choices": None}, id="choices null"),
        pytest.param({"choices": [None]}, id="choice null"),
        pytest.param({"choices": [{"delta": None}]}, id="delta null"),
        pytest.param({"choices": [{"delta": {"tool_calls": [None, {}, {"function": 1}]}}]}, id="calls"),
        pytest.param({"choices": [{"delta": {"content": 1, "reasoning_details": "x", "refusal": []}}]}, id="texts"),
        pytest.param({"choices": [{"delta": {"content": "a"}, "logprobs": {"content": [1, {}]}}]}, id="logprobs"),
        pytest.param({"usage": 3, "service_tier": [], "id": 5, "created": "x", "model": None}, id="head"),
        pytest.param({"usage": {"prompt_tokens": -1, "prompt_tokens_details": 3}}, id="usage"),
    ],
)
def test_a_chunk_of_another_shape_does_no_harm(odd: Json) -> None:
    assert response_of(written([odd, *_TEXT]))["status"] == "completed"
