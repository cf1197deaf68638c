import contextlib
import copy
import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import Refusal
from gateway.wire.events import Framing
from gateway.wire.responses_openai import FIELDS, ResponsesOpenAI
from tests.wire.responses_openai.examples import EXAMPLES, MODEL
from tests.wire.responses_openai.sdk import Json, chunk, written

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_KINDS = sorted({name.split(".")[-1] for name in FIELDS})
_WORDS = st.sampled_from(["type", "role", "content", "text", "name", "output", "tools", "call_id", *_KINDS])
_JSON = st.recursive(
    _SCALARS | st.sampled_from(_KINDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=12,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = _replaced(value[path[0]], path[1:], new)
    return changed


def _try(body: Json) -> None:
    before = repr(body)
    with contextlib.suppress(Refusal):
        sent = ResponsesOpenAI().request(body)
        assert sent.body["messages"]
        ResponsesOpenAI().writer(body).write(chunk({"content": "Hi"}))
    assert repr(body) == before


@given(st.dictionaries(st.sampled_from([name for name in FIELDS if "." not in name]), _JSON, max_size=4))
def test_any_request_is_translated_or_refused(fields: Json) -> None:
    _try({**MODEL, **fields})


@given(st.data())
def test_a_request_with_anything_in_any_place_is_translated_or_refused(data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(list(EXAMPLES.values())))
    path = data.draw(st.sampled_from(_places(example)[1:]))
    _try(_replaced(example, path, data.draw(_JSON)))


@given(st.lists(_JSON, max_size=4))
def test_chunks_of_any_shape_are_written(values: list[Any]) -> None:
    written([chunk(value if isinstance(value, dict) else {"content": value}) for value in values])


@given(st.lists(st.dictionaries(st.sampled_from(["tool_calls", "content", "reasoning_details"]), _JSON), max_size=4))
def test_deltas_of_any_shape_are_written(deltas: list[Json]) -> None:
    written([chunk(delta) for delta in deltas])


_STREAM = b"".join(
    b"data: %b\n\n" % json.dumps(one).encode()
    for one in (
        chunk({"reasoning_content": "Hm"}),
        chunk({"content": "ä 😀"}),
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a"'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
        chunk({}, finish="tool_calls"),
    )
)


@given(st.lists(st.integers(0, len(_STREAM)), max_size=6))
def test_a_stream_is_the_same_at_any_cut(cuts: list[int]) -> None:
    places, framing = [0, *sorted(cuts), len(_STREAM)], Framing()
    reads = (_STREAM[a:b] for a, b in itertools.pairwise(places))
    chunks = [json.loads(event.data) for read in reads for event in framing.feed(read)]
    assert written(chunks) == _WHOLE


_WHOLE = written([json.loads(event.data) for event in Framing().feed(_STREAM)])
