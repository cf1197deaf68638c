from typing import Any

import pytest

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter, Refusal
from tests.wire.openai_anthropic.chats import assistant, call, result, send, tool, user


def a_part(**members: Any) -> dict[str, Any]:
    return {"messages": [user([members])]}


def an_image(url: Any) -> dict[str, Any]:
    return a_part(type="image_url", image_url={"url": url})


@pytest.mark.parametrize(
    ("fields", "refusal", "param"),
    [
        pytest.param({"messages": None}, MissingParameter, "messages", id="no messages"),
        pytest.param({"messages": []}, InvalidValue, "messages", id="none at all"),
        pytest.param({"messages": [user(" ")]}, InvalidValue, "messages", id="nothing said"),
        pytest.param({"messages": [1]}, InvalidValue, "messages[0]", id="no message"),
        pytest.param({"messages": [{"content": "x"}]}, InvalidValue, "messages[0].role", id="no role"),
        pytest.param({"messages": [{"role": "x"}]}, InvalidValue, "messages[0].role", id="unknown role"),
        pytest.param({"messages": [{"role": "function"}]}, Inexpressible, "messages[0].role", id="a function's"),
        pytest.param({"messages": [user(None)]}, InvalidValue, "messages[0].content", id="no content"),
        pytest.param({"messages": [user([{}])]}, InvalidValue, "messages[0].content[0].type", id="no type"),
        pytest.param(a_part(type="video_url"), Inexpressible, "messages[0].content[0].type", id="a video"),
        pytest.param(
            {"messages": [{"role": "system", "content": [{"type": "image_url"}]}]},
            Inexpressible,
            "messages[0].content[0].type",
            id="an instruction in pictures",
        ),
        pytest.param(an_image("x"), InvalidValue, "messages[0].content[0].image_url.url", id="no URL"),
        pytest.param(
            an_image("data:image/png,x"), InvalidValue, "messages[0].content[0].image_url.url", id="not base64"
        ),
        pytest.param(
            an_image("data:image/tiff;base64,AA=="), Inexpressible, "messages[0].content[0].image_url.url", id="TIFF"
        ),
        pytest.param(
            a_part(type="file", file={"file_data": "data:text/plain;base64,?"}),
            InvalidValue,
            "messages[0].content[0].file.file_data",
            id="no text",
        ),
        pytest.param(
            a_part(type="file", file={"file_data": "data:application/zip;base64,AA=="}),
            Inexpressible,
            "messages[0].content[0].file.file_data",
            id="an archive",
        ),
        pytest.param(
            a_part(type="text", text="x", cache_control={"type": "x"}),
            InvalidValue,
            "messages[0].content[0].cache_control.type",
            id="a wrong mark",
        ),
        pytest.param(
            {"messages": [result(1) | {"tool_call_id": ""}]}, InvalidValue, "messages[0].tool_call_id", id="id"
        ),
        pytest.param(
            {"messages": [assistant(tool_calls=[call(1) | {"id": None}])]},
            InvalidValue,
            "messages[0].tool_calls[0].id",
            id="a call without an id",
        ),
        pytest.param({"max_tokens": 0}, InvalidValue, "max_tokens", id="no tokens"),
        pytest.param({"max_tokens": True}, InvalidValue, "max_tokens", id="true tokens"),
        pytest.param({"temperature": 2.5}, InvalidValue, "temperature", id="too hot"),
        pytest.param({"stop": "\n"}, Inexpressible, "stop", id="a line's end"),
        pytest.param({"stop": [1]}, InvalidValue, "stop", id="a number"),
        pytest.param({"tools": [{"type": "web_search"}]}, Inexpressible, "tools[0].type", id="another's tool"),
        pytest.param({"tools": [tool("")]}, InvalidValue, "tools[0].function.name", id="no name"),
        pytest.param({"tool_choice": "required"}, InvalidValue, "tool_choice", id="required of none"),
        pytest.param({"tool_choice": tool()}, InvalidValue, "tool_choice.function.name", id="not there"),
        pytest.param({"tool_choice": {"type": "x"}}, InvalidValue, "tool_choice.type", id="unknown choice"),
        pytest.param({"reasoning_effort": "much"}, InvalidValue, "reasoning_effort", id="unknown effort"),
        pytest.param({"response_format": {"type": "grammar"}}, Inexpressible, "response_format.type", id="a grammar"),
        pytest.param(
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            InvalidValue,
            "response_format.json_schema.schema",
            id="no schema",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(fields: Any, refusal: type[Refusal], param: str) -> None:
    with pytest.raises(refusal) as refused:
        send(**fields)
    assert refused.value.param == param
