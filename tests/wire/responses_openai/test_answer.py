import pytest

from gateway.core.fault import ProtocolFault
from gateway.wire.responses_openai import FIELDS, ResponsesOpenAI
from gateway.wire.translation import How
from tests.wire.responses_openai.examples import EXAMPLES, FUNCTION, MODEL
from tests.wire.responses_openai.sdk import USAGE, Json, check_response


def _chat(message: Json, finish: str = "stop", **more: object) -> Json:
    choices = [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "remote",
        "choices": choices,
        **more,
    }


def test_a_plain_answer_is_a_response() -> None:
    asked = {**MODEL, "instructions": "Be brief.", "tools": [FUNCTION], "temperature": 0.5, "metadata": {"a": "b"}}
    response = ResponsesOpenAI().answer(_chat({"content": "Hello"}, usage=USAGE), {**asked, "store": True})
    parsed = check_response(response)
    assert parsed.output_text == "Hello"
    assert (parsed.id, parsed.created_at, parsed.model, parsed.status) == ("resp_1", 7, "remote", "completed")
    assert (parsed.instructions, parsed.temperature, parsed.metadata) == ("Be brief.", 0.5, {"a": "b"})
    assert parsed.tools[0].type == "function"
    assert response["store"] is False
    assert response["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 1},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 14,
    }


def test_an_answer_of_every_kind_has_an_item_for_each() -> None:
    calls = [{"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in ("a", "b")]
    message = {"content": "So:", "reasoning_content": "Hm.", "tool_calls": calls}
    output = ResponsesOpenAI().answer(_chat(message, "tool_calls"), MODEL)["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call", "function_call"]
    assert [item["id"] for item in output] == ["rs_1_0", "msg_1_1", "fc_1_2", "fc_1_3"]
    assert output[0]["summary"] == [{"type": "summary_text", "text": "Hm."}]


def test_an_answer_without_ids_gets_counted_ones() -> None:
    chat = _chat({"tool_calls": [{"function": {"name": "f", "arguments": ""}}]}, "tool_calls", id=None)
    response = ResponsesOpenAI().answer(chat, MODEL)
    item = response["output"][0]
    assert (response["id"], item["id"], item["call_id"], item["arguments"]) == ("resp_0", "fc_0_0", "call_0_0", "{}")


@pytest.mark.parametrize(
    "chat",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"choices": []}, id="no choice"),
        pytest.param({"choices": [{"message": None}]}, id="no message"),
        pytest.param({"choices": "x"}, id="another type"),
    ],
)
def test_what_is_no_answer_is_a_fault(chat: Json) -> None:
    with pytest.raises(ProtocolFault):
        ResponsesOpenAI().answer(chat, MODEL)


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.how is not How.REFUSED])
def test_the_settings_of_any_request_can_be_echoed(name: str) -> None:
    check_response(ResponsesOpenAI().answer(_chat({"content": "Hi"}), EXAMPLES[name]))
