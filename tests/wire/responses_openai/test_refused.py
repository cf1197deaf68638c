import pytest

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter, Refusal
from gateway.wire.responses_openai import ResponsesOpenAI
from gateway.wire.responses_openai.reasoning import MARK
from tests.wire.responses_openai.examples import FUNCTION, IMAGE, MODEL, Json


@pytest.mark.parametrize(
    ("body", "error", "param"),
    [
        pytest.param({"model": "m"}, MissingParameter, "input", id="no input"),
        pytest.param({"input": "Hi"}, MissingParameter, "model", id="no model"),
        pytest.param({**MODEL, "input": []}, InvalidValue, "input", id="empty input"),
        pytest.param({**MODEL, "input": 5}, InvalidValue, "input", id="input of a wrong type"),
        pytest.param({**MODEL, "input": ["Hi"]}, InvalidValue, "input[0]", id="item of a wrong type"),
        pytest.param(
            {**MODEL, "input": [{"role": "user"}]}, MissingParameter, "input[0].content", id="message without content"
        ),
        pytest.param({**MODEL, "input": [{"role": "tool", "content": ""}]}, InvalidValue, "input[0].role", id="role"),
        pytest.param(
            {**MODEL, "input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            MissingParameter,
            "input[0].content[0].image_url",
            id="image without URL",
        ),
        pytest.param(
            {**MODEL, "input": [{"role": "user", "content": [{"type": "hologram"}]}]},
            Inexpressible,
            "input[0].content[0]",
            id="a part that nobody knows",
        ),
        pytest.param(
            {**MODEL, "input": [{"role": "assistant", "content": [{"type": "input_image", "image_url": IMAGE}]}]},
            InvalidValue,
            "input[0].content",
            id="image of an assistant",
        ),
        pytest.param({**MODEL, "input": [{"id": "msg_1"}]}, Inexpressible, "input[0]", id="a bare reference"),
        pytest.param({**MODEL, "input": [{"type": "new"}]}, Inexpressible, "input[0]", id="an item that nobody knows"),
        pytest.param(
            {**MODEL, "input": [{"type": "reasoning", "encrypted_content": MARK + "e30x"}]},
            InvalidValue,
            "input[0].encrypted_content",
            id="a broken seal",
        ),
        pytest.param({**MODEL, "tools": {}}, InvalidValue, "tools", id="tools of a wrong type"),
        pytest.param({**MODEL, "tools": [{"type": "function"}]}, MissingParameter, "tools[0].name", id="no name"),
        pytest.param({**MODEL, "tools": [FUNCTION, {"type": "new"}]}, Inexpressible, "tools[1]", id="tool unknown"),
        pytest.param({**MODEL, "tool_choice": "required"}, InvalidValue, "tool_choice", id="nothing to choose from"),
        pytest.param(
            {**MODEL, "tools": [{"type": "web_search"}], "tool_choice": "required"},
            Inexpressible,
            "tool_choice",
            id="only a dropped tool to choose from",
        ),
        pytest.param(
            {**MODEL, "tools": [FUNCTION], "tool_choice": {"type": "file_search"}},
            Inexpressible,
            "tool_choice",
            id="a hosted tool chosen",
        ),
        pytest.param({**MODEL, "temperature": 3}, InvalidValue, "temperature", id="too hot"),
        pytest.param({**MODEL, "max_output_tokens": 1.5}, InvalidValue, "max_output_tokens", id="half a token"),
        pytest.param({**MODEL, "top_logprobs": True}, InvalidValue, "top_logprobs", id="a flag for a number"),
        pytest.param({**MODEL, "reasoning": {"effort": "huge"}}, InvalidValue, "reasoning.effort", id="effort"),
        pytest.param({**MODEL, "text": {"format": {"type": "xml"}}}, InvalidValue, "text.format.type", id="format"),
        pytest.param({**MODEL, "include": [1]}, InvalidValue, "include", id="include"),
        pytest.param({**MODEL, "stream": "yes"}, InvalidValue, "stream", id="stream"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(body: Json, error: type[Refusal], param: str) -> None:
    with pytest.raises(error) as caught:
        ResponsesOpenAI().request(body)
    assert caught.value.param == param
