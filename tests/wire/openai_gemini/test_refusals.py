import re
from typing import Any

import pytest

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter, Refusal
from tests.values import make_target
from tests.wire.openai_gemini.asking import PNG, call, tool, translation


def message(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hi", **fields}]}


def content(*parts: Any, role: str = "user") -> dict[str, Any]:
    return message(content=list(parts), role=role)


def calls(*found: Any) -> dict[str, Any]:
    return message(role="assistant", tool_calls=list(found))


ARGUMENTS = "messages[0].tool_calls[0].function.arguments"
IMAGE_URL = "messages[0].content[0].image_url"

REFUSALS = [
    pytest.param({"messages": None}, MissingParameter, "messages", id="no messages"),
    pytest.param({"messages": "Hi"}, InvalidValue, "messages", id="messages are a text"),
    pytest.param({"messages": []}, InvalidValue, "messages", id="messages are empty"),
    pytest.param({"messages": ["Hi"]}, InvalidValue, "messages[0]", id="message is a text"),
    pytest.param(message(role="narrator"), InvalidValue, "messages[0].role", id="role"),
    pytest.param(message(role="function"), Inexpressible, "messages[0].role", id="role of the old functions"),
    pytest.param(message(content=None), InvalidValue, "messages[0].content", id="content is null"),
    pytest.param(message(content=7), InvalidValue, "messages[0].content", id="content is a number"),
    pytest.param(content("a"), InvalidValue, "messages[0].content[0]", id="part is a text"),
    pytest.param(content({}), InvalidValue, "messages[0].content[0].type", id="part without type"),
    pytest.param(content({"type": "video_url"}), Inexpressible, "messages[0].content[0].type", id="unknown part"),
    pytest.param(
        content({"type": "image_url", "image_url": {"url": PNG}}, role="system"),
        InvalidValue,
        "messages[0].content[0].type",
        id="image in an instruction",
    ),
    pytest.param(content({"type": "text"}), InvalidValue, "messages[0].content[0].text", id="text without text"),
    pytest.param(content({"type": "image_url", "image_url": PNG}), InvalidValue, IMAGE_URL, id="image is a text"),
    *(
        pytest.param(
            content({"type": "image_url", "image_url": {"url": url}}), InvalidValue, f"{IMAGE_URL}.url", id=url
        )
        for url in ("data:image/png,aGk=", "data:;base64,aGk=", "data:image/png;base64,", "file:///a", "http://[", "x")
    ),
    pytest.param(
        content({"type": "input_audio", "input_audio": {"format": "exe", "data": "a"}}),
        InvalidValue,
        "messages[0].content[0].input_audio.format",
        id="audio format",
    ),
    pytest.param(calls("f"), InvalidValue, "messages[0].tool_calls[0]", id="call is a text"),
    pytest.param(calls(call("", "1")), InvalidValue, "messages[0].tool_calls[0].function.name", id="call without name"),
    pytest.param(calls(call("f", "")), InvalidValue, "messages[0].tool_calls[0].id", id="call without id"),
    pytest.param(calls(call("f", "1", "{")), InvalidValue, ARGUMENTS, id="arguments are cut"),
    pytest.param(calls(call("f", "1", "[]")), InvalidValue, ARGUMENTS, id="arguments are a list"),
    pytest.param(calls(call("f", "1", '{"a":' + "[" * 70 + "]" * 70 + "}")), InvalidValue, ARGUMENTS, id="too deep"),
    pytest.param(calls(call("f", "1", '{"a":' * 90_000)), InvalidValue, ARGUMENTS, id="far too deep"),
    pytest.param(
        calls(call("f", "1", extra_content={"google": {"thought_signature": 7}})),
        InvalidValue,
        "messages[0].tool_calls[0].extra_content.google.thought_signature",
        id="signature is a number",
    ),
    pytest.param(message(role="tool", tool_call_id="1"), InvalidValue, "messages[0].tool_call_id", id="no such call"),
    pytest.param({"temperature": 2.5}, InvalidValue, "temperature", id="temperature"),
    pytest.param({"temperature": True}, InvalidValue, "temperature", id="temperature is a flag"),
    pytest.param({"top_p": "1"}, InvalidValue, "top_p", id="top_p"),
    pytest.param({"max_tokens": 0}, InvalidValue, "max_tokens", id="max_tokens"),
    pytest.param({"seed": 1.5}, InvalidValue, "seed", id="seed"),
    pytest.param({"n": 9}, Inexpressible, "n", id="too many choices"),
    pytest.param({"stop": ["a"] * 6}, Inexpressible, "stop", id="too many stops"),
    pytest.param({"stop": [1]}, InvalidValue, "stop[0]", id="stop is a number"),
    pytest.param({"top_logprobs": 21}, InvalidValue, "top_logprobs", id="top_logprobs"),
    pytest.param({"modalities": ["text", "audio"]}, Inexpressible, "modalities[1]", id="spoken answer"),
    pytest.param({"reasoning_effort": "hard"}, InvalidValue, "reasoning_effort", id="reasoning_effort"),
    pytest.param({"response_format": "json"}, InvalidValue, "response_format", id="format is a text"),
    pytest.param({"response_format": {"type": "grammar"}}, Inexpressible, "response_format.type", id="grammar"),
    pytest.param(
        {"response_format": {"type": "json_schema"}}, InvalidValue, "response_format.json_schema", id="no schema"
    ),
    pytest.param({"tools": {}}, InvalidValue, "tools", id="tools are an object"),
    pytest.param({"tools": [{"type": "web_search"}]}, Inexpressible, "tools[0].type", id="a tool of the provider's"),
    pytest.param({"tools": [tool("f", parameters=[])]}, InvalidValue, "tools[0].function.parameters", id="parameters"),
    pytest.param({"tool_choice": "required"}, InvalidValue, "tool_choice", id="nothing to choose from"),
    pytest.param({"tools": [tool("f")], "tool_choice": tool("g")}, InvalidValue, "tool_choice", id="no such tool"),
    pytest.param({"tools": [tool("f")], "tool_choice": "any"}, InvalidValue, "tool_choice", id="no such choice"),
]


@pytest.mark.parametrize(("asked", "refusal", "param"), REFUSALS)
def test_a_refusal_names_the_path(asked: dict[str, Any], refusal: type[Refusal], param: str) -> None:
    with pytest.raises(Refusal) as caught:
        translation.request({"messages": [{"role": "user", "content": "Hi"}], **asked}, make_target("gemini-2.5-pro"))
    assert (type(caught.value), caught.value.param) == (refusal, param)
    told = caught.value.message
    assert told == refusal.message or re.fullmatch(rf"`{re.escape(param)}` must be [a-z0-9 .-]+\.", told)
