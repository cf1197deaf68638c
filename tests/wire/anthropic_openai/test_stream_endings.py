import anthropic
import pytest

from gateway.core.fault import ProtocolFault
from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.events import Json
from tests.wire.anthropic_openai.chunks import USAGE, call, chunk, usage_chunk, written
from tests.wire.anthropic_openai.sdk import accumulated


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        pytest.param("stop", "end_turn", id="stop"),
        pytest.param("length", "max_tokens", id="length"),
        pytest.param("content_filter", "refusal", id="content filter"),
        pytest.param("tool_calls", "end_turn", id="tool calls without one"),
        pytest.param("eos", "end_turn", id="unknown"),
    ],
)
def test_the_finish_reason_becomes_the_stop_reason(finish: str, reason: str) -> None:
    assert accumulated(written(chunk({"content": "a"}), chunk({}, finish))).stop_reason == reason


def test_a_refusal_is_a_stop_reason() -> None:
    assert accumulated(written(chunk({"refusal": "No."}), chunk({}, "stop"))).stop_reason == "refusal"


def test_a_call_with_the_wrong_finish_reason_is_still_a_tool_use() -> None:
    assert accumulated(written(chunk(call(0, "{}", id="c", name="f")), chunk({}, "stop"))).stop_reason == "tool_use"


def test_the_stop_sequence_is_told_where_the_server_tells_it() -> None:
    last = chunk({}, "stop")
    last["choices"][0]["stop_reason"] = "END"
    message = accumulated(written(chunk({"content": "a"}), last, asked={"stop_sequences": ["END"]}))
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([chunk({"content": "a"}), chunk({}, "stop"), usage_chunk()], id="last"),
        pytest.param([chunk({"content": "a"}), chunk({}, "stop", usage=USAGE)], id="with the finish reason"),
        pytest.param([chunk({"content": "a"}, usage=USAGE), chunk({}, "stop", usage=None)], id="with each chunk"),
    ],
)
def test_usage_is_told_in_anthropics_words(chunks: list[Json]) -> None:
    usage = accumulated(written(*chunks)).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (10, 60, 30)
    assert usage.output_tokens == 20
    assert usage.output_tokens_details
    assert usage.output_tokens_details.thinking_tokens == 5


def test_a_piece_is_passed_on_as_soon_as_it_is_there() -> None:
    writer = AnthropicOpenAI().writer({})
    assert [event.name for event in writer.write(chunk({"role": "assistant", "content": ""}))] == ["message_start"]
    assert [event.name for event in writer.write(chunk({"content": "a"}))] == [
        "content_block_start",
        "content_block_delta",
    ]
    assert [event.name for event in writer.write(chunk(call(0, "", id="c", name="f")))] == [
        "content_block_stop",
        "content_block_start",
    ]
    assert [event.name for event in writer.write(chunk(call(0, '{"a"')))] == ["content_block_delta"]
    assert [event.name for event in writer.write(chunk({}, "tool_calls"))] == ["content_block_stop"]
    assert writer.write(usage_chunk()) == []
    assert [event.name for event in writer.end()] == ["message_delta", "message_stop"]
    assert writer.end() == writer.write(chunk({"content": "b"})) == writer.fail({}) == []


def test_azures_first_chunk_has_neither_id_nor_choice_and_is_waited_out() -> None:
    first = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    events = written(first, chunk({"content": "a"}), chunk({}, "stop"))
    assert events[0].data["message"]["id"] == "msg_1"
    assert events[0].data["message"]["model"] == "gpt"


def test_only_the_first_choice_is_told() -> None:
    other = {"index": 1, "delta": {"content": "b"}, "finish_reason": None}
    message = accumulated(written(chunk({"content": "a"}), chunk(choices=[other]), chunk({}, "stop")))
    assert [block.to_dict(exclude_none=True) for block in message.content] == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param({"type": "server_error", "code": "upstream_interrupted"}, "api_error", id="interrupted"),
        pytest.param({"type": "server_error", "code": "upstream_timeout"}, "timeout_error", id="timeout"),
        pytest.param({"type": "server_error", "code": "draining"}, "overloaded_error", id="draining"),
        pytest.param({"type": "rate_limit_error", "code": None}, "rate_limit_error", id="rate limit"),
        pytest.param({"type": "tokens", "code": None}, "rate_limit_error", id="tokens"),
        pytest.param({"type": "overloaded_error", "code": None}, "overloaded_error", id="Anthropic's own"),
        pytest.param({"type": None, "code": 429}, "rate_limit_error", id="a status"),
        pytest.param({"type": "insufficient_quota"}, "billing_error", id="quota"),
        pytest.param({"type": [], "code": {}, "message": 1}, "api_error", id="nonsense"),
    ],
)
def test_an_error_ends_the_stream_and_is_never_a_whole_message(error: Json, kind: str) -> None:
    writer = AnthropicOpenAI().writer({})
    begun = writer.write(chunk({"content": "a"}))
    failed = writer.fail({"message": "It broke.", "param": None, **error})
    assert [event.name for event in failed] == ["error"]
    assert failed[0].data["error"]["type"] == kind
    assert writer.end() == []
    with pytest.raises(anthropic.APIStatusError) as raised:
        accumulated(begun + failed)
    assert isinstance(raised.value.body, dict)
    assert raised.value.body["error"]["type"] == kind


def test_an_error_chunk_is_an_error_event() -> None:
    assert [event.name for event in AnthropicOpenAI().writer({}).write({"error": {"message": "a"}})] == ["error"]


def test_a_call_without_a_name_is_no_answer() -> None:
    with pytest.raises(ProtocolFault):
        written(chunk(call(0, "{}", id="c")), chunk({}, "tool_calls"))
