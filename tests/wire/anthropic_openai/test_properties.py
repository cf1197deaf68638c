"""Whatever comes: a translation or a Refusal, and the same events wherever the stream is cut."""

import itertools
import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter, Refusal
from gateway.core.fault import EmptyFault, ProtocolFault
from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.events import Event, Framing, Json
from gateway.wire.translation import Sent
from tests.wire.anthropic_openai.asked import CACHE, PNG, TOOL, assistant, request, result, said, use, user
from tests.wire.anthropic_openai.chunks import call, chunk, usage_chunk
from tests.wire.anthropic_openai.test_fields import EXAMPLES

# A path of known names and indices.
WAY = re.compile(r"[a-z_]+(\[\d+\])?(\.[a-z_]+(\[\d+\])?)*")
TRANSLATION = AnthropicOpenAI()
NAMES = sorted(
    {part for name in EXAMPLES for part in name.split(".")} | {"type", "function", "delta", "index", "choices"}
)
KINDS = [
    "text",
    "image",
    "tool_use",
    "tool_result",
    "thinking",
    "document",
    "base64",
    "url",
    "content",
    "enabled",
    "tool",
]

TOP = sorted({name for name in EXAMPLES if "." not in name})

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(KINDS)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
blocks = st.fixed_dictionaries(
    {"type": st.sampled_from([name.split(".")[2] for name in EXAMPLES if name.count(".") == 2])},
    optional=dict.fromkeys(
        ("text", "source", "content", "cache_control", "id", "name", "input", "thinking", "signature", "data"), anything
    ),
)
turns = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(blocks, max_size=3) | anything}
)
shaped = st.builds(request, turns, turns, max_tokens=st.just(9) | anything) | st.builds(
    lambda turn, more: request(turn) | more, turns, st.dictionaries(st.sampled_from(TOP), anything, max_size=4)
)
WHOLE = request(
    user(said("Hi", cache_control=CACHE), PNG),
    assistant({"type": "thinking", "thinking": "T", "signature": "s"}, said("a"), use()),
    user(result(content=[said("ok"), PNG], is_error=True), said("And?")),
    system=[said("Be brief.")],
    tools=[TOOL],
    tool_choice={"type": "tool", "name": "f"},
    thinking={"type": "enabled", "budget_tokens": 2000},
    output_config={"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    stop_sequences=["a"],
    metadata={"user_id": "u"},
)


DEEP: Json = {}
for _ in range(100_000):
    DEEP = {"type": "object", "properties": DEEP}


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way] * bool(way) + [found for key, member in items for found in places(member, (*way, key))]


def replaced(value: Any, way: tuple[Any, ...], by: object) -> Any:
    if not way:
        return by
    copy = value.copy()
    copy[way[0]] = replaced(value[way[0]], way[1:], by)
    return copy


def outcome(body: Json) -> Sent | Refusal:
    before = repr(body)
    try:
        return TRANSLATION.request(body)
    except (InvalidValue, MissingParameter, Inexpressible) as refusal:
        return refusal
    finally:
        assert repr(body) == before


def is_translated_or_refused(body: Json) -> None:
    made = outcome(body)
    if isinstance(made, Refusal):
        texts = {type(made).message, f"`{made.param}` is missing."}
        assert made.message in texts or made.message.startswith(f"`{made.param}` must be ")
        assert WAY.fullmatch(made.param or "")
    else:
        assert made.body["messages"]
        assert len(made.dropped) <= 16


@given(shaped)
@settings(max_examples=80, deadline=None)
def test_a_request_of_any_content_is_translated_or_refused(body: Json) -> None:
    is_translated_or_refused(body)


@given(st.sampled_from(places(WHOLE)), anything)
@settings(max_examples=80, deadline=None)
def test_a_request_with_one_value_changed_is_translated_or_refused(way: tuple[Any, ...], by: object) -> None:
    is_translated_or_refused(replaced(WHOLE, way, by))


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(("tools", 0, "input_schema"), id="tool"),
        pytest.param(("output_config", "format", "schema"), id="answer"),
    ],
)
def test_a_schema_may_be_of_any_depth(way: tuple[Any, ...]) -> None:
    assert TRANSLATION.request(replaced(WHOLE, way, DEEP))


def test_the_arguments_of_a_call_may_not_be_of_any_depth() -> None:
    with pytest.raises(InvalidValue) as raised:
        TRANSLATION.request(replaced(WHOLE, ("messages", 1, "content", 2, "input"), DEEP))
    assert raised.value.param == "messages[1].content[2].input"


@given(st.dictionaries(st.sampled_from(["choices", "id", "usage", "model"]), anything), anything)
@settings(max_examples=60, deadline=None)
def test_an_answer_of_any_content_is_translated_or_a_fault(chat: Json, message: object) -> None:
    for body in (
        chat,
        chat | {"choices": [{"message": message}]},
        chat | {"choices": [{"message": {"tool_calls": [message]}}]},
    ):
        try:
            assert TRANSLATION.answer(body, {})["type"] == "message"
        except (EmptyFault, ProtocolFault):
            continue


pieces = st.fixed_dictionaries(
    {},
    optional={
        "content": anything,
        "reasoning_content": anything,
        "reasoning_details": st.lists(anything, max_size=2),
        "refusal": anything,
        "tool_calls": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "index": st.integers(0, 2) | anything,
                    "id": st.sampled_from(["a", "b", ""]) | anything,
                    "function": st.fixed_dictionaries(
                        {},
                        optional={
                            "name": st.sampled_from(["f", "g", ""]) | anything,
                            "arguments": st.sampled_from(["{", "}", "{}", ""]) | anything,
                        },
                    ),
                },
            ),
            max_size=3,
        )
        | anything,
    },
)


@given(st.lists(pieces, max_size=6), st.lists(anything, max_size=2))
@settings(max_examples=80, deadline=None)
def test_a_stream_of_any_content_is_well_formed_or_a_fault(deltas: list[Json], strange: list[object]) -> None:
    writer = TRANSLATION.writer({})
    try:
        events = [event for delta in deltas for event in writer.write(chunk(delta))]
        events += [event for value in strange for event in writer.write({"choices": value, "usage": value})]
        events += writer.end()
    except ProtocolFault:
        return
    is_well_formed(events)


def is_well_formed(events: list[Event]) -> None:
    """One message from its start to its end, its blocks one after another."""
    names = [event.name for event in events]
    assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])
    opened, index = False, 0
    for event in events[1:-2]:
        assert event.data["index"] == index
        assert opened == (event.name != "content_block_start")
        opened = event.name != "content_block_stop"
        index += not opened
    assert not opened


STREAM = b"".join(
    b"data: " + json.dumps(given).encode() + b"\n\n"
    for given in (
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm, ä ö."}),
        chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1"}]}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk(call(0, "", id="c1", name="f")),
        chunk(call(1, '{"b"', id="c2", name="g")),
        chunk(call(0, '{"a":1}')),
        chunk(call(1, ":2}")),
        chunk({}, "tool_calls"),
        usage_chunk(),
    )
)


def told(*reads: bytes) -> list[Event]:
    framing, writer = Framing(), TRANSLATION.writer({})
    raw = [event for read in reads for event in framing.feed(read)] + framing.end()
    return [event for one in raw for event in writer.write(msgspec.json.decode(one.data))] + writer.end()


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_stream_says_the_same_wherever_it_is_cut(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(STREAM)]
    events = told(*(STREAM[start:end] for start, end in itertools.pairwise(at)))
    assert events == told(STREAM)
    is_well_formed(events)
