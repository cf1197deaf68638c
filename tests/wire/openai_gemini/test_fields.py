"""The table, row by row: each has an example that is kept, dropped or refused as it says."""

from typing import Any

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from gateway.core.errors import Inexpressible
from gateway.wire.openai_gemini import FIELDS
from gateway.wire.translation import How
from tests.values import make_target
from tests.wire.openai_gemini.asking import PNG, SCHEMA, SIGNED, call, tool, translation

TEXT = {"type": "text", "text": "Hi"}
MARK = {"type": "ephemeral"}
TOOLS = [tool("f")]
CALLED = [{"role": "assistant", "tool_calls": [call("f", "1")]}]


def said(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hi"} | fields]}


def answered(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", **fields}]}


def part(kind: str, **fields: Any) -> dict[str, Any]:
    return said(content=[TEXT, {"type": kind, kind: fields}])


def shape(**fields: Any) -> dict[str, Any]:
    inner = {"name": "a", "schema": SCHEMA, **fields}
    return {"response_format": {"type": "json_schema", "json_schema": inner}}


def signed(**fields: Any) -> list[dict[str, Any]]:
    return [{"format": "google-gemini-v1", "type": "reasoning.encrypted", "data": "c2ln", **fields}]


# The text is what of the example has to be found in what is sent, or the param of the refusal.
EXAMPLES: dict[str, tuple[dict[str, Any], str]] = {
    "model": ({"model": "gemini-2.5-pro"}, "contents"),
    "stream": ({"stream": True}, "contents"),
    "stream_options": ({"stream": True, "stream_options": {"include_usage": True}}, "contents"),
    "messages": (said(), "'text': 'Hi'"),
    "messages.role": (said(role="developer"), "'user'"),
    "messages.content": (said(content="Hello"), "Hello"),
    "messages.content.text": (said(content=[TEXT]), "Hi"),
    "messages.content.refusal": (answered(content=[{"type": "refusal", "refusal": "No."}]), "No."),
    "messages.content.image_url": (part("image_url", url=PNG), "image/png"),
    "messages.content.image_url.detail": (part("image_url", url=PNG, detail="low"), ""),
    "messages.content.input_audio": (part("input_audio", format="wav", data="aGk="), "audio/wav"),
    "messages.content.file.file_data": (part("file", file_data="data:application/pdf;base64,aGk="), "application/pdf"),
    "messages.content.file.filename": (part("file", file_data="https://example.com/a.pdf", filename="a.pdf"), ""),
    "messages.content.file.file_id": (part("file", file_id="file-1"), "messages[0].content[1].file.file_id"),
    "messages.content.cache_control": (said(content=[TEXT | {"cache_control": MARK}]), ""),
    "messages.content.prompt_cache_breakpoint": (said(content=[TEXT | {"prompt_cache_breakpoint": {}}]), ""),
    "messages.name": (said(name="Ann"), ""),
    "messages.cache_control": (said(cache_control=MARK), ""),
    "messages.refusal": (answered(content=None, refusal="No."), "No."),
    "messages.audio": (answered(audio={"id": "1"}), "messages[1].audio"),
    "messages.function_call": (answered(function_call={"name": "f"}), "messages[1].function_call"),
    "messages.reasoning_content": (answered(content="a", reasoning_content="Hm."), ""),
    "messages.reasoning_details": (answered(content="a", reasoning_details=signed()), "c2ln"),
    "messages.tool_calls": (answered(tool_calls=[call("f", "1")]), "functionCall"),
    "messages.tool_calls.function": (answered(tool_calls=[call("f", "1", '{"a": 5}')]), "'args': {'a': 5}"),
    "messages.tool_calls.custom": (answered(tool_calls=[{"custom": {}}]), "messages[1].tool_calls[0].custom"),
    "messages.tool_calls.extra_content": (answered(tool_calls=[call("f", "1", extra_content=SIGNED)]), "c2ln"),
    "messages.tool_call_id": ({"messages": [*CALLED, {"role": "tool", "tool_call_id": "1", "content": "A"}]}, "'A'"),
    "max_tokens": ({"max_tokens": 17}, "'maxOutputTokens': 17"),
    "max_completion_tokens": ({"max_completion_tokens": 17}, "'maxOutputTokens': 17"),
    "temperature": ({"temperature": 0.5}, "'temperature': 0.5"),
    "top_p": ({"top_p": 0.5}, "'topP': 0.5"),
    "top_k": ({"top_k": 5}, "'topK': 5"),
    "n": ({"n": 2}, "'candidateCount': 2"),
    "stop": ({"stop": "x"}, "'stopSequences': ['x']"),
    "seed": ({"seed": 2**40 + 1}, "'seed': 1"),
    "presence_penalty": ({"presence_penalty": 2}, "'presencePenalty': 1.99"),
    "frequency_penalty": ({"frequency_penalty": 1}, "'frequencyPenalty': 1"),
    "logprobs": ({"logprobs": True}, "'responseLogprobs': True"),
    "top_logprobs": ({"logprobs": True, "top_logprobs": 2}, "'logprobs': 2"),
    "modalities": ({"modalities": ["text"]}, "contents"),
    "tools": ({"tools": TOOLS}, "functionDeclarations"),
    "tools.function.name": ({"tools": TOOLS}, "'name': 'f'"),
    "tools.function.description": ({"tools": [tool("f", description="It.")]}, "It."),
    "tools.function.parameters": ({"tools": [tool("f", parameters=SCHEMA)]}, f"'parametersJsonSchema': {SCHEMA}"),
    "tools.function.strict": ({"tools": [tool("f", strict=True)]}, ""),
    "tools.cache_control": ({"tools": [tool("f") | {"cache_control": MARK}]}, ""),
    "tools.custom": ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].custom"),
    "tool_choice": ({"tools": TOOLS, "tool_choice": "required"}, "'mode': 'ANY'"),
    "tool_choice.function": ({"tools": TOOLS, "tool_choice": tool("f")}, "'allowedFunctionNames': ['f']"),
    "tool_choice.allowed_tools": (
        {
            "tools": TOOLS,
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": TOOLS}},
        },
        "'allowedFunctionNames': ['f']",
    ),
    "tool_choice.custom": (
        {"tools": TOOLS, "tool_choice": {"type": "custom", "custom": {"name": "f"}}},
        "tool_choice.custom",
    ),
    "response_format": ({"response_format": {"type": "json_object"}}, "application/json"),
    "response_format.json_schema.schema": (shape(), f"'responseJsonSchema': {SCHEMA}"),
    "response_format.json_schema.strict": (shape(strict=True), "'responseJsonSchema'"),
    "response_format.json_schema.name": (shape(), ""),
    "response_format.json_schema.description": (shape(description="It."), ""),
    "reasoning_effort": ({"reasoning_effort": "low"}, "'thinkingBudget': 1024"),
    "parallel_tool_calls": ({"tools": TOOLS, "parallel_tool_calls": False}, ""),
    "metadata": ({"metadata": {"a": "b"}}, ""),
    "store": ({"store": True}, ""),
    "user": ({"user": "a"}, ""),
    "safety_identifier": ({"safety_identifier": "a"}, ""),
    "prompt_cache_key": ({"prompt_cache_key": "a"}, ""),
    "prompt_cache_options": ({"prompt_cache_options": {}}, ""),
    "prompt_cache_retention": ({"prompt_cache_retention": "24h"}, ""),
    "prediction": ({"prediction": {"type": "content", "content": "a"}}, ""),
    "service_tier": ({"service_tier": "flex"}, ""),
    "verbosity": ({"verbosity": "low"}, ""),
    "functions": ({"functions": [{"name": "f"}]}, "functions"),
    "function_call": ({"function_call": "auto"}, "function_call"),
    "logit_bias": ({"logit_bias": {"50256": -100}}, "logit_bias"),
    "audio": ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    "moderation": ({"moderation": {"model": "a"}}, "moderation"),
    "web_search_options": ({"web_search_options": {}}, "web_search_options"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_kept_dropped_or_refused_as_the_table_says(name: str) -> None:
    example, expected = EXAMPLES[name]
    asked, target = said() | example, make_target("gemini-2.5-flash")
    if FIELDS[name].how is How.REFUSED:
        with pytest.raises(Inexpressible) as caught:
            translation.request(asked, target)
        assert caught.value.param == expected
        return
    sent = translation.request(asked, target)
    assert (name in sent.dropped) == (FIELDS[name].how is How.DROPPED)
    assert expected in str(sent.body)


def test_every_example_is_of_a_row() -> None:
    assert EXAMPLES.keys() == FIELDS.keys()


def test_every_field_that_openai_documents_is_in_the_table() -> None:
    assert CompletionCreateParamsBase.__annotations__.keys() | {"stream"} <= FIELDS.keys()


def test_a_field_that_the_table_does_not_know_is_listed() -> None:
    chat = said() | {"mirostat": 1, "Odd name!": 1, "min_p": None}
    assert translation.request(chat, make_target("gemini-2.5-flash")).dropped == ("mirostat",)
