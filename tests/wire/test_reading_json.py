"""The JSON of an event or an answer: an object, or a ValueError."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.reading import decode
from tests.wire.steady import steady


class TestDecode:
    @pytest.mark.parametrize(
        ("data", "value"),
        [
            pytest.param(b"{}", {}, id="object"),
            pytest.param(b' {"a": [1]} ', {"a": [1]}, id="blanks"),
            pytest.param(b'[{"a": 1}]', {"a": 1}, id="a list of one, as Google tells errors"),
        ],
    )
    def test_an_object_is_read(self, data: bytes, value: object) -> None:
        assert decode(data) == value

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"[]", id="an empty list"),
            pytest.param(b"[{},{}]", id="a list of two"),
            pytest.param(b"[[{}]]", id="a list in a list"),
            pytest.param(b"null", id="null"),
            pytest.param(b'"a"', id="a text"),
            pytest.param(b"{", id="half an object"),
            pytest.param(b"{}{}", id="two objects"),
            pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
            pytest.param(b'{"a":1e999}', id="a number without end"),
            pytest.param(b'{"a":' * 100_000, id="no bottom"),
        ],
    )
    def test_anything_else_is_a_value_error(self, data: bytes) -> None:
        with pytest.raises(ValueError, match=r"not JSON|not an object|can't decode"):
            decode(data)

    @steady
    @given(st.binary() | st.text().map(str.encode))
    def test_no_bytes_raise_anything_else(self, data: bytes) -> None:
        try:
            assert isinstance(decode(data), dict)
        except ValueError:
            assert data != b"{}"
