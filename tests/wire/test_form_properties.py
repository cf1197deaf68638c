"""multipart/form-data of any bytes, and how often they are looked at."""

import contextlib
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.core.errors import BadRequest, InvalidValue, MissingParameter
from gateway.wire.form import MAX_PARTS
from tests.wire.steady import steady
from tests.wire.test_form import BOUNDARY, LANGUAGE, MODEL, joined, part, put_in, read

BRICKS = [
    b"--" + BOUNDARY.encode(),
    b"\r\n",
    b"--",
    MODEL,
    b'Content-Disposition: form-data; name="model"',
    b"whisper",
    b"\n",
    b"\x00\xff",
    b":",
    b";",
    b'name="model',
]


@steady
@given(st.lists(st.sampled_from(BRICKS) | st.binary(max_size=4), max_size=20), st.booleans())
def test_no_bytes_make_it_fail_and_what_is_read_is_the_whole_body(bricks: list[bytes], is_framed: bool) -> None:
    body = joined(b"".join(bricks), MODEL) if is_framed else b"".join(bricks)
    with contextlib.suppress(BadRequest, InvalidValue, MissingParameter):
        ask = read(body)
        assert ask.form.before + ask.model.encode() + ask.form.after == body


@steady
@given(st.text(min_size=1, max_size=20), st.binary(max_size=200), st.binary(max_size=200))
def test_any_values_stay_what_they_are(name: str, before: bytes, after: bytes) -> None:
    assume(name.strip() and "\r\n" not in name)
    assume(BOUNDARY.encode() not in before + after)
    body = joined(part("a", before), part("model", name), part("b", after))
    assert read(body).model == name
    assert put_in(body) == joined(part("a", before), part("model", "NEW"), part("b", after))


class Counted(bytes):
    """A body that counts how many of its bytes are searched: what `find` ran over."""

    searched = 0

    def find(self, *where: Any) -> int:
        found = super().find(*where)
        start = where[1] if len(where) > 1 else 0
        end = where[2] if len(where) > 2 else len(self)
        self.searched += (end if found < 0 else found) - start
        return found


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([LANGUAGE] * 60, id="many parts"),
        pytest.param([part("file", b"\r\n--" * 100_000)], id="half boundaries"),
        pytest.param([part("file", b"\r\n\r\n" * 100_000)], id="blank lines"),
        pytest.param([part("file", b"x" * 400_000)], id="one large file"),
    ],
)
def test_a_body_is_searched_twice_at_most(parts: list[bytes]) -> None:
    body = Counted(joined(*parts, MODEL))
    assert read(body).model == "whisper"
    assert 0 < body.searched <= 2 * len(body)


def test_no_more_parts_are_looked_for_than_are_allowed() -> None:
    body = Counted(joined(*[LANGUAGE] * 100_000, MODEL))
    with pytest.raises(BadRequest):
        read(body)
    assert body.searched < len(joined(*[LANGUAGE] * 2 * MAX_PARTS))
