import contextlib
import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter
from gateway.core.fault import Fault
from gateway.wire.openai_anthropic import FIELDS, OpenAIAnthropic
from gateway.wire.translation import Sent
from tests.values import make_target
from tests.wire.openai_anthropic.streams import read, sse
from tests.wire.openai_anthropic.test_fields import EXAMPLES
from tests.wire.openai_anthropic.validators import check_answer, check_chunks, check_request

NAMES = sorted({word for name in FIELDS for word in name.split(".")} | {"type", "function", "url", "id", "file_data"})
WORDS = ["user", "assistant", "tool", "system", "text", "function", "json_schema", "data:image/png;base64,AA==", ""]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
models = st.sampled_from(["claude-opus-4-8", "claude-sonnet-4-6", "claude-sonnet-4-5", "claude-2", "m"])
whole = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief"},
        *EXAMPLES["messages.content.image_url"][0]["messages"],
        *EXAMPLES["messages.reasoning_details"][0]["messages"],
        *EXAMPLES["messages.tool_calls"][0]["messages"][:2],
        *EXAMPLES["messages.tool_call_id"][0]["messages"],
    ],
    "tools": EXAMPLES["tools.function.strict"][0]["tools"],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "response_format": EXAMPLES["response_format"][0]["response_format"],
    "stop": ["END"],
    "temperature": 1,
    "reasoning_effort": "high",
}


def translate(chat: dict[str, Any], model: str) -> Sent | None:
    """What comes out is sent or refused, and the request is as it was."""
    before = copy.deepcopy(chat)
    try:
        return OpenAIAnthropic().request(chat, make_target(model))
    except (InvalidValue, MissingParameter, Inexpressible) as refusal:
        return None if refusal.param else pytest.fail("It names no field.")
    finally:
        assert chat == before


@given(st.dictionaries(st.sampled_from(NAMES), values, max_size=6), models)
def test_any_request_is_translated_or_refused(chat: dict[str, Any], model: str) -> None:
    translate(chat, model)


def spots(value: Any) -> list[tuple[Any, Any]]:
    """Every container in it with each key of it."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [spot for key, part in members for spot in [(value, key), *spots(part)]]


@given(st.data(), models)
def test_a_request_with_other_values_in_it_is_one_that_anthropics_library_knows_or_refused(
    data: st.DataObject, model: str
) -> None:
    chat = copy.deepcopy(whole)
    for _ in range(data.draw(st.integers(0, 2))):
        found = spots(chat)
        container, key = found[data.draw(st.integers(0, len(found) - 1))]
        container[key] = data.draw(values)
    sent = translate(chat, model)
    if sent is not None:
        msgspec.json.encode(sent.body)
        check_request(sent.body)


def test_the_request_that_is_changed_is_itself_sent() -> None:
    assert translate(whole, "claude-opus-4-8") is not None


EVENTS = [
    {"type": "message_start", "message": {"id": "é", "usage": {"input_tokens": 3, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm\r\n"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "look"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
]
BODY = sse(*EVENTS)
WHOLE = read(BODY)


@given(st.lists(st.integers(0, len(BODY)), max_size=20))
def test_a_stream_is_the_same_wherever_it_is_cut(cuts: list[int]) -> None:
    assert read(BODY, cuts) == WHOLE


KINDS = ["text", "thinking", "tool_use", "redacted_thinking", "text_delta", "thinking_delta", "input_json_delta"]
EVENT_NAMES = [
    "message",
    "index",
    "content_block",
    "delta",
    "usage",
    "error",
    "text",
    "input",
    "thinking",
    "stop_reason",
]
events = st.fixed_dictionaries(
    {"type": st.sampled_from([event["type"] for event in EVENTS] + ["error"])},
    optional={
        name: st.recursive(
            scalars | st.just({"type": "tool_use"}),
            lambda inner: (
                st.dictionaries(st.sampled_from([*EVENT_NAMES, "input_tokens"]), inner, max_size=3)
                | st.builds(lambda kind, more: {"type": kind, **more}, st.sampled_from(KINDS), st.just({}))
                | st.lists(inner, max_size=2)
            ),
            max_leaves=3,
        )
        for name in EVENT_NAMES
    },
)


@given(st.lists(events, max_size=5))
def test_any_events_are_chunks_or_a_fault(given_events: list[dict[str, Any]]) -> None:
    reader = OpenAIAnthropic().reader()
    with contextlib.suppress(Fault):
        for event in given_events:
            check_chunks(reader.read("", event))
        check_chunks(reader.end())


@given(st.dictionaries(st.sampled_from(["content", "usage", "error", "id", "stop_reason", "stop_details"]), values))
def test_any_answer_is_a_chat_completion_or_a_fault(body: dict[str, Any]) -> None:
    with contextlib.suppress(Fault):
        check_answer(OpenAIAnthropic().answer(body))
