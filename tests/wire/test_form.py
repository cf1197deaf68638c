"""multipart/form-data by what clients send, and by what nobody should."""

from typing import Any

import aiohttp
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.core.call import Endpoint
from gateway.core.errors import BadRequest, InvalidValue, MissingParameter
from gateway.wire.body import MAX_MODEL_NAME
from gateway.wire.form import MAX_PART_HEAD, MAX_PARTS, is_form, read_body, read_form
from tests.values import make_call
from tests.wire.steady import steady

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"


def form_type(boundary: str = BOUNDARY) -> str:
    return f'multipart/form-data; boundary="{boundary}"'


def part(name: str, value: bytes | str, more: str = "") -> bytes:
    text = value if isinstance(value, bytes) else value.encode()
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + text


def joined(*parts: bytes, boundary: str = BOUNDARY, end: bytes = b"\r\n") -> bytes:
    line = b"--" + boundary.encode()
    return b"".join(line + b"\r\n" + one + b"\r\n" for one in parts) + line + b"--" + end


FILE = part("file", b"RIFF\x00\xff\r\n\r\n--data--\r\n", '; filename="a.wav"\r\nContent-Type: audio/wav')
MODEL = part("model", "whisper")
LANGUAGE = part("language", "de")


def read(body: bytes, kind: str | None = None) -> Any:
    return read_form(body, make_call(endpoint=Endpoint.TRANSCRIPTIONS, content_type=kind or form_type()))


def put_in(body: bytes, name: bytes = b"NEW") -> bytes:
    """The form with another model's name."""
    found = read(body).form
    return bytes(found.before + name + found.after)


class TestRead:
    @pytest.mark.parametrize(
        "parts",
        [
            pytest.param([MODEL], id="alone"),
            pytest.param([FILE, MODEL], id="last"),
            pytest.param([MODEL, FILE], id="first"),
            pytest.param([LANGUAGE, MODEL, FILE], id="in between"),
        ],
    )
    def test_the_model_is_found_and_only_its_name_is_replaced(self, parts: list[bytes]) -> None:
        body = joined(*parts)
        ask = read(body)
        assert (ask.model, ask.fields, ask.prompt_tokens, ask.max_tokens) == ("whisper", {}, 0, 0)
        assert put_in(body) == body.replace(b"whisper", b"NEW")
        assert ask.form.content_type == form_type()

    async def test_what_aiohttp_writes_is_read(self) -> None:
        data = aiohttp.FormData()
        data.add_field("file", b"\x00\r\n--\r\n", filename="ä.wav", content_type="audio/wav")
        data.add_field("model", "whisper")
        writer: Any = data()
        body = await writer.as_bytes()
        assert read(body, writer.headers["Content-Type"]).model == "whisper"

    @pytest.mark.parametrize(
        "head",
        [
            pytest.param(b'content-disposition: form-data; name="model"', id="small letters"),
            pytest.param(b'CONTENT-DISPOSITION:form-data;name="model"', id="capitals and no blanks"),
            pytest.param(b"Content-Disposition: form-data; name=model", id="no quotes"),
            pytest.param(b'Content-Disposition: form-data; filename="x"; name="model"', id="after a filename"),
            pytest.param(b'Content-Type: text/plain\r\nContent-Disposition: form-data; name="model"', id="not first"),
            pytest.param(b'Content-Disposition: form-data; name="model"\r\nContent-Type: text/plain', id="not last"),
        ],
    )
    def test_a_head_may_be_written_in_many_ways(self, head: bytes) -> None:
        assert read(joined(FILE, head + b"\r\n\r\nwhisper")).model == "whisper"

    @pytest.mark.parametrize(
        "head",
        [
            pytest.param(b'Content-Disposition: form-data; name="Model"', id="another letter"),
            pytest.param(b'Content-Disposition: form-data; filename="model"', id="a filename"),
            pytest.param(b'X-Content-Disposition: form-data; name="model"', id="another header"),
            pytest.param(b"Content-Type: text/plain", id="no name"),
            pytest.param(b"Content-Disposition", id="no colon"),
            pytest.param(b'Content-Disposition: form-data; name="model[]"', id="a list"),
        ],
    )
    def test_a_part_of_another_name_is_no_model(self, head: bytes) -> None:
        with pytest.raises(MissingParameter) as raised:
            read(joined(head + b"\r\n\r\nwhisper"))
        assert raised.value.param == "model"

    def test_a_file_of_that_name_is_not_read_for_one(self) -> None:
        inside = joined(part("model", "inner"), boundary="other")
        assert read(joined(part("file", inside), MODEL)).model == "whisper"

    def test_a_nested_form_is_a_value_like_any_other(self) -> None:
        inner = joined(part("model", "inner"), boundary="inner")
        mixed = b'Content-Disposition: form-data; name="files"\r\nContent-Type: multipart/mixed; boundary=inner\r\n\r\n'
        assert put_in(joined(mixed + inner, MODEL)) == joined(mixed + inner, part("model", "NEW"))

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(b"x--" + BOUNDARY.encode(), id="not at the start of a line"),
            pytest.param(b"\n--" + BOUNDARY.encode() + b"\r\n", id="after a bare LF"),
            pytest.param(b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\n", id="shorter"),
            pytest.param(b"\r\n-" + BOUNDARY.encode() + b"\r\n", id="one dash"),
            pytest.param(b"\r\n\r\n\r\n", id="blank lines"),
            pytest.param(b"", id="nothing"),
        ],
    )
    def test_what_looks_like_a_boundary_is_none(self, value: bytes) -> None:
        body = joined(part("file", value), MODEL)
        assert put_in(body) == joined(part("file", value), part("model", "NEW"))

    def test_lines_may_follow_the_end(self) -> None:
        for end in (b"", b"\r\n", b"\r\n\r\n"):
            assert read(joined(MODEL, end=end)).model == "whisper"

    def test_hints_of_the_head_are_kept(self) -> None:
        call = make_call(
            endpoint=Endpoint.TRANSCRIPTIONS, content_type=form_type(), complexity="simple", provider="first"
        )
        ask = read_form(joined(MODEL), call)
        assert (ask.complexity, ask.provider, ask.stream) == ("simple", "first", False)

    def test_only_endpoints_of_forms_are_read_as_such(self) -> None:
        call = make_call(endpoint=Endpoint.TRANSCRIPTIONS, content_type=form_type())
        assert read_body(joined(MODEL), call, ()).form is not None
        json_call = make_call(endpoint=Endpoint.SPEECH)
        assert read_body(b'{"model":"m","input":"a"}', json_call, ()).form is None


class TestRefused:
    @pytest.mark.parametrize(
        "parts",
        [
            pytest.param([MODEL, MODEL], id="the same"),
            pytest.param([MODEL, FILE, part("model", "other")], id="another"),
            pytest.param([part("model", ""), MODEL], id="the first empty"),
        ],
    )
    def test_a_model_given_twice(self, parts: list[bytes]) -> None:
        with pytest.raises(InvalidValue, match=InvalidValue.code) as raised:
            read(joined(*parts))
        assert (raised.value.param, raised.value.message) == ("model", "`model` is given twice.")

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b" \t", id="blank"),
            pytest.param(b"\xff\xfe", id="not UTF-8"),
            pytest.param(b"x" * (MAX_MODEL_NAME + 1), id="too long"),
        ],
    )
    def test_a_model_without_a_good_name(self, name: bytes) -> None:
        with pytest.raises(InvalidValue) as raised:
            read(joined(part("model", name)))
        assert raised.value.param == "model"

    def test_the_longest_name_is_good(self) -> None:
        assert len(read(joined(part("model", "x" * MAX_MODEL_NAME))).model) == MAX_MODEL_NAME

    def test_a_form_without_a_model(self) -> None:
        with pytest.raises(MissingParameter) as raised:
            read(joined(FILE, LANGUAGE))
        assert raised.value.param == "model"

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"{}", id="JSON"),
            pytest.param(joined(), id="no part"),
            pytest.param(joined(MODEL)[:-4], id="no last dashes"),
            pytest.param(joined(MODEL)[:-9], id="half a boundary"),
            pytest.param(joined(MODEL).replace(b"\r\n", b"\n"), id="bare LF"),
            pytest.param(b"\r\n" + joined(MODEL), id="a line before it"),
            pytest.param(b"a preamble\r\n" + joined(MODEL), id="a preamble"),
            pytest.param(joined(MODEL, end=b"\r\nan epilogue"), id="an epilogue"),
            pytest.param(joined(MODEL) + joined(MODEL), id="two forms"),
            pytest.param(joined(MODEL).replace(b"\r\n\r\n", b"\r\n"), id="a part without a value"),
            pytest.param(joined(b"whisper"), id="a part without a head"),
            pytest.param(joined(MODEL, boundary=BOUNDARY + "x"), id="a longer boundary"),
            pytest.param(joined(MODEL, boundary="other"), id="another boundary"),
            pytest.param(
                joined(part("file", b"\r\n--" + BOUNDARY.encode() + b"garbage"), MODEL), id="a boundary inside"
            ),
            pytest.param(joined(b"X: " + b"x" * MAX_PART_HEAD + b"\r\n" + MODEL), id="a huge head"),
            pytest.param(joined(*[LANGUAGE] * (MAX_PARTS + 1), MODEL), id="too many parts"),
            pytest.param(joined(*[LANGUAGE] * 100_000, MODEL), id="a hundred thousand parts"),
        ],
    )
    def test_what_is_no_form(self, body: bytes) -> None:
        with pytest.raises(BadRequest):
            read(body)

    def test_as_many_parts_as_are_allowed_are_read(self) -> None:
        assert read(joined(*[LANGUAGE] * (MAX_PARTS - 1), MODEL)).model == "whisper"

    def test_a_boundary_in_a_value_never_smuggles_a_second_model(self) -> None:
        """What an upstream could take for a part is one here too."""
        smuggled = b"x\r\n--" + BOUNDARY.encode() + b"\r\n" + part("model", "expensive")
        with pytest.raises(InvalidValue):
            read(joined(part("file", smuggled), MODEL))


class TestContentTypes:
    @pytest.mark.parametrize(
        "kind",
        [
            pytest.param("multipart/form-data; boundary=x", id="plain"),
            pytest.param('multipart/form-data; boundary="x"', id="quoted"),
            pytest.param("Multipart/Form-Data; Boundary=x", id="capitals"),
            pytest.param("multipart/form-data;charset=utf-8;boundary=x", id="another parameter"),
            pytest.param('multipart/form-data; boundary="' + "x" * 70 + '"', id="the longest"),
        ],
    )
    def test_a_form_is_known(self, kind: str) -> None:
        assert is_form(kind)

    @pytest.mark.parametrize(
        "kind",
        [
            pytest.param("", id="none"),
            pytest.param("application/json", id="JSON"),
            pytest.param("multipart/mixed; boundary=x", id="another multipart"),
            pytest.param("multipart/form-data", id="no boundary"),
            pytest.param("multipart/form-data; boundary=", id="an empty one"),
            pytest.param('multipart/form-data; boundary="a b"', id="a blank"),
            pytest.param('multipart/form-data; boundary="' + "x" * 71 + '"', id="too long"),
            pytest.param("multipart/form-data; boundary=é", id="not ASCII"),
        ],
    )
    def test_what_is_none_is_not(self, kind: str) -> None:
        assert not is_form(kind)
        with pytest.raises(BadRequest):
            read(joined(MODEL, boundary="x"), kind or "text/plain")

    @steady
    @given(st.text(max_size=80))
    def test_no_content_type_makes_it_fail(self, kind: str) -> None:
        assume("\n" not in kind and "\r" not in kind)
        assert isinstance(is_form(f"multipart/form-data; boundary={kind}"), bool)
        assert isinstance(is_form(kind), bool)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b'Content-Disposition: form-data; name="x"; name="model"', id="two names"),
        pytest.param(b'Content-Disposition: form-data; name="x"; NAME="model"', id="two names, one in capitals"),
        pytest.param(b"Content-Disposition: form-data; name*=utf-8''model", id="an encoded name"),
        pytest.param(
            b'Content-Disposition: form-data; name="x"\r\nContent-Disposition: form-data; name="model"', id="two"
        ),
        pytest.param(b'Content-Disposition: form-data;\r\n name="model"', id="folded"),
        pytest.param(b'X: y\nContent-Disposition: form-data; name="model"', id="behind a bare line feed"),
        pytest.param(b'X: y\rContent-Disposition: form-data; name="model"', id="behind a bare carriage return"),
    ],
)
def test_a_head_that_may_be_read_in_two_ways_is_refused(head: bytes) -> None:
    """An upstream that reads it the other way would serve a model that the key may not use."""
    with pytest.raises(BadRequest):
        read(joined(head + b"\r\n\r\nexpensive", MODEL))


def test_the_upstream_is_told_the_one_boundary_that_was_read() -> None:
    kind = "multipart/form-data; boundary=a; boundary=b; charset=x"
    assert read(joined(MODEL, boundary="a"), kind).form.content_type == 'multipart/form-data; boundary="a"'
