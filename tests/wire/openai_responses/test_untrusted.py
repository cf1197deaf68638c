"""Whatever a caller sends, it is translated or refused by the path of what is wrong."""

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter, Refusal
from gateway.wire.openai_responses import OpenAIResponses
from tests.wire.openai_responses.cases import ANYTHING, PIXEL, SQL, TARGET, USER, WEATHER, Json, chat


@pytest.mark.parametrize(
    ("asked", "refusal", "param"),
    [
        pytest.param({"model": "m"}, MissingParameter, "messages", id="no messages"),
        pytest.param({"messages": []}, InvalidValue, "messages", id="none"),
        pytest.param({"messages": "Hello"}, InvalidValue, "messages", id="a text"),
        pytest.param(chat(USER, 7), InvalidValue, "messages[1]", id="a number for a message"),  # type: ignore[arg-type]
        pytest.param(chat({"content": "x"}), MissingParameter, "messages[0].role", id="no role"),
        pytest.param(chat({"role": "robot"}), InvalidValue, "messages[0].role", id="another role"),
        pytest.param(chat({"role": "function"}), Inexpressible, "messages[0].role", id="a deprecated role"),
        pytest.param(chat({"role": "user"}), MissingParameter, "messages[0].content", id="no content"),
        pytest.param(chat({"role": "user", "content": 1}), InvalidValue, "messages[0].content", id="a number said"),
        pytest.param(
            chat({"role": "user", "content": [{"type": "text"}]}),
            MissingParameter,
            "messages[0].content[0].text",
            id="a part without text",
        ),
        pytest.param(
            chat({"role": "user", "content": [{"type": "video"}]}),
            InvalidValue,
            "messages[0].content[0].type",
            id="another part",
        ),
        pytest.param(
            chat({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}),
            MissingParameter,
            "messages[0].content[0].image_url.url",
            id="an image of nothing",
        ),
        pytest.param(
            chat({"role": "user", "content": [{"type": "file", "file": {}}]}),
            MissingParameter,
            "messages[0].content[0].file.file_data",
            id="a file of nothing",
        ),
        pytest.param(
            chat({"role": "assistant", "tool_calls": [{"id": "a", "function": {"arguments": {}, "name": "f"}}]}),
            InvalidValue,
            "messages[0].tool_calls[0].function.arguments",
            id="arguments that are no text",
        ),
        pytest.param(
            chat({"role": "tool", "content": "x"}), MissingParameter, "messages[0].tool_call_id", id="whose result?"
        ),
        pytest.param(
            chat({"role": "assistant", "reasoning_details": [{"format": "openai-responses-v1", "type": "x"}]}),
            InvalidValue,
            "messages[0].reasoning_details[0].type",
            id="another detail",
        ),
        pytest.param(chat(tools={}), InvalidValue, "tools", id="tools are no list"),
        pytest.param(chat(tools=[{"type": "mcp"}]), InvalidValue, "tools[0].type", id="another tool"),
        pytest.param(
            chat(tools=[{"type": "function", "function": {}}]),
            MissingParameter,
            "tools[0].function.name",
            id="nameless",
        ),
        pytest.param(chat(tool_choice=3), InvalidValue, "tool_choice", id="a number chosen"),
        pytest.param(chat(tool_choice={"type": "x"}), InvalidValue, "tool_choice.type", id="another choice"),
        pytest.param(
            chat(response_format={"type": "json_schema"}),
            MissingParameter,
            "response_format.json_schema",
            id="no schema",
        ),
        pytest.param(chat(max_tokens=True), InvalidValue, "max_tokens", id="a boolean for a number"),
        pytest.param(chat(max_tokens=-1), InvalidValue, "max_tokens", id="less than nothing"),
        pytest.param(chat(reasoning_effort=3), InvalidValue, "reasoning_effort", id="a number for an effort"),
        pytest.param(chat(n=2), Inexpressible, "n", id="two answers"),
        pytest.param(chat(stop="\n"), Inexpressible, "stop", id="a stop sequence"),
    ],
)
def test_what_can_t_be_read_or_said_is_refused_by_its_path(asked: Json, refusal: type[Refusal], param: str) -> None:
    with pytest.raises(refusal) as refused:
        OpenAIResponses().request(asked, TARGET)
    assert refused.value.param == param


_VALID = chat(
    {"role": "system", "content": [{"type": "text", "text": "x"}]},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
            {"type": "file", "file": {"file_data": "x", "filename": "a.pdf"}},
        ],
    },
    {
        "role": "assistant",
        "content": [{"type": "text", "text": "x"}, {"type": "refusal", "refusal": "x"}],
        "reasoning_content": "x",
        "reasoning_details": [
            {"type": "reasoning.encrypted", "format": "openai-responses-v1", "id": "rs", "data": "x", "summary": ["x"]},
            {"type": "reasoning.text", "format": "openai-responses-v1", "text": "x"},
        ],
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "custom", "custom": {"name": "f", "input": "x"}},
        ],
    },
    {"role": "tool", "tool_call_id": "a", "content": "x"},
    {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "x"}]},
    tools=[WEATHER, SQL],
    tool_choice={
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "weather"}}]},
    },
    response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {}, "strict": True}},
    web_search_options={"user_location": {"type": "approximate", "approximate": {"city": "Rome"}}},
    stream=True,
    stream_options={"include_usage": True},
    logprobs=True,
    reasoning_effort="low",
    verbosity="low",
    max_tokens=100,
)

_NAMES = sorted(name for name in _VALID if name != "model")


def _translated_or_refused(asked: Json) -> None:
    before = copy.deepcopy(asked)
    with contextlib.suppress(Refusal):
        json.dumps(OpenAIResponses().request(asked, TARGET).body)
    assert asked == before


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every member and element inside, as a container and a key."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


def test_the_example_is_valid() -> None:
    OpenAIResponses().request(_VALID, TARGET)


@given(st.data())
def test_a_valid_request_with_anything_anywhere_is_translated_or_refused(data: st.DataObject) -> None:
    asked = copy.deepcopy(_VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        places = _places(asked)
        holder, key = places[data.draw(st.integers(0, len(places) - 1))]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = data.draw(ANYTHING)
    _translated_or_refused(asked)


@given(st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=5), ANYTHING, max_size=5))
def test_any_object_is_translated_or_refused(asked: Json) -> None:
    _translated_or_refused(asked)
