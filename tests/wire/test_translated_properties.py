"""Whatever comes from either side: an answer, a Refusal or a Fault."""

import contextlib
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import Refusal
from gateway.core.fault import Fault
from gateway.wire import anthropic_openai, openai_anthropic, openai_gemini, openai_responses, responses_openai
from gateway.wire.body import SCHEMAS as BODIES
from gateway.wire.body import read_ask
from gateway.wire.events import Event
from tests.values import make_call, make_target
from tests.wire.pairings import LAST_WORDS, STREAMS, USAGES, Pairing, cut, data_of, event, every_pairing
from tests.wire.steady import steady

TABLES = (anthropic_openai, openai_anthropic, openai_gemini, openai_responses, responses_openai)
OTHERS = (
    "type delta choices candidates content_block message response item output output_index index parts role"
    " finish_reason finishReason stop_reason usage usageMetadata error id name arguments function input data url text"
    " functionCall"
)
NAMES = sorted({word for table in TABLES for name in table.FIELDS for word in name.split(".")} | set(OTHERS.split()))
WORDS = [
    "user",
    "assistant",
    "system",
    "tool",
    "developer",
    "text",
    "function",
    "auto",
    "message",
    "tool_use",
    "stop",
    "",
]

scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=6) | st.sampled_from(WORDS + NAMES)
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=4),
    max_leaves=10,
)
objects = st.dictionaries(st.sampled_from(NAMES), values, max_size=6)
kinds = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "response.created",
        "response.output_item.added",
        "response.output_text.delta",
        "response.function_call_arguments.delta",
        "response.output_item.done",
        "response.completed",
        "response.failed",
        "error",
    ]
)
events = st.builds(lambda data, kind: {**data, "type": kind}, objects, kinds) | objects


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, member in members for found in [(*way, key), *places(member, (*way, key))]]


def changed(value: Any, way: tuple[Any, ...], by: object) -> Any:
    """A copy with another value there."""
    if not way:
        return by
    copy = value.copy()
    copy[way[0]] = changed(value[way[0]], way[1:], by)
    return copy


def is_translated_or_refused(pairing: Pairing, body: dict[str, Any]) -> None:
    """As a request comes in: read by the endpoint first."""
    with contextlib.suppress(Refusal):
        ask = read_ask(msgspec.json.encode(body), make_call(endpoint=pairing.caller), ())
        sent = pairing.pair.request(ask, make_target("m", defaults={"temperature": 1}))
        assert isinstance(json.loads(sent.body), dict)
        assert all(isinstance(name, str) for name in sent.dropped)


@every_pairing
@given(objects, st.lists(values, max_size=3))
@settings(steady, max_examples=15)
def test_any_request_is_translated_or_refused(pairing: Pairing, body: dict[str, Any], prompt: list[object]) -> None:
    is_translated_or_refused(pairing, {**body, "model": "m", BODIES[pairing.caller].prompt: prompt})


CONVERSATIONS: dict[str, dict[str, Any]] = {
    "chat": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "t", "content": "ok"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "stop": ["END"],
    },
    "messages": {
        "system": [{"type": "text", "text": "Be brief."}],
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "ok"}]}],
            },
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "f"},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    },
    "responses": {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "t", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "t", "output": "ok"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "reasoning": {"effort": "low"},
    },
}


@every_pairing
@given(st.data())
@settings(steady, max_examples=15)
def test_a_request_with_one_value_changed_is_too(pairing: Pairing, data: st.DataObject) -> None:
    body = {**CONVERSATIONS[pairing.caller], "model": "m"}
    way = data.draw(st.sampled_from(places(body)))
    is_translated_or_refused(pairing, changed(body, way, data.draw(values)))


@every_pairing
def test_the_request_that_is_changed_is_itself_sent(pairing: Pairing) -> None:
    body = {**CONVERSATIONS[pairing.caller], "model": "m"}
    if pairing.upstream == "responses":
        body.pop("stop", None)  # There are none.
    ask = read_ask(msgspec.json.encode(body), make_call(endpoint=pairing.caller), ())
    assert pairing.pair.request(ask, make_target("m")).body


@every_pairing
@given(st.binary(max_size=60) | objects.map(msgspec.json.encode))
@settings(steady, max_examples=15)
def test_any_answer_is_translated_or_a_fault(pairing: Pairing, body: bytes) -> None:
    with contextlib.suppress(Fault):
        assert isinstance(json.loads(pairing.pair.read_answer(body, pairing.outgoing()).body), dict)


def is_well_ended(pairing: Pairing, reads: list[bytes]) -> None:
    told, scanner = pairing.read(*reads)
    data_of(told)
    assert not (scanner.done and scanner.failed)
    assert scanner.started or not told
    is_incomplete = b"event: response.incomplete\n" in told
    assert scanner.done == (LAST_WORDS[pairing.caller] in told or is_incomplete)


@every_pairing
@given(
    st.lists(
        st.binary(max_size=30) | st.sampled_from([b"data: ", b"\n\n", b"data: {}\n\n", b"data: [DONE]\n\n"]), max_size=8
    )
)
@settings(steady, max_examples=15)
def test_any_bytes_are_a_stream_that_ends(pairing: Pairing, reads: list[bytes]) -> None:
    is_well_ended(pairing, reads)


@every_pairing
@given(st.lists(events, max_size=6))
@settings(steady, max_examples=15)
def test_any_events_are_a_stream_that_ends(pairing: Pairing, given_: list[dict[str, Any]]) -> None:
    is_well_ended(pairing, [event(msgspec.to_builtins(data)) for data in given_])


@every_pairing
@given(st.data())
@settings(steady, max_examples=15)
def test_a_stream_with_one_value_changed_ends_and_is_the_same_at_any_cut(pairing: Pairing, data: st.DataObject) -> None:
    whole = list(STREAMS[pairing.upstream](USAGES[pairing.upstream]).events)
    at = data.draw(st.integers(0, len(whole) - 1))
    if whole[at] != b"data: [DONE]\n\n":
        read = data_of(whole[at])[0]
        other = changed(read, data.draw(st.sampled_from(places(read))), data.draw(values))
        whole[at] = Event("", other).encode()
    body = b"".join(whole)
    is_well_ended(pairing, [body])
    assert (
        pairing.read(*cut(body, data.draw(st.lists(st.integers(0, len(body)), max_size=4))))[0] == pairing.read(body)[0]
    )
