"""From chat completions to another schema and back: what the tables call kept is there again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import anthropic_openai, openai_anthropic, openai_responses, responses_openai
from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.openai_anthropic import OpenAIAnthropic
from gateway.wire.openai_responses import OpenAIResponses
from gateway.wire.responses_openai import ResponsesOpenAI
from gateway.wire.translation import CallerTranslation, How, UpstreamTranslation
from tests.values import make_target
from tests.wire.steady import steady

Json = dict[str, Any]
Way = tuple[UpstreamTranslation, CallerTranslation]

MESSAGES: Way = OpenAIAnthropic(), AnthropicOpenAI()
RESPONSES: Way = OpenAIResponses(), ResponsesOpenAI()
ways = pytest.mark.parametrize("way", [pytest.param(MESSAGES, id="messages"), pytest.param(RESPONSES, id="responses")])

PIXEL = "data:image/png;base64,iVBORw0KGgo="
MARK = {"type": "ephemeral"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "f", "description": "Does f.", "parameters": SCHEMA, "strict": True}}
FORM = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
USER = {"role": "user", "content": "Hi"}
CLAUDES = [
    {"type": "reasoning.text", "text": "Hm", "signature": "c2ln", "format": "anthropic-claude-v1"},
    {"type": "reasoning.encrypted", "data": "ZW5j", "format": "anthropic-claude-v1"},
]
OPENAIS = [{"type": "reasoning.encrypted", "data": "ZW5j", "id": "rs_1", "format": "openai-responses-v1"}]


def call(name: str, arguments: str = '{"a":"b"}') -> Json:
    return {"id": name, "type": "function", "function": {"name": "f", "arguments": arguments}}


def chat(*messages: Json, **fields: Any) -> Json:
    return {"model": "m", "messages": list(messages) or [USER], "max_completion_tokens": 9000, **fields}


def part(*parts: Json) -> Json:
    return chat({"role": "user", "content": [{"type": "text", "text": "Look"}, *parts]})


def answered(*more: Json, **assistant: Any) -> Json:
    fields = {"tools": [TOOL]} if "tool_calls" in assistant else {}
    return chat(USER, {"role": "assistant", **assistant}, *more, USER, **fields)


# Rows of a table: a chat request with nothing but what comes back as it was.
BOTH: dict[str, Json] = {
    "model": chat(model="another"),
    "messages": chat(USER, {"role": "assistant", "content": "Ho"}, {"role": "user", "content": "Ha"}),
    "messages.role": chat(
        {"role": "system", "content": "Be brief."}, USER, {"role": "assistant", "content": "Ho"}, USER
    ),
    "messages.content": chat({"role": "user", "content": "Grüß\n\n 世界 \U0001f600"}),
    "messages.content.text": part({"type": "text", "text": "More"}),
    "messages.content.image_url": part({"type": "image_url", "image_url": {"url": PIXEL}}),
    "messages.content.file": part(
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}}
    ),
    "messages.tool_calls": answered(
        {"role": "tool", "tool_call_id": "t1", "content": "one"},
        {"role": "tool", "tool_call_id": "t2", "content": "two"},
        content="Well.",
        tool_calls=[call("t1"), call("t2", "{}")],
    ),
    "messages.tool_call_id": answered(
        {"role": "tool", "tool_call_id": "t_1-9", "content": "x"}, tool_calls=[call("t_1-9")]
    ),
    "max_completion_tokens": chat(max_completion_tokens=77),
    "temperature": chat(temperature=0.25),
    "top_p": chat(top_p=0.25),
    "stream": chat(stream=True),
    "stream_options": chat(stream=True, stream_options={"include_usage": True}),
    "user": chat(user="u-1"),
    "tools": chat(tools=[TOOL]),
    "tools.function": chat(tools=[TOOL]),
    "tool_choice": chat(tools=[TOOL], tool_choice="required"),
    "parallel_tool_calls": chat(tools=[TOOL], parallel_tool_calls=False, tool_choice="auto"),
    "reasoning_effort": chat(reasoning_effort="low"),
    "response_format": chat(response_format=FORM),
}
MESSAGES_ONLY: dict[str, Json] = {
    "stop": chat(stop=["END", "STOP"]),
    "messages.content.cache_control": chat(
        {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {**MARK, "ttl": "1h"}}]}
    ),
    "messages.reasoning_details": answered(content="Well.", reasoning_content="Hm", reasoning_details=CLAUDES),
    "tools.cache_control": chat(tools=[{**TOOL, "cache_control": MARK}]),
    "tools.function.strict": chat(tools=[TOOL]),
    "tool_choice.allowed_tools": chat(tools=[TOOL], tool_choice="required"),
    "response_format.json_schema": chat(response_format=FORM),
    "response_format.json_schema.strict": chat(response_format=FORM),
}
RESPONSES_ONLY: dict[str, Json] = {
    "messages.reasoning_details": answered(content="Well.", reasoning_details=OPENAIS),
    "messages.refusal": answered(refusal="No."),
    "verbosity": chat(verbosity="low"),
    "logprobs": chat(logprobs=True, top_logprobs=2),
    "top_logprobs": chat(logprobs=True, top_logprobs=3),
    "safety_identifier": chat(safety_identifier="s"),
    "prompt_cache_key": chat(prompt_cache_key="k"),
    "prompt_cache_retention": chat(prompt_cache_retention="24h"),
    "service_tier": chat(service_tier="flex"),
}
# Kept, but under another name or in another form: what comes back means the same and is written otherwise.
REWORDED = {
    "openai_anthropic": {
        "max_tokens",  # as max_completion_tokens
        "safety_identifier",  # as user
        "messages.content.file.filename",  # with its file
        "messages.content.refusal",  # as a text
        "messages.refusal",
        "messages.content.prompt_cache_breakpoint",  # as cache_control
        "messages.cache_control",  # of its last part
        "response_format.text",  # nothing to say
        "response_format.json_object",  # an instruction
        "response_format.json_schema.name",  # a title
        "response_format.json_schema.description",
    },
    "openai_responses": {
        "max_tokens",
        "messages.content.refusal",  # as the message's own
        "messages.content.prompt_cache_breakpoint",  # as cache_control
        "tools.custom",  # a function with one text
        "functions",
        "metadata",  # a label of what is stored
        "prompt_cache_options",
        "web_search_options",  # a tool of OpenAI's own
    },
}


def meaning(value: Any) -> Any:
    """Without what says nothing: nulls, the usual detail, a schema's title, the name that Messages has no place for."""
    if isinstance(value, list):
        return [meaning(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: meaning(one) for name, one in value.items() if one is not None}
    if value.get("type") == "json_schema":
        found["json_schema"].pop("name")
        found["json_schema"]["schema"].pop("title", None)
    if found.get("detail") == "auto":
        del found["detail"]
    if found.get("stream") is True:
        found["stream_options"] = {"include_usage": True}
    if found.get("stream") is False:
        del found["stream"]
    return found


def there_and_back(way: Way, body: Json) -> Json:
    upstream, caller = way
    target = make_target(body["model"], remote=body["model"])
    sent = upstream.request(body, target)
    assert sent.dropped == ()
    back = caller.request(json.loads(json.dumps(sent.body)))
    assert back.dropped == ()
    return back.body


def rows(*tables: dict[str, Json]) -> Any:
    return [pytest.param(body, id=name) for table in tables for name, body in table.items()]


@pytest.mark.parametrize("body", rows(BOTH, MESSAGES_ONLY))
def test_a_kept_field_comes_back_from_messages(body: Json) -> None:
    assert meaning(there_and_back(MESSAGES, body)) == meaning(body)


@pytest.mark.parametrize("body", rows(BOTH, RESPONSES_ONLY))
def test_a_kept_field_comes_back_from_responses(body: Json) -> None:
    assert meaning(there_and_back(RESPONSES, body)) == meaning(body)


@pytest.mark.parametrize(
    ("table", "rows", "reworded"),
    [
        pytest.param(openai_anthropic.FIELDS, BOTH | MESSAGES_ONLY, REWORDED["openai_anthropic"], id="messages"),
        pytest.param(openai_responses.FIELDS, BOTH | RESPONSES_ONLY, REWORDED["openai_responses"], id="responses"),
    ],
)
def test_every_kept_row_is_tried_or_said_to_come_back_in_other_words(
    table: Any, rows: dict[str, Json], reworded: set[str]
) -> None:
    kept = {name for name, field in table.items() if field.how is How.KEPT}
    assert kept - rows.keys() - reworded == set()


@pytest.mark.parametrize("tables", [anthropic_openai.FIELDS, responses_openai.FIELDS], ids=["messages", "responses"])
def test_the_way_back_has_a_table_too(tables: Any) -> None:
    assert How.KEPT in {field.how for field in tables.values()}


texts = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() == text)
turns = st.lists(texts, min_size=1, max_size=4)


@ways
@steady
@given(turns, texts, st.dictionaries(texts, texts | st.integers(-(2**53), 2**53) | st.booleans(), max_size=3), texts)
def test_any_conversation_comes_back(way: Way, said: list[str], system: str, arguments: Json, output: str) -> None:
    messages: list[Json] = [{"role": "system", "content": system}]
    for number, text in enumerate(said):
        used = call(f"t{number}", json.dumps(arguments))
        messages += [
            {"role": "user", "content": text},
            {"role": "assistant", "content": text, "tool_calls": [used]},
            {"role": "tool", "tool_call_id": f"t{number}", "content": output},
        ]
    body = chat(*messages, {"role": "user", "content": output})
    back = there_and_back(way, body)
    assert [parsed(message) for message in back["messages"]] == [parsed(message) for message in body["messages"]]


def parsed(message: Json) -> Json:
    """With the arguments read: JSON may be written in many ways. A tool's and the next user's text stay apart."""
    calls = [
        {**used, "function": {**used["function"], "arguments": json.loads(used["function"]["arguments"])}}
        for used in message.get("tool_calls") or ()
    ]
    return {**message, "tool_calls": calls}
