"""The table, row by row: what it says of a field is what becomes of it."""

import json
from typing import Any

import pytest

from gateway.core.errors import Inexpressible
from gateway.wire.openai_responses import FIELDS, OpenAIResponses
from gateway.wire.translation import How
from tests.wire.openai_responses.cases import PIXEL, SQL, TARGET, USER, WEATHER, Json, chat

_CACHE = {"type": "ephemeral"}
_CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def _part(**part: Any) -> Json:
    return chat({"role": "user", "content": [part]})


def _by_assistant(**members: Any) -> Json:
    return chat(USER, {"role": "assistant", "content": "x", **members})


def _detail(form: str) -> Json:
    return {"type": "reasoning.encrypted", "format": form, "data": "MARK"}


# (a request with the field, what of it is in what is sent, or, if it is dropped, is not)
_EXAMPLES: dict[str, tuple[Json, str]] = {
    "model": (chat(), '"model": "gpt-5"'),
    "messages": (chat(), "Hello"),
    "messages.role": (chat({"role": "developer", "content": "x"}), '"role": "developer"'),
    "messages.content": (chat(), '"content": "Hello"'),
    "messages.content.text": (_part(type="text", text="MARK"), "MARK"),
    "messages.content.image_url": (_part(type="image_url", image_url={"url": PIXEL}), PIXEL),
    "messages.content.file": (_part(type="file", file={"file_data": "MARK"}), "MARK"),
    "messages.content.refusal": (_by_assistant(content=[{"type": "refusal", "refusal": "MARK"}]), "MARK"),
    "messages.content.input_audio": (_part(type="input_audio", input_audio={"data": "", "format": "wav"}), ""),
    "messages.content.prompt_cache_breakpoint": (
        _part(type="text", text="x", prompt_cache_breakpoint={"mode": "explicit"}),
        '"prompt_cache_breakpoint": {"mode": "explicit"}',
    ),
    "messages.content.cache_control": (_part(type="text", text="x", cache_control=_CACHE), "ephemeral"),
    "messages.cache_control": (chat({**USER, "cache_control": _CACHE}), "ephemeral"),
    "messages.name": (chat({**USER, "name": "Ann"}), "Ann"),
    "messages.refusal": (_by_assistant(refusal="MARK"), "MARK"),
    "messages.tool_calls": (_by_assistant(tool_calls=[_CALL]), '"type": "function_call"'),
    "messages.tool_calls.extra_content": (
        _by_assistant(tool_calls=[{**_CALL, "extra_content": {"google": {}}}]),
        "google",
    ),
    "messages.tool_call_id": (chat({"role": "tool", "tool_call_id": "MARK", "content": ""}), '"call_id": "MARK"'),
    "messages.reasoning_details": (_by_assistant(reasoning_details=[_detail("openai-responses-v1")]), "MARK"),
    "messages.reasoning_content": (_by_assistant(reasoning_content="MARK"), "MARK"),
    "messages.annotations": (_by_assistant(annotations=[{"type": "url_citation"}]), "url_citation"),
    "messages.audio": (_by_assistant(audio={"id": "a"}), ""),
    "messages.function_call": (_by_assistant(function_call={"name": "f", "arguments": ""}), ""),
    "tools": (chat(tools=[WEATHER]), '"name": "weather"'),
    "tools.function": (chat(tools=[WEATHER]), '"strict": true'),
    "tools.custom": (chat(tools=[SQL]), '"syntax": "lark"'),
    "tools.cache_control": (chat(tools=[{**WEATHER, "cache_control": _CACHE}]), "ephemeral"),
    "tool_choice": (chat(tool_choice="auto"), '"tool_choice": "auto"'),
    "parallel_tool_calls": (chat(parallel_tool_calls=False), '"parallel_tool_calls": false'),
    "functions": (chat(functions=[{"name": "f"}]), ""),
    "function_call": (chat(function_call="auto"), ""),
    "response_format": (chat(response_format={"type": "json_object"}), '"format": {"type": "json_object"}'),
    "verbosity": (chat(verbosity="low"), '"text": {"verbosity": "low"}'),
    "max_completion_tokens": (chat(max_completion_tokens=99), '"max_output_tokens": 99'),
    "max_tokens": (chat(max_tokens=99), '"max_output_tokens": 99'),
    "reasoning_effort": (chat(reasoning_effort="low"), '"reasoning": {"effort": "low"'),
    "temperature": (chat(temperature=0.1), '"temperature": 0.1'),
    "top_p": (chat(top_p=0.1), '"top_p": 0.1'),
    "logprobs": (chat(logprobs=True), "message.output_text.logprobs"),
    "top_logprobs": (chat(top_logprobs=2), '"top_logprobs": 2'),
    "stream": (chat(stream=True), '"stream": true'),
    "stream_options": (chat(stream=True, stream_options={"include_obfuscation": False}), "include_obfuscation"),
    "metadata": (chat(metadata={"a": "b"}), '"metadata": {"a": "b"}'),
    "user": (chat(user="u"), '"user": "u"'),
    "safety_identifier": (chat(safety_identifier="u"), '"safety_identifier": "u"'),
    "prompt_cache_key": (chat(prompt_cache_key="u"), '"prompt_cache_key": "u"'),
    "prompt_cache_options": (chat(prompt_cache_options={"ttl": "30m"}), '"prompt_cache_options": {"ttl": "30m"}'),
    "prompt_cache_retention": (chat(prompt_cache_retention="24h"), '"prompt_cache_retention": "24h"'),
    "service_tier": (chat(service_tier="flex"), '"service_tier": "flex"'),
    "web_search_options": (chat(web_search_options={}), '"type": "web_search"'),
    "store": (chat(store=True), '"store": true'),
    "frequency_penalty": (chat(frequency_penalty=1), "frequency_penalty"),
    "presence_penalty": (chat(presence_penalty=1), "presence_penalty"),
    "seed": (chat(seed=1), "seed"),
    "prediction": (chat(prediction={"type": "content", "content": "x"}), "prediction"),
    "stop": (chat(stop=["x"]), ""),
    "n": (chat(n=2), ""),
    "logit_bias": (chat(logit_bias={"1": -100}), ""),
    "modalities": (chat(modalities=["text", "audio"]), ""),
    "audio": (chat(audio={"voice": "alloy", "format": "wav"}), ""),
    "moderation": (chat(moderation={"model": "m"}), ""),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_kept_dropped_or_refused_as_the_table_says(name: str) -> None:
    asked, mark = _EXAMPLES[name]
    if FIELDS[name].how is How.REFUSED:
        with pytest.raises(Inexpressible) as refused:
            OpenAIResponses().request(asked, TARGET)
        assert (refused.value.param or "").endswith(name.rpartition(".")[2])
        return
    body, dropped = OpenAIResponses().request(asked, TARGET)
    assert dropped == ((name,) if FIELDS[name].how is How.DROPPED else ())
    assert (mark in json.dumps(body)) is (FIELDS[name].how is How.KEPT)


def test_reasoning_of_another_provider_and_unknown_fields_are_dropped_and_listed() -> None:
    message = {"role": "assistant", "content": "x", "reasoning_details": [_detail("other")], "weight": 1}
    asked = chat(USER, message, top_k=3, **{"not a name": 1})
    body, dropped = OpenAIResponses().request(asked, TARGET)
    assert dropped == ("top_k", "messages.reasoning_details", "messages.weight")
    assert "MARK" not in json.dumps(body)
