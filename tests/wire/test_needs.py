"""What a request needs of a model, by its bytes alone."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import NO_NEEDS, Capability, Endpoint
from gateway.wire.needs import read_needs
from tests.wire.steady import steady

CHAT, RESPONSES, MESSAGES = Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES
TOOLS, VISION, AUDIO = Capability.TOOLS, Capability.VISION, Capability.AUDIO
JSON_SCHEMA, REASONING = Capability.JSON_SCHEMA, Capability.REASONING
SCHEMA = {"type": "json_schema", "schema": {"type": "object"}}
MARKS = [
    '"image_url"',
    '"input_audio"',
    '"audio"',
    '"json_schema"',
    '"input_image"',
    '"effort"',
    '"image"',
    '"enabled"',
    '"adaptive"',
]


def said(**part: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}]}


def needs(endpoint: Endpoint, fields: dict[str, Any]) -> frozenset[Capability]:
    """Written with and without blanks: clients do both."""
    found = {
        read_needs(
            endpoint, {name: msgspec.Raw(json.dumps(value, indent=indent).encode()) for name, value in fields.items()}
        )
        for indent in (None, 2)
    }
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize(
    ("endpoint", "fields", "found"),
    [
        pytest.param(CHAT, {"tools": [{"type": "function"}]}, {TOOLS}, id="chat: tools"),
        pytest.param(CHAT, {"functions": [{"name": "f"}]}, {TOOLS}, id="chat: functions"),
        pytest.param(CHAT, said(type="image_url", image_url={"url": "data:"}), {VISION}, id="chat: image"),
        pytest.param(CHAT, said(type="input_audio", input_audio={}), {AUDIO}, id="chat: audio in"),
        pytest.param(CHAT, {"modalities": ["text", "audio"]}, {AUDIO}, id="chat: audio out"),
        pytest.param(CHAT, {"response_format": SCHEMA}, {JSON_SCHEMA}, id="chat: schema"),
        pytest.param(CHAT, {"reasoning_effort": "low"}, {REASONING}, id="chat: effort"),
        pytest.param(
            CHAT,
            {"tools": [{}], "reasoning_effort": "low", **said(type="image_url")},
            {TOOLS, REASONING, VISION},
            id="chat: several",
        ),
        pytest.param(RESPONSES, {"tools": [{"type": "function"}]}, {TOOLS}, id="responses: tools"),
        pytest.param(RESPONSES, {"input": [{"content": [{"type": "input_image"}]}]}, {VISION}, id="responses: image"),
        pytest.param(RESPONSES, {"input": [{"content": [{"type": "input_audio"}]}]}, {AUDIO}, id="responses: audio"),
        pytest.param(RESPONSES, {"text": {"format": SCHEMA}}, {JSON_SCHEMA}, id="responses: schema"),
        pytest.param(RESPONSES, {"reasoning": {"effort": "low"}}, {REASONING}, id="responses: effort"),
        pytest.param(MESSAGES, {"tools": [{"name": "f"}]}, {TOOLS}, id="messages: tools"),
        pytest.param(MESSAGES, said(type="image", source={}), {VISION}, id="messages: image"),
        pytest.param(MESSAGES, {"output_config": {"format": SCHEMA}}, {JSON_SCHEMA}, id="messages: schema"),
        pytest.param(MESSAGES, {"output_format": SCHEMA}, {JSON_SCHEMA}, id="messages: schema, as it was"),
        pytest.param(
            MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 9}}, {REASONING}, id="messages: thinks"
        ),
    ],
)
def test_a_request_needs_what_it_asks_for(endpoint: Endpoint, fields: dict[str, Any], found: set[Capability]) -> None:
    assert needs(endpoint, fields) == found


@pytest.mark.parametrize(
    ("endpoint", "fields"),
    [
        pytest.param(CHAT, {"messages": [{"role": "user", "content": "Hi"}]}, id="chat: text"),
        pytest.param(CHAT, {"tools": None, "functions": None, "reasoning_effort": None}, id="chat: null"),
        pytest.param(CHAT, {"tools": []}, id="chat: no tools"),
        pytest.param(CHAT, {"reasoning_effort": "none"}, id="chat: no effort"),
        pytest.param(CHAT, {"modalities": ["text"]}, id="chat: text out"),
        pytest.param(CHAT, {"response_format": {"type": "json_object"}}, id="chat: JSON without a schema"),
        pytest.param(RESPONSES, {"input": "Hi", "text": {"format": {"type": "text"}}}, id="responses: text"),
        pytest.param(RESPONSES, {"reasoning": {"summary": "auto"}}, id="responses: only a summary"),
        pytest.param(RESPONSES, {"reasoning": {}}, id="responses: nothing about reasoning"),
        pytest.param(MESSAGES, {"thinking": {"type": "disabled"}}, id="messages: thinking is off"),
        pytest.param(MESSAGES, {"thinking": {"type": "adaptive"}}, id="messages: it may think, or not"),
        pytest.param(MESSAGES, {"output_config": {"effort": "low"}}, id="messages: only an effort"),
        pytest.param(Endpoint.EMBEDDINGS, {"tools": [{}]}, id="embeddings"),
        pytest.param(Endpoint.COUNT_TOKENS, {"tools": [{}], **said(type="image")}, id="count_tokens"),
    ],
)
def test_a_request_that_asks_for_nothing_needs_nothing(endpoint: Endpoint, fields: dict[str, Any]) -> None:
    assert needs(endpoint, fields) is NO_NEEDS


texts = st.lists(st.sampled_from([*MARKS, "\\", '"', "\\\\", " ", "[{", "}]", ":"]) | st.text(max_size=3)).map("".join)


@steady
@given(texts, st.booleans())
@pytest.mark.parametrize("endpoint", [CHAT, MESSAGES])
def test_no_text_in_a_message_is_taken_for_a_part(endpoint: Endpoint, text: str, is_ascii: bool) -> None:
    said_ = {
        "messages": [{"role": "user", "content": text}, {"role": "user", "content": [{"type": "text", "text": text}]}]
    }
    raw = json.dumps(said_["messages"], ensure_ascii=is_ascii, separators=(",", ":")).encode(errors="replace")
    assert read_needs(endpoint, {"messages": msgspec.Raw(raw)}) is NO_NEEDS


@steady
@given(texts)
def test_nor_one_in_an_input(text: str) -> None:
    raw = json.dumps([{"role": "user", "content": [{"type": "input_text", "text": text}]}]).encode()
    assert read_needs(RESPONSES, {"input": msgspec.Raw(raw)}) is NO_NEEDS
    assert read_needs(RESPONSES, {"input": msgspec.Raw(json.dumps(text).encode())}) is NO_NEEDS


@pytest.mark.parametrize("word", [mark.strip('"') for mark in MARKS])
@pytest.mark.parametrize("endpoint", [CHAT, MESSAGES])
def test_a_text_that_is_the_name_of_a_part_is_none(endpoint: Endpoint, word: str) -> None:
    used = {"type": "tool_use", "id": "t", "name": word, "input": {word: word}}
    messages = [{"role": "user", "content": word}, {"role": "assistant", "content": [used]}]
    assert needs(endpoint, {"messages": messages}) is NO_NEEDS
    assert needs(RESPONSES, {"input": [{"role": "user", "content": word}]}) is NO_NEEDS


@pytest.mark.parametrize("effort", [None, "none"])
def test_no_effort_is_no_need(effort: str | None) -> None:
    assert needs(RESPONSES, {"reasoning": {"effort": effort, "summary": "auto"}}) is NO_NEEDS
