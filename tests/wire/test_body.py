"""What clients may send as a body; the ids B90 ... are those of the catalogue of bad inputs."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.call import Ask, Endpoint
from gateway.core.errors import InvalidJson, InvalidValue, JsonTooDeep, MissingParameter, Refusal
from gateway.wire.body import MAX_DEPTH, _is_deeper_than, read_ask
from gateway.wire.openai import OpenAI
from tests.values import make_call, make_target

HI = b'"messages":[{"role":"user","content":"hi"}]'
PROVIDERS = ("first", "second")


def read(body: bytes, endpoint: Endpoint = Endpoint.CHAT, **fields: Any) -> Ask:
    return read_ask(body, make_call(endpoint=endpoint, **fields), PROVIDERS)


def chat(extra: bytes = b"", model: bytes = b'"gpt"') -> bytes:
    return b'{"model":%b,%b%b}' % (model, HI, b"," + extra if extra else b"")


def raw(ask: Ask) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in ask.fields.items()}


def refusal(body: bytes, endpoint: Endpoint = Endpoint.CHAT) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(body, endpoint)
    assert caught.value.status == 400
    return caught.value


def test_an_ask_is_read_from_as_little_as_it_takes() -> None:
    ask = read(chat(b'"stream":true,"stream_options":{"include_usage":true},"max_tokens":9,"n":2'))
    assert (ask.model, ask.stream, ask.include_usage, ask.max_tokens, ask.n) == ("gpt", True, True, 9, 2)
    ask = read(chat())
    assert (ask.stream, ask.include_usage, ask.max_tokens, ask.n) == (False, False, None, 1)
    assert (ask.complexity, ask.provider) == (None, None)


class TestSyntax:
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="B79 empty"),
            pytest.param(b" \n ", id="B79 blanks"),
            pytest.param(b'{"a":', id="B90 truncated"),
            pytest.param(chat(b'"a":1,'), id="B90 trailing comma"),
            pytest.param(b"{'model':'gpt'}", id="B90 single quotes"),
            pytest.param(b"{/* no */}", id="B90 comment"),
            pytest.param(chat() + chat(), id="B90 two objects"),
            pytest.param(chat() + b" x", id="B90 something after it"),
            pytest.param(chat(b'"a":NaN'), id="B91 NaN"),
            pytest.param(chat(b'"a":Infinity'), id="B91 Infinity"),
            pytest.param(chat(b'"a":-Infinity'), id="B91 -Infinity"),
            pytest.param(chat(rb'"a":"\ud800"'), id="B99 lone surrogate"),
            pytest.param(chat(rb'"a":[{"b":"\udc00\ud800"}]'), id="B99 lone surrogates, nested"),
            pytest.param(chat(b'"a":"\xff"'), id="B100 no UTF-8"),
            pytest.param(chat(b'"a":"\xc0\xaf"'), id="B100 overlong"),
            pytest.param(chat(b'"a":"\xed\xa0\x80\xed\xb0\x80"'), id="B100 CESU surrogates"),
            pytest.param(chat(model=b'"\xff"'), id="B100 no UTF-8 in the model"),
            pytest.param(b"\xef\xbb\xbf" + chat(), id="B101 BOM"),
            pytest.param(chat().decode().encode("utf-16"), id="B102 UTF-16"),
            pytest.param(chat().decode().encode("utf-16-le"), id="B102 UTF-16, no BOM"),
            pytest.param(chat().decode().encode("utf-32"), id="B102 UTF-32"),
            pytest.param(chat(b'"a":"\x00"'), id="B104 raw NUL"),
            pytest.param(chat(b'"a":"\n"'), id="B104 raw newline"),
            pytest.param(chat(b'"a":01'), id="B109 01"),
            pytest.param(chat(b'"a":.5'), id="B109 .5"),
            pytest.param(chat(b'"a":+1'), id="B109 +1"),
        ],
    )
    def test_what_is_no_json_is_refused(self, body: bytes) -> None:
        assert isinstance(refusal(body), InvalidJson)

    @pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1", b"true"], ids="B105 {}".format)
    def test_what_is_no_object_is_refused(self, body: bytes) -> None:
        assert isinstance(refusal(body), InvalidValue)

    @pytest.mark.parametrize(
        "body", [b'{"model":"a","model":"b",%b}' % HI, rb'{"model":"a","mod\u0065l":"b",' + HI + b"}"]
    )
    def test_of_a_field_that_is_there_twice_the_last_counts_and_is_sent_once(self, body: bytes) -> None:
        ask = read(body)
        assert ask.model == "b"
        sent = OpenAI("/chat/completions").request(ask, make_target("gpt")).body
        assert json.loads(sent, object_pairs_hook=list)[0] == ("model", "gpt")
        assert sent.count(b'"model"') == 1

    @pytest.mark.parametrize("name", ["__proto__", "__class__", "constructor", "api_base", "chat_template", "é"])
    def test_unknown_fields_pass(self, name: str) -> None:
        assert raw(read(chat(json.dumps(name).encode() + b': {"a" : 1}')))[name] == b'{"a" : 1}'

    def test_so_do_70_000_of_them(self) -> None:
        body = chat(b",".join(b'"k%d":0' % i for i in range(70_000)))
        assert len(read(body).fields) == 70_002


class TestDepth:
    @pytest.mark.parametrize(
        ("opening", "closing"),
        [
            pytest.param([b'{"a":'], [b"}"], id="objects"),
            pytest.param([b"["], [b"]"], id="lists"),
            pytest.param([b"[", b'{"a":'], [b"]", b"}"], id="both"),
        ],
    )
    def test_64_layers_are_read_and_65_are_not(self, opening: list[bytes], closing: list[bytes]) -> None:
        def nested(layers: int) -> bytes:
            kinds = [layer % len(opening) for layer in range(layers)]
            return b"".join(opening[k] for k in kinds) + b"1" + b"".join(closing[k] for k in reversed(kinds))

        read(chat(b'"a":' + nested(MAX_DEPTH - 1)))  # the body's own braces are the first layer
        assert isinstance(refusal(chat(b'"a":' + nested(MAX_DEPTH))), JsonTooDeep)

    @pytest.mark.parametrize("depth", [100, 500, 1024, 100_000])
    @pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
    def test_any_depth_beyond_is_refused_alike(self, depth: int, opening: bytes, closing: bytes) -> None:
        assert isinstance(refusal(chat(b'"a":' + opening * depth + b"1" + closing * depth)), JsonTooDeep)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(b"[{" * 200, id="brackets"),
            pytest.param(rb"\"[" * 200, id="escaped quotes"),
            pytest.param(rb"\\\"{" * 200, id="escaped backslashes and quotes"),
            pytest.param(b"[" * 200 + rb"\\", id="escaped backslash at the end"),
            pytest.param(rb"\u0022[" * 200, id="quotes as code points"),
        ],
    )
    def test_brackets_in_strings_are_no_depth(self, text: bytes) -> None:
        read(chat(b'"a":["' + text + b'","' + text + b'"],"' + text + b'":[]'))

    def test_many_brackets_side_by_side_are_no_depth(self) -> None:
        read(chat(b'"a":[' + b",".join([b"[{}]"] * 1000) + b"]"))


def depth_of(value: object) -> int:
    """The reference: as one would write it, were nesting no danger."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


TEXTS = st.text(st.sampled_from('[]{}"\\/:, aé\n\u2028'), max_size=8)
ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSON = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))


@given(JSON, st.integers(0, 8), st.booleans())
@example({"a": [1]}, 1, False)
def test_depth_is_what_a_recursive_count_says(value: object, limit: int, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert _is_deeper_than(body, limit) == (depth_of(value) > limit)


class TestFields:
    @pytest.mark.parametrize("value", [b"null", b"1", b"[]", b"{}", b'""', b'" "', b'"' + b"m" * 257 + b'"'])
    def test_b110_the_model_is_a_name(self, value: bytes) -> None:
        refused = refusal(chat(model=value))
        assert isinstance(refused, MissingParameter if value == b"null" else InvalidValue)
        assert refused.param == "model"

    def test_b110_and_has_to_be_there(self) -> None:
        refused = refusal(b"{%b}" % HI)
        assert isinstance(refused, MissingParameter)
        assert refused.param == "model"

    @pytest.mark.parametrize("value", [b"null", b"{}", b'""', b'"hi"', b"[]", b"[ ]", b"1"])
    def test_b113_messages_are_a_list_with_something_in_it(self, value: bytes) -> None:
        assert refusal(b'{"model":"gpt","messages": %b }' % value).param == "messages"

    def test_b113_and_have_to_be_there(self) -> None:
        refused = refusal(b'{"model":"gpt","input":"hi"}')
        assert isinstance(refused, MissingParameter)
        assert refused.param == "messages"

    @pytest.mark.parametrize("value", [b"null", b"1", b"[]", b'{"role":7}', b'{"role":"root"}', b'{"content":{}}'])
    def test_b114_what_is_in_messages_is_for_the_upstream_to_judge(self, value: bytes) -> None:
        assert raw(read(b'{"model":"gpt","messages":[%b]}' % value))["messages"] == b"[%b]" % value

    @pytest.mark.parametrize("value", [b'"hi"', b'["a","b"]', b"[1,2]", b"[[1],[2]]"])
    def test_input_is_text_or_a_list(self, value: bytes) -> None:
        body = b'{"model":"e","input":%b}' % value
        assert raw(read(body, Endpoint.EMBEDDINGS))["input"] == value

    @pytest.mark.parametrize("value", [b"null", b"{}", b"[]", b"1", b"true"])
    def test_and_nothing_else(self, value: bytes) -> None:
        assert refusal(b'{"model":"e","input":%b}' % value, Endpoint.EMBEDDINGS).param == "input"

    @pytest.mark.parametrize("value", [b'"true"', b"1", b"0", b"[]", b"{}"])
    def test_b117_stream_is_a_boolean(self, value: bytes) -> None:
        assert refusal(chat(b'"stream":' + value)).param == "stream"

    def test_b117_null_is_false(self) -> None:
        assert read(chat(b'"stream":null')).stream is False

    def test_embeddings_are_not_streamed(self) -> None:
        assert refusal(b'{"model":"e","input":"a","stream":true}', Endpoint.EMBEDDINGS).param == "stream"
        assert not read(b'{"model":"e","input":"a","stream":false}', Endpoint.EMBEDDINGS).stream

    @pytest.mark.parametrize("value", [b'{"include_usage":"yes"}', b'{"include_usage":1}', b"[]", b"true", b'"x"'])
    def test_b118_stream_options_are_an_object(self, value: bytes) -> None:
        assert refusal(chat(b'"stream":true,"stream_options":' + value)).param == "stream_options"

    @pytest.mark.parametrize("value", [b"null", b"{}", b'{"include_usage":null}', b'{"include_usage":false,"x":[1]}'])
    def test_b118_usage_is_asked_for_in_so_many_words(self, value: bytes) -> None:
        assert not read(chat(b'"stream":true,"stream_options":' + value)).include_usage

    @pytest.mark.parametrize("value", [b"0", b"-1", b"1.5", b'"2"', b"1000000000", b"true", b"129", b"9" * 30, b"[]"])
    def test_b119_n_is_a_small_number(self, value: bytes) -> None:
        assert refusal(chat(b'"n":' + value)).param == "n"

    @pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
    @pytest.mark.parametrize(
        "value", [b"-1", b'"10"', b"1.5", b"true", b"{}", b"1e3", b"9" * 30, b"9" * 4000, b"9" * 5000], ids=len
    )
    def test_b120_limits_are_non_negative_integers(self, name: str, value: bytes) -> None:
        assert refusal(chat(b'"%b":%b' % (name.encode(), value))).param == name

    @pytest.mark.parametrize(
        ("fields", "counted"),
        [
            (b'"max_tokens":0', 0),
            (b'"max_tokens":1000000000000', 10**12),
            (b'"max_tokens":null', None),
            (b'"max_tokens":-0', 0),
            (b'"max_tokens":10,"max_completion_tokens":20', 20),
            (b'"max_tokens":20,"max_completion_tokens":10', 10),
            (b'"max_tokens":null,"max_completion_tokens":10', 10),
        ],
    )
    def test_b120_of_two_limits_the_newer_name_counts(self, fields: bytes, counted: int | None) -> None:
        assert read(chat(fields)).max_tokens == counted

    def test_a_prompt_is_estimated_by_its_bytes(self) -> None:
        assert read(b'{"model":"gpt","messages":["%b"]}' % (b"x" * 31)).prompt_tokens == 10
        assert read(b'{"model":"e","input":"%b"}' % (b"x" * 33), Endpoint.EMBEDDINGS).prompt_tokens == 10


class TestHints:
    def test_a_complexity_is_read_and_taken_out(self) -> None:
        ask = read(chat(b'"complexity":"simple"'))
        assert ask.complexity == "simple"
        assert "complexity" not in ask.fields

    def test_the_headers_go_before_the_body(self) -> None:
        ask = read(chat(b'"complexity":"simple","provider":"first"'), complexity="complex", provider="second")
        assert (ask.complexity, ask.provider) == ("complex", "second")
        assert ask.fields.keys() == {"model", "messages"}

    @pytest.mark.parametrize("value", [b"1", b"[]", b"{}", b"true"])
    def test_a_complexity_that_is_no_text_is_refused(self, value: bytes) -> None:
        assert refusal(chat(b'"complexity":' + value)).param == "complexity"

    def test_a_complexity_of_null_is_none_and_taken_out(self) -> None:
        ask = read(chat(b'"complexity":null'))
        assert ask.complexity is None
        assert "complexity" not in ask.fields

    def test_an_upstreams_name_as_provider_is_taken_out(self) -> None:
        ask = read(chat(b'"provider": "second"'))
        assert ask.provider == "second"
        assert "provider" not in ask.fields

    @pytest.mark.parametrize("value", [b'"openrouter"', b'{"order": ["a"]}', b"null", b"7", b"[]", b'""'])
    def test_any_other_provider_belongs_to_the_upstream(self, value: bytes) -> None:
        ask = read(chat(b'"provider": ' + value))
        assert ask.provider is None
        assert raw(ask)["provider"] == value


NUMBERS = [b"1.0", b"1e2", b"-0", b"1E+2", b"0.10", b"9" * 30, b"-1.50e-7", b"10000000000000000000001"]


@pytest.mark.parametrize("number", NUMBERS, ids=bytes.decode)
def test_untouched_numbers_keep_their_bytes_all_the_way(number: bytes) -> None:
    sent = (
        OpenAI("/chat/completions")
        .request(read(chat(b'"seed": %b , "x":[%b]' % (number, number))), make_target("gpt"))
        .body
    )
    assert b'"seed":%b' % number in sent
    assert b'"x":[%b]' % number in sent


@given(st.dictionaries(st.text(max_size=6).map("x-".__add__), JSON, max_size=5), st.booleans(), st.integers(0, 3))
def test_untouched_fields_keep_their_bytes_all_the_way(
    given_fields: dict[str, object], ascii_only: bool, indent: int
) -> None:
    given_bytes = {name: json.dumps(v, ensure_ascii=ascii_only, indent=indent) for name, v in given_fields.items()}
    members = [f"{json.dumps(name)}: {value}" for name, value in given_bytes.items()]
    ask = read("{{{}}}".format(",\n".join(['"model": "gpt"', HI.decode(), *members])).encode())
    sent = OpenAI("/chat/completions").request(ask, make_target("gpt")).body
    received = read(sent).fields
    assert received.keys() == ask.fields.keys()
    for name, value in given_bytes.items():
        assert bytes(received[name]).decode() == value
