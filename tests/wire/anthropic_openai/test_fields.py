"""Each row of the table, by an example."""

import json

import pytest

from gateway.core.errors import Inexpressible
from gateway.wire.anthropic_openai import FIELDS, AnthropicOpenAI
from gateway.wire.events import Json
from gateway.wire.translation import How
from tests.wire.anthropic_openai.asked import (
    CACHE,
    PNG,
    SCHEMA,
    TOOL,
    assistant,
    request,
    result,
    said,
    sent,
    use,
    user,
)

PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "cGRm"}}
NOTE = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a note"}}
FOUND = {"type": "search_result", "title": "a title", "source": "a source", "content": [said("a finding")]}
THOUGHT = {"type": "thinking", "thinking": "a thought", "signature": "c2ln"}
OPAQUE = {"type": "redacted_thinking", "data": "ZW5j"}
REFERENCE = {"type": "tool_reference", "tool_name": "found_tool"}
SUMMARY = {"type": "compaction", "content": "a summary"}
BUDGET = {"type": "enabled", "budget_tokens": 9000}
FORM = {"type": "json_schema", "schema": SCHEMA}
CACHED = '"cache_control"'


def of_user(block: Json) -> Json:
    return request(user(said("Hi"), block))


def of_assistant(block: Json) -> Json:
    return request(user("Hi"), assistant(said("Well."), block), user("Ho"))


def of_tool(**more: object) -> Json:
    return request(tools=[TOOL | more])


def answering(**more: object) -> Json:
    return request(user("Hi"), assistant(use()), user(result(content="done") | more))


# A request with the field, and for one that is kept, what of it is in the chat request.
EXAMPLES: dict[str, tuple[Json, str]] = {
    "model": (request(model="a model"), '"model": "a model"'),
    "messages": (request(user("a word")), "a word"),
    "messages.role": (request(user("Hi"), assistant(said("Ho"))), '"role": "assistant"'),
    "messages.content": (request(user("a word")), "a word"),
    "max_tokens": (request(max_tokens=77), '"max_completion_tokens": 77'),
    "system": (request(system="a rule"), '"role": "system", "content": "a rule"'),
    "stop_sequences": (request(stop_sequences=["END"]), '"stop": ["END"]'),
    "stream": (request(stream=True), '"stream": true'),
    "temperature": (request(temperature=0.3), '"temperature": 0.3'),
    "top_p": (request(top_p=0.4), '"top_p": 0.4'),
    "top_k": (request(top_k=5), ""),
    "metadata": (request(metadata={"user_id": "u-1"}), '"user": "u-1"'),
    "metadata.user_id": (request(metadata={"user_id": "u-1"}), '"user": "u-1"'),
    "tools": (request(tools=[TOOL]), '"tools"'),
    "tool_choice": (request(tools=[TOOL], tool_choice={"type": "any"}), '"tool_choice": "required"'),
    "tool_choice.type": (request(tools=[TOOL], tool_choice={"type": "any"}), '"required"'),
    "tool_choice.name": (request(tools=[TOOL], tool_choice={"type": "tool", "name": "f"}), '"function": {"name": "f"}'),
    "tool_choice.disable_parallel_tool_use": (
        request(tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
        '"parallel_tool_calls": false',
    ),
    "thinking": (request(thinking=BUDGET), '"reasoning_effort": "medium"'),
    "thinking.type": (request(thinking=BUDGET), '"reasoning_effort"'),
    "thinking.budget_tokens": (request(thinking=BUDGET), '"medium"'),
    "thinking.display": (request(thinking=BUDGET | {"display": "omitted"}), ""),
    "output_config": (request(output_config={"effort": "low"}), '"reasoning_effort": "low"'),
    "output_config.effort": (request(output_config={"effort": "low"}), '"reasoning_effort": "low"'),
    "output_config.format": (request(output_config={"format": FORM}), '"response_format"'),
    "output_config.task_budget": (request(output_config={"task_budget": {"type": "tokens", "total": 20000}}), ""),
    "output_format": (request(output_format=FORM), '"response_format"'),
    "cache_control": (request(cache_control=CACHE), CACHED),
    "service_tier": (request(service_tier="auto"), ""),
    "speed": (request(speed="fast"), ""),
    "inference_geo": (request(inference_geo="eu"), ""),
    "container": (request(container="c"), ""),
    "context_management": (request(context_management={"edits": [{"type": "clear_tool_uses_20250919"}]}), ""),
    "compaction": (request(compaction={"type": "x"}), ""),
    "thread": (request(thread={"type": "create"}), ""),
    "mcp_servers": (request(mcp_servers=[{"type": "url", "url": "https://a", "name": "a"}]), ""),
    "betas": (request(betas=["b"]), ""),
    "diagnostics": (request(diagnostics={"previous_message_id": "msg_1"}), ""),
    "fallbacks": (request(fallbacks=[{"model": "n"}]), ""),
    "fallback_credit_token": (request(fallback_credit_token="t"), ""),
    "billing_policy": (request(billing_policy={"type": "billing_policy"}), ""),
    "user_profile_id": (request(user_profile_id="u"), ""),
    "workspace_id": (request(workspace_id="w"), ""),
    "messages.content.text": (of_user(said("a word")), "a word"),
    "messages.content.text.text": (of_user(said("a word")), "a word"),
    "messages.content.text.cache_control": (of_user(said("a", cache_control=CACHE)), CACHED),
    "messages.content.text.citations": (of_user(said("a", citations=[{"type": "char_location"}])), ""),
    "messages.content.image": (of_user(PNG), '"image_url"'),
    "messages.content.image.source": (of_user(PNG), "data:image/png;base64,aW1n"),
    "messages.content.image.source.file": (of_user({"type": "image", "source": {"type": "file", "file_id": "f"}}), ""),
    "messages.content.image.cache_control": (of_user(PNG | {"cache_control": CACHE}), CACHED),
    "messages.content.image.transformations": (of_user(PNG | {"transformations": {"a": "b"}}), ""),
    "messages.content.document": (of_user(PDF), '"type": "file"'),
    "messages.content.document.source": (of_user(PDF), "data:application/pdf;base64,cGRm"),
    "messages.content.document.source.url": (
        of_user({"type": "document", "source": {"type": "url", "url": "https://a/b.pdf"}}),
        '"file_data": "https://a/b.pdf"',
    ),
    "messages.content.document.source.file": (
        of_user({"type": "document", "source": {"type": "file", "file_id": "f"}}),
        "",
    ),
    "messages.content.document.title": (of_user(PDF | {"title": "a title"}), '"filename": "a title"'),
    "messages.content.document.context": (of_user(NOTE | {"context": "a context"}), "a context"),
    "messages.content.document.citations": (of_user(NOTE | {"citations": {"enabled": True}}), ""),
    "messages.content.document.cache_control": (of_user(NOTE | {"cache_control": CACHE}), CACHED),
    "messages.content.search_result": (of_user(FOUND), "a finding"),
    "messages.content.search_result.title": (of_user(FOUND), "a title"),
    "messages.content.search_result.source": (of_user(FOUND), "a source"),
    "messages.content.search_result.content": (of_user(FOUND), "a finding"),
    "messages.content.search_result.citations": (of_user(FOUND | {"citations": {"enabled": True}}), ""),
    "messages.content.search_result.cache_control": (of_user(FOUND | {"cache_control": CACHE}), CACHED),
    "messages.content.thinking": (of_assistant(THOUGHT), '"reasoning_content": "a thought"'),
    "messages.content.thinking.thinking": (of_assistant(THOUGHT), '"reasoning_content": "a thought"'),
    "messages.content.thinking.signature": (of_assistant(THOUGHT), '"signature": "c2ln"'),
    "messages.content.redacted_thinking": (of_assistant(OPAQUE), '"reasoning.encrypted"'),
    "messages.content.redacted_thinking.data": (of_assistant(OPAQUE), '"data": "ZW5j"'),
    "messages.content.tool_use": (of_assistant(use("t7")), '"tool_calls"'),
    "messages.content.tool_use.id": (of_assistant(use("t7")), '"id": "t7"'),
    "messages.content.tool_use.name": (of_assistant(use(name="a_tool")), '"name": "a_tool"'),
    "messages.content.tool_use.input": (of_assistant(use(input={"b": 3})), '"arguments": "{\\"b\\":3}"'),
    "messages.content.tool_use.cache_control": (of_assistant(use(cache_control=CACHE)), CACHED),
    "messages.content.tool_use.caller": (of_assistant(use(caller={"type": "direct"})), ""),
    "messages.content.tool_use.toolset_name": (of_assistant(use(toolset_name="computer")), ""),
    "messages.content.tool_result": (answering(), '"role": "tool"'),
    "messages.content.tool_result.tool_use_id": (answering(), '"tool_call_id": "t1"'),
    "messages.content.tool_result.content": (answering(), "done"),
    "messages.content.tool_result.is_error": (answering(is_error=True), "Error: done"),
    "messages.content.tool_result.cache_control": (answering(cache_control=CACHE), CACHED),
    "messages.content.tool_result.toolset_name": (answering(toolset_name="computer"), ""),
    "messages.content.tool_reference": (answering(content=[REFERENCE]), "found_tool"),
    "messages.content.tool_reference.tool_name": (answering(content=[REFERENCE]), "found_tool"),
    "messages.content.tool_reference.cache_control": (
        answering(content=[REFERENCE | {"cache_control": CACHE}]),
        CACHED,
    ),
    "messages.content.browser_state": (answering(content=[{"type": "browser_state"}]), ""),
    "messages.content.compaction": (of_assistant(SUMMARY), "a summary"),
    "messages.content.compaction.content": (of_assistant(SUMMARY), "a summary"),
    "messages.content.compaction.cache_control": (of_assistant(SUMMARY | {"cache_control": CACHE}), CACHED),
    "messages.content.compaction.encrypted_content": (of_assistant(SUMMARY | {"encrypted_content": "e"}), ""),
    "messages.content.compaction.signature": (of_assistant(SUMMARY | {"signature": "s"}), ""),
    "messages.content.compaction.tool_changes": (of_assistant(SUMMARY | {"tool_changes": [{}]}), ""),
    "messages.content.container_upload": (of_user({"type": "container_upload", "file_id": "f"}), ""),
    "messages.content.tool_addition": (request({"role": "system", "content": [{"type": "tool_addition"}]}), ""),
    "messages.content.tool_removal": (request({"role": "system", "content": [{"type": "tool_removal"}]}), ""),
    **{
        name: (
            of_assistant({"type": name.removeprefix("messages.content."), "id": "s", "input": {}, "content": []}),
            "",
        )
        for name, field in FIELDS.items()
        if "past turn" in field.note
    },
    "tools.type": (of_tool(type="custom"), '"type": "function"'),
    "tools.name": (of_tool(name="a_tool"), '"name": "a_tool"'),
    "tools.description": (of_tool(description="a description"), "a description"),
    "tools.input_schema": (of_tool(input_schema={"type": "object", "title": "a schema"}), "a schema"),
    "tools.strict": (of_tool(strict=True), '"strict": true'),
    "tools.cache_control": (of_tool(cache_control=CACHE), CACHED),
    "tools.defer_loading": (of_tool(defer_loading=True), ""),
    "tools.allowed_callers": (of_tool(allowed_callers=["direct"]), ""),
    "tools.eager_input_streaming": (of_tool(eager_input_streaming=True), ""),
    "tools.input_examples": (of_tool(input_examples=[{"a": 1}]), ""),
    **{
        f"tools.{kind.rpartition('_')[0] if kind[-8:].isdigit() else kind}": (
            request(tools=[TOOL, {"type": kind, "name": "t"}]),
            "",
        )
        for kind in (
            "tool_search_tool_bm25_20251119",
            "tool_search_tool_regex",
            "web_search_20250305",
            "web_fetch_20250910",
            "code_execution_20250825",
            "advisor_20260301",
            "mcp_toolset",
            "bash_20250124",
            "text_editor_20250728",
            "memory_20250818",
            "computer_20251124",
            "computer_toolset_20260801",
            "browser_toolset_20260801",
        )
    },
}


def test_each_row_has_an_example_and_each_example_a_row() -> None:
    assert set(EXAMPLES) == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_kept_dropped_or_refused_as_the_table_says(name: str) -> None:
    body, mark = EXAMPLES[name]
    if FIELDS[name].how is How.REFUSED:
        with pytest.raises(Inexpressible) as raised:
            AnthropicOpenAI().request(body)
        assert raised.value.param
        return
    made = sent(body)
    if FIELDS[name].how is How.DROPPED:
        assert made.dropped == (name,)
    else:
        assert made.dropped == ()
        assert mark
        assert mark in json.dumps(made.body)


def test_a_field_that_nobody_knows_is_dropped_and_listed() -> None:
    block = said("Hi", novelty=1, **{"not a name": 1})
    assert sent(request(user(block), invention=1)).dropped == ("invention", "messages.content.text.novelty")


def test_no_more_is_listed_than_fits_in_a_header() -> None:
    assert len(sent(request(user({f"a{n}": 1 for n in range(99)} | said("Hi")), b=1)).dropped) == 16
