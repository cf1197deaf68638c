"""Whatever a caller asks it is translated or refused; whatever an upstream says it is read or a fault."""

import contextlib
import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import Refusal
from gateway.core.fault import Fault
from gateway.wire.events import Framing
from gateway.wire.openai_gemini import FIELDS, OpenAIGemini
from tests.recordings import recorded
from tests.values import make_target
from tests.wire.openai_gemini.answers import COUNTS, answer, candidate, fold, response, stream
from tests.wire.openai_gemini.asking import PNG, SCHEMA, SIGNED, call, tool

translation = OpenAIGemini()

WORDS = sorted(
    {name.rpartition(".")[2] for name in FIELDS} | {"type", "id", "url", "google", "mode", "thought_signature"}
)
KINDS = ["user", "assistant", "tool", "system", "text", "image_url", "function", "json_schema", "allowed_tools", "auto"]
VALID: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": PNG}}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call("f", "1", '{"a": 1}', extra_content=SIGNED)],
            "reasoning_details": [{"type": "reasoning.encrypted", "data": "YQ==", "format": "google-gemini-v1"}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "A"},
    ],
    "tools": [tool("f", parameters=SCHEMA)],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool("f")]}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
    "stop": ["a"],
    "temperature": 1,
    "reasoning_effort": "low",
}
ANSWER = response(
    candidate(
        {"text": "Hm.", "thought": True, "thoughtSignature": "YQ=="},
        {"text": "Hi"},
        {"functionCall": {"name": "f", "args": {"a": 1}}},
        {
            "functionCall": {
                "name": "f",
                "partialArgs": [{"jsonPath": "$.a[0].b", "stringValue": "c"}],
                "willContinue": True,
            }
        },
        finish="STOP",
        logprobsResult={"chosenCandidates": [{"token": "a"}], "topCandidates": [{"candidates": [{"token": "a"}]}]},
    ),
    usageMetadata=COUNTS,
    promptFeedback={"blockReason": "SAFETY"},
)

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
leaves |= st.sampled_from([*KINDS, PNG, "STOP", "MALFORMED_FUNCTION_CALL", "$.a[0]", "https://[", "{}"])


def trees(words: list[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(words), inner, max_size=5),
        max_leaves=15,
    )


def ways(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """To every value inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(found for name, inner in items for found in ways(inner, (*way, name)))]


def mutated(value: dict[str, Any], words: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """With one to three of its values put in place of by others."""
    change = st.tuples(st.sampled_from(ways(value)[1:]), trees(words))
    return st.lists(change, min_size=1, max_size=3).map(lambda changes: change_all(value, changes))


def change_all(value: dict[str, Any], changes: list[tuple[tuple[Any, ...], Any]]) -> dict[str, Any]:
    """A way that an earlier change cut off leads nowhere."""
    changed = copy.deepcopy(value)
    for way, new in changes:
        place: Any = changed
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for name in way[:-1]:
                place = place[name]
            place[way[-1]] = copy.deepcopy(new)
    return changed


requests = st.dictionaries(st.sampled_from(WORDS), trees(WORDS), max_size=6)
remotes = st.sampled_from(["gemini-2.5-pro", "gemini-3-flash", "gemini-2.0-flash"])
wrong_requests = mutated(VALID, WORDS)
wrong_answers = mutated(ANSWER, sorted({name for way in ways(ANSWER) for name in way if isinstance(name, str)}))


def ask(chat: dict[str, Any], remote: str) -> None:
    before = copy.deepcopy(chat)
    refused = None
    try:
        sent = translation.request(chat, make_target(remote))
    except Refusal as refusal:
        refused = refusal
    else:
        json.dumps(sent.body)
        assert sent.body["contents"]
    if refused is not None:
        assert refused.status == 400
        assert refused.message == type(refused).message or refused.message.startswith(f"`{refused.param}` must be ")
        assert refused.param
    assert chat == before


@given(requests, remotes)
def test_whatever_is_asked_is_translated_or_refused(chat: dict[str, Any], remote: str) -> None:
    ask(chat, remote)


@given(wrong_requests, remotes)
def test_a_request_with_a_wrong_value_is_translated_or_refused(chat: dict[str, Any], remote: str) -> None:
    ask(chat, remote)


@given(wrong_answers)
def test_an_answer_with_a_wrong_value_is_read_or_a_fault(body: dict[str, Any]) -> None:
    before = copy.deepcopy(body)
    with contextlib.suppress(Fault):
        answer(body)
    stream(body, ANSWER)
    assert body == before


EVENTS = [
    response(candidate({"text": "Hm.", "thought": True})),
    response(candidate({"text": "Hé, ☃\r\n\ndata: "}, index=0)),
    response(candidate({"functionCall": {"name": "f", "args": {"a": "\u2028"}}, "thoughtSignature": "YQ=="})),
    response(candidate({"text": ""}, finish="STOP"), usageMetadata=COUNTS),
]


def read_body(body: bytes, cuts: list[int]) -> list[dict[str, Any]]:
    framing, reader = Framing(), translation.reader()
    chunks = []
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        for event in framing.feed(body[start:end]):
            chunks += reader.read(event.name.decode(), json.loads(event.data))
    for event in framing.end():
        chunks += reader.read(event.name.decode(), json.loads(event.data))
    chunks += reader.end()
    assert reader.done
    return chunks


@given(st.data(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_stream_is_the_same_at_any_cut(data: st.DataObject, line: str) -> None:
    body = "".join(f"data: {json.dumps(event, ensure_ascii=False)}{line}{line}" for event in EVENTS).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    assert read_body(body, cuts) == read_body(body, [])


def test_recorded_streams_are_the_same_at_any_cut() -> None:
    for one in recorded("gemini", stream=True):
        whole = fold(read_body(one.body, []))
        for size in (1, 7, 1000):
            assert fold(read_body(one.body, list(range(size, len(one.body), size)))) == whole, one.id
