"""The table of fields, row by row, against what the code does."""

import re
from typing import Any

import pytest

from gateway.core.errors import Inexpressible
from gateway.wire.openai_anthropic import FIELDS, OpenAIAnthropic
from gateway.wire.translation import How
from tests.values import make_target
from tests.wire.openai_anthropic.validators import check_request

USER = {"role": "user", "content": "Hi"}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**SCHEMA, "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
TOOL_SENT = {"name": "look", "input_schema": SCHEMA}
CUSTOM = {"type": "custom", "custom": {"name": "look"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a":"b"}'}}
CALL_SENT = {"type": "tool_use", "id": "call_1", "name": "look", "input": {"a": "b"}}
REPORT = {"role": "tool", "tool_call_id": "call.1", "content": "seen"}
MARK = {"type": "ephemeral"}
THOUGHT = {"type": "reasoning.text", "text": "Hm", "signature": "s1", "format": "anthropic-claude-v1"}
HI = {"type": "text", "text": "Hi"}


def part(**members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, members]}]}


def asked(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [HI, *blocks]}]}


def answered(**members: Any) -> dict[str, Any]:
    return {"messages": [USER, {"role": "assistant", **members}, USER]}


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    turn = {"role": "user", "content": [HI]}
    return {"messages": [turn, {"role": "assistant", "content": list(blocks)}, turn]}


def formed(kind: str, **members: Any) -> dict[str, Any]:
    return {"response_format": {"type": kind, **members}}


def schema_of(**members: Any) -> dict[str, Any]:
    return formed("json_schema", json_schema={"schema": SCHEMA, **members})


def schema_sent(**members: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": {**CLOSED, **members}}}}


ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOL]}}

# A row's name: what the caller adds, and what is in the body for it where it is kept.
EXAMPLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "model": ({"model": "claude-x"}, {"model": "claude-x"}),
    "messages": ({"messages": [USER, USER]}, {"messages": [{"role": "user", "content": [HI, HI]}]}),
    "stream": ({"stream": True}, {"stream": True}),
    "stream_options": ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
    "max_completion_tokens": ({"max_completion_tokens": 7, "max_tokens": 9}, {"max_tokens": 7}),
    "max_tokens": ({"max_tokens": 9}, {"max_tokens": 9}),
    "temperature": ({"temperature": 1.5}, {"temperature": 1}),
    "top_p": ({"top_p": 0.5}, {"top_p": 0.5}),
    "stop": ({"stop": "END"}, {"stop_sequences": ["END"]}),
    "n": ({"n": 2}, {}),
    "tools": ({"tools": [TOOL]}, {"tools": [TOOL_SENT]}),
    "tool_choice": ({"tools": [TOOL], "tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
    "parallel_tool_calls": (
        {"tools": [TOOL], "parallel_tool_calls": False},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ),
    "functions": ({"functions": [{"name": "look"}]}, {}),
    "function_call": ({"function_call": "auto"}, {}),
    "response_format": (schema_of(name="x"), schema_sent(title="x")),
    "reasoning_effort": (
        {"reasoning_effort": "low", "max_tokens": 9000},
        {"thinking": {"type": "enabled", "budget_tokens": 2048}},
    ),
    "user": ({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
    "safety_identifier": ({"safety_identifier": "u-1"}, {"metadata": {"user_id": "u-1"}}),
    "logprobs": ({"logprobs": True}, {}),
    "top_logprobs": ({"top_logprobs": 2}, {}),
    "logit_bias": ({"logit_bias": {"50256": -100}}, {}),
    "modalities": ({"modalities": ["text", "audio"]}, {}),
    "audio": ({"audio": {"voice": "alloy", "format": "mp3"}}, {}),
    "web_search_options": ({"web_search_options": {}}, {}),
    "moderation": ({"moderation": {"model": "m"}}, {}),
    "frequency_penalty": ({"frequency_penalty": 0.5}, {}),
    "presence_penalty": ({"presence_penalty": 0.5}, {}),
    "seed": ({"seed": 1}, {}),
    "verbosity": ({"verbosity": "low"}, {}),
    "prediction": ({"prediction": {"type": "content", "content": "x"}}, {}),
    "service_tier": ({"service_tier": "flex"}, {}),
    "store": ({"store": True}, {}),
    "metadata": ({"metadata": {"a": "b"}}, {}),
    "prompt_cache_key": ({"prompt_cache_key": "k"}, {}),
    "prompt_cache_options": ({"prompt_cache_options": {"ttl": "30m"}}, {}),
    "prompt_cache_retention": ({"prompt_cache_retention": "24h"}, {}),
    "messages.role": (
        {"messages": [{"role": "developer", "content": "Be"}, USER, {"role": "system", "content": "brief"}]},
        {"system": [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief"}]},
    ),
    "messages.content": ({"messages": [{"role": "user", "content": "Hi"}]}, asked()),
    "messages.content.text": (part(type="text", text="x"), asked({"type": "text", "text": "x"})),
    "messages.content.image_url": (
        part(type="image_url", image_url={"url": PIXEL}),
        asked({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}),
    ),
    "messages.content.image_url.detail": (part(type="image_url", image_url={"url": PIXEL, "detail": "low"}), {}),
    "messages.content.file": (
        part(type="file", file={"file_data": PDF}),
        asked({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}),
    ),
    "messages.content.file.filename": (
        part(type="file", file={"file_data": "https://example.com/a.pdf", "filename": "a.pdf"}),
        asked({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}, "title": "a.pdf"}),
    ),
    "messages.content.file.file_id": (part(type="file", file={"file_id": "file-1"}), {}),
    "messages.content.input_audio": (part(type="input_audio", input_audio={"data": "AA==", "format": "wav"}), {}),
    "messages.content.refusal": (
        answered(content=[{"type": "refusal", "refusal": "No"}]),
        said({"type": "text", "text": "No"}),
    ),
    "messages.content.cache_control": (
        part(type="text", text="x", cache_control={"type": "ephemeral", "ttl": "1h"}),
        asked({"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
    ),
    "messages.content.prompt_cache_breakpoint": (
        part(type="text", text="x", prompt_cache_breakpoint={"mode": "explicit"}),
        asked({"type": "text", "text": "x", "cache_control": MARK}),
    ),
    "messages.cache_control": (
        {"messages": [{**USER, "cache_control": MARK}]},
        {"messages": [{"role": "user", "content": [{**HI, "cache_control": MARK}]}]},
    ),
    "messages.name": ({"messages": [{**USER, "name": "Ann"}]}, {}),
    "messages.refusal": (answered(refusal="No"), said({"type": "text", "text": "No"})),
    "messages.audio": (answered(audio={"id": "audio_1"}), {}),
    "messages.function_call": (answered(function_call={"name": "f", "arguments": "{}"}), {}),
    "messages.tool_calls": (answered(tool_calls=[CALL]), said(CALL_SENT)),
    "messages.tool_calls.custom": (
        answered(tool_calls=[{"id": "1", "type": "custom", "custom": {"name": "f", "input": "x"}}]),
        {},
    ),
    "messages.tool_calls.extra_content": (answered(tool_calls=[{**CALL, "extra_content": {"google": {}}}]), {}),
    "messages.tool_call_id": (
        {"messages": [REPORT]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "call_1",
                            "content": [{"type": "text", "text": "seen"}],
                        }
                    ],
                }
            ]
        },
    ),
    "messages.reasoning_content": (answered(content="Hi", reasoning_content="Hm"), {}),
    "messages.reasoning_details": (
        answered(content="Hi", reasoning_content="Hm", reasoning_details=[THOUGHT]),
        said({"type": "thinking", "thinking": "Hm", "signature": "s1"}, HI),
    ),
    "tools.function": ({"tools": [TOOL]}, {"tools": [TOOL_SENT]}),
    "tools.function.strict": (
        {"tools": [{"type": "function", "function": {**TOOL["function"], "strict": True}}]},
        {"tools": [{"name": "look", "input_schema": CLOSED, "strict": True}]},
    ),
    "tools.custom": ({"tools": [CUSTOM]}, {}),
    "tools.cache_control": (
        {"tools": [{**TOOL, "cache_control": MARK}]},
        {"tools": [{**TOOL_SENT, "cache_control": MARK}]},
    ),
    "tool_choice.allowed_tools": (
        {"tools": [{"type": "function", "function": {"name": "other"}}, TOOL], "tool_choice": ALLOWED},
        {"tools": [TOOL_SENT], "tool_choice": {"type": "any"}},
    ),
    "tool_choice.custom": ({"tools": [TOOL], "tool_choice": CUSTOM}, {}),
    "response_format.text": (formed("text"), {}),
    "response_format.json_object": (
        formed("json_object"),
        {
            "system": [
                {"type": "text", "text": "Answer with one JSON object, with nothing before and nothing after it."}
            ]
        },
    ),
    "response_format.json_schema": (schema_of(), schema_sent()),
    "response_format.json_schema.name": (schema_of(name="Person"), schema_sent(title="Person")),
    "response_format.json_schema.description": (schema_of(description="Who"), schema_sent(description="Who")),
    "response_format.json_schema.strict": (schema_of(strict=True), schema_sent()),
}


@pytest.mark.parametrize("name", sorted({*FIELDS, *EXAMPLES}))
def test_a_field_is_kept_dropped_or_refused_as_the_table_says(name: str) -> None:
    added, expected = EXAMPLES[name]
    chat = {"model": "claude-sonnet-4-5", "messages": [USER], **added}
    target = make_target("claude-sonnet-4-5")
    match FIELDS[name].how:
        case How.REFUSED:
            with pytest.raises(Inexpressible) as refused:
                OpenAIAnthropic().request(chat, target)
            assert re.sub(r"\[\d+\]", "", refused.value.param or "") == name
        case How.DROPPED:
            assert OpenAIAnthropic().request(chat, target).dropped == (name,)
        case How.KEPT:
            sent = OpenAIAnthropic().request(chat, target)
            assert sent.dropped == ()
            assert {key: sent.body.get(key) for key in expected} == expected
            check_request(sent.body)


OPTIONAL = sorted(name for name in FIELDS if "." not in name and name not in ("model", "messages"))


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_field_that_is_null_was_not_asked_for(name: str) -> None:
    chat = {"model": "claude-sonnet-4-5", "messages": [USER]}
    target = make_target("claude-sonnet-4-5")
    assert OpenAIAnthropic().request({**chat, name: None}, target) == OpenAIAnthropic().request(chat, target)


def test_a_field_that_nobody_knows_is_dropped() -> None:
    sent = OpenAIAnthropic().request({"model": "m", "messages": [USER], "wild": 1}, make_target("m"))
    assert sent.dropped == ("wild",)
