from typing import Any

import pytest

from gateway.core.fault import EmptyFault, Fault, ProtocolFault
from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.events import Json
from tests.wire.anthropic_openai.asked import assistant, messages, user
from tests.wire.anthropic_openai.chunks import USAGE
from tests.wire.anthropic_openai.sdk import is_message

SIGNED = {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "format": "anthropic-claude-v1"}


def completion(message: Json, finish: str = "stop", **more: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt", "choices": [choice], "usage": USAGE} | more


def answered(message: Json, finish: str = "stop", **more: Any) -> Json:
    answer = AnthropicOpenAI().answer(completion(message, finish, **more), {"model": "asked"})
    is_message(answer)
    return answer


def calling(arguments: object, **more: Any) -> Json:
    return {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}} | more


def tool(given: Json, id: str = "c1") -> Json:  # noqa: A002
    return {"type": "tool_use", "id": id, "name": "f", "input": given}


def test_a_plain_answer_in_full() -> None:
    assert answered({"content": "Hello"}) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "gpt",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 30,
            "cache_read_input_tokens": 60,
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 5},
        },
    }


@pytest.mark.parametrize(
    ("message", "content"),
    [
        pytest.param({"content": None}, [], id="nothing"),
        pytest.param({"content": [{"type": "text", "text": "a"}]}, [{"type": "text", "text": "a"}], id="parts"),
        pytest.param({"content": None, "refusal": "No."}, [{"type": "text", "text": "No."}], id="refusal"),
        pytest.param(
            {"content": "a", "reasoning_content": "Hm."},
            [{"type": "thinking", "thinking": "Hm.", "signature": ""}, {"type": "text", "text": "a"}],
            id="reasoning",
        ),
        pytest.param(
            {"reasoning_content": "Hm.", "reasoning_details": [SIGNED]},
            [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}],
            id="reasoning with a signature",
        ),
        pytest.param(
            {"reasoning_content": "Hm.", "reasoning_details": [SIGNED | {"text": ""}]},
            [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}],
            id="the signature alone",
        ),
        pytest.param(
            {"reasoning_content": "Hm.Ho.", "reasoning_details": [SIGNED, SIGNED | {"text": "Ho."}]},
            [{"type": "thinking", "thinking": text, "signature": "c2ln"} for text in ("Hm.", "Ho.")],
            id="two with signatures",
        ),
        pytest.param(
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "ZW5j", "format": None}]},
            [{"type": "redacted_thinking", "data": "unknown::ZW5j"}],
            id="opaque, nobody's",
        ),
        pytest.param(
            {"content": "a", "tool_calls": [calling('{"a": 1}')]},
            [{"type": "text", "text": "a"}, tool({"a": 1})],
            id="tool call",
        ),
        pytest.param({"tool_calls": [calling("")]}, [tool({})], id="no arguments"),
        pytest.param({"tool_calls": [calling("null")]}, [tool({})], id="null for arguments"),
        pytest.param({"tool_calls": [calling({"a": 1})]}, [tool({"a": 1})], id="arguments as an object"),
        pytest.param(
            {"tool_calls": [calling('{"a":')]}, [tool({"invalid_arguments": '{"a":'})], id="half the arguments"
        ),
        pytest.param({"tool_calls": [calling("[1]")]}, [tool({"invalid_arguments": "[1]"})], id="a list for arguments"),
        pytest.param({"tool_calls": [calling("{}", id=None)]}, [tool({}, "toolu_1_0")], id="no id"),
        pytest.param({"tool_calls": None, "content": "a"}, [{"type": "text", "text": "a"}], id="null for calls"),
        pytest.param(
            {"tool_calls": [calling("{}", extra_content={"google": {"thought_signature": "Z29v"}})]},
            [{"type": "redacted_thinking", "data": "google-thought-signature::Z29v"}, tool({})],
            id="thought signature",
        ),
    ],
)
def test_a_message_becomes_blocks(message: Json, content: list[Json]) -> None:
    assert answered(message)["content"] == content


@pytest.mark.parametrize(
    ("message", "finish", "reason"),
    [
        pytest.param({"content": "a"}, "stop", "end_turn", id="stop"),
        pytest.param({"content": "a"}, "length", "max_tokens", id="length"),
        pytest.param({"tool_calls": [calling("{")]}, "length", "max_tokens", id="length in a call"),
        pytest.param({"content": ""}, "content_filter", "refusal", id="content filter"),
        pytest.param({"refusal": "No."}, "stop", "refusal", id="refusal"),
        pytest.param({"tool_calls": [calling("{}")]}, "tool_calls", "tool_use", id="tool calls"),
        pytest.param({"tool_calls": [calling("{}")]}, "stop", "tool_use", id="stop after tool calls"),
        pytest.param({"content": "a"}, "tool_calls", "end_turn", id="tool calls without one"),
    ],
)
def test_a_finish_reason_becomes_a_stop_reason(message: Json, finish: str, reason: str) -> None:
    assert answered(message, finish)["stop_reason"] == reason


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        pytest.param({"prompt_tokens": 7, "completion_tokens": 2}, (7, 0, 0, 2), id="plain"),
        pytest.param(
            {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}}, (0, 0, 7, 0), id="too many cached"
        ),
        pytest.param(None, (0, 0, 0, 0), id="none"),
        pytest.param(
            {"prompt_tokens": "7", "completion_tokens": -1, "prompt_tokens_details": []}, (0, 0, 0, 0), id="nonsense"
        ),
    ],
)
def test_usage_is_told_in_anthropics_words(usage: object, counts: tuple[int, ...]) -> None:
    told = answered({"content": "a"}, usage=usage)["usage"]
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    assert tuple(told[name] for name in names) == counts


@pytest.mark.parametrize(
    ("chat", "fault"),
    [
        pytest.param({}, ProtocolFault, id="nothing"),
        pytest.param({"choices": []}, EmptyFault, id="no choices"),
        pytest.param({"choices": [1]}, ProtocolFault, id="no choice"),
        pytest.param({"choices": [{"message": None}]}, ProtocolFault, id="no message"),
        pytest.param(completion({"tool_calls": [1]}), ProtocolFault, id="no call"),
        pytest.param(completion({"tool_calls": [{"function": {"arguments": "{}"}}]}), ProtocolFault, id="no name"),
    ],
)
def test_what_is_no_answer_is_a_fault(chat: Json, fault: type[Fault]) -> None:
    with pytest.raises(fault):
        AnthropicOpenAI().answer(chat, {})


@pytest.mark.parametrize(
    ("given", "name"),
    [
        pytest.param("chatcmpl-AbC", "msg_AbC", id="OpenAI's"),
        pytest.param("msg_01", "msg_01", id="Anthropic's"),
        pytest.param("a b/c:d" + "x" * 90, "msg_abcd" + "x" * 60, id="long, with other characters"),
        pytest.param(None, "msg_", id="none"),
        pytest.param(7, "msg_", id="a number"),
    ],
)
def test_the_id_is_made_from_the_providers(given: object, name: str) -> None:
    assert answered({"content": "a"}, id=given)["id"] == name


def test_the_model_is_the_one_that_answered_or_else_the_one_that_was_asked() -> None:
    assert answered({"content": "a"}, model=None)["model"] == "asked"


def test_reasoning_and_signatures_come_back_with_the_next_turn() -> None:
    whose = {"format": "openai-responses-v1", "id": "rs_1"}
    said: Json = {
        "content": "a",
        "reasoning_content": "Hm.\n\nHo.",
        "reasoning_details": [
            SIGNED,
            {"type": "reasoning.text", "text": "Ho.", **whose},
            {"type": "reasoning.encrypted", "data": "ZW5j", **whose},
        ],
        "tool_calls": [calling('{"a":1}', extra_content={"google": {"thought_signature": "Z29v"}})],
    }
    answer = answered(said, "tool_calls")
    assert messages(user("Hi"), assistant(*answer["content"]), user("Ho"))[1] == {"role": "assistant", **said}
