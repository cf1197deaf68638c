import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.responses_openai.freeform import Freeform

_SAFE = st.text(st.characters(exclude_categories=["Cs"]))


def _read(*fragments: str) -> str:
    freeform = Freeform()
    told = "".join([freeform.add(one) for one in fragments])
    assert told + freeform.end() == freeform.text
    return freeform.text


@given(_SAFE, st.booleans(), st.lists(st.integers(0, 200)))
def test_the_text_comes_out_at_any_cut(text: str, ascii_only: bool, cuts: list[int]) -> None:
    arguments = json.dumps({"input": text}, ensure_ascii=ascii_only)
    places = [0, *sorted(cuts), max([len(arguments), *cuts])]
    assert _read(*(arguments[a:b] for a, b in itertools.pairwise(places))) == text


@given(st.text(), st.integers(0, 50))
def test_no_arguments_break_it(arguments: str, cut: int) -> None:
    _read(arguments[:cut], arguments[cut:])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param("*** Begin Patch", "*** Begin Patch", id="the input itself"),
        pytest.param('{"patch": "a"}', "a", id="under another name"),
        pytest.param('{"a": 1, "input": "b"}', "b", id="not the first"),
        pytest.param('{"input": 5}', '{"input": 5}', id="no text"),
        pytest.param('{"input": "ab\\', "ab", id="cut short"),
        pytest.param('{"input": "', "", id="cut before it began"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_odd_arguments_are_read_as_far_as_they_go(arguments: str, text: str) -> None:
    assert _read(*arguments) == text
