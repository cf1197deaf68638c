from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.headers import (
    forwarded,
    is_name,
    is_request_id,
    is_upstream_id,
    read_fields,
    read_retry_after,
    retry_headers,
)

NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC).timestamp()


def date(wait: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + wait, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("milliseconds", "seconds", "wait"),
    [
        pytest.param(None, None, 1, id="nothing said"),
        pytest.param(None, "7", 7, id="U19 seconds"),
        pytest.param(None, "2.5", 2.5, id="fractions"),
        pytest.param("1500", None, 1.5, id="milliseconds"),
        pytest.param("1500", "7", 1.5, id="milliseconds go first"),
        pytest.param("soon", "7", 7, id="milliseconds that can't be read do not"),
        pytest.param(None, date(10), 10, id="U20 date"),
        pytest.param(None, date(-10), 1, id="U20 date in the past"),
        pytest.param(None, date(86400), 60, id="U20 date tomorrow"),
        pytest.param(None, "Sat, 01 Mar 2025 14:00:20 +0200", 20, id="U20 date of another zone"),
        pytest.param(None, "0", 1, id="zero"),
        pytest.param("5", None, 1, id="5 ms"),
        pytest.param(None, "-5", 1, id="U21 negative"),
        pytest.param(None, "99999999", 60, id="U21 years"),
        pytest.param(None, "soon", 1, id="U21 no number"),
        pytest.param(None, "1e3", 1, id="exponent"),
        pytest.param(None, "7, 8", 1, id="two values"),
        pytest.param(None, "", 1, id="empty"),
        pytest.param(None, "nan", 1, id="NaN"),
        pytest.param(None, "9" * 5000, 1, id="no end of digits"),
        pytest.param(None, "Sat, 99 Foo 2025 99:99:99 GMT", 1, id="impossible date"),
        pytest.param(None, "Fri, 31 Dec 9999 23:59:59 -2359", 60, id="date beyond the calendar"),
    ],
)
def test_retry_after_is_read_in_all_its_forms(milliseconds: str | None, seconds: str | None, wait: float) -> None:
    assert read_retry_after(milliseconds, seconds, NOW) == wait


DATES = st.from_regex(r"[A-Z][a-z]{2}, \d{1,4} [A-Z][a-z]{2} \d{1,6} \d{1,3}:\d{1,3}(:\d{1,3})?( [+-]\d{1,6}| GMT)?")


@given(st.none() | st.text(), st.none() | st.text() | DATES | st.from_regex(r"\d{1,12}(\.\d*)?"))
def test_whatever_an_upstream_says_is_1_to_60_seconds(milliseconds: str | None, seconds: str | None) -> None:
    assert 1 <= read_retry_after(milliseconds, seconds, NOW) <= 60


@pytest.mark.parametrize(
    ("wait", "headers"),
    [
        (1.0, {"retry-after": "1", "retry-after-ms": "1000"}),
        (1.146, {"retry-after": "2", "retry-after-ms": "1146"}),
        (0.0004, {"retry-after": "1", "retry-after-ms": "1"}),
        (60.0, {"retry-after": "60", "retry-after-ms": "60000"}),
        (60.5, {"retry-after": "61", "retry-after-ms": "60500", "x-should-retry": "false"}),
    ],
)
def test_a_wait_is_said_in_whole_seconds_and_in_milliseconds(wait: float, headers: dict[str, str]) -> None:
    assert dict(retry_headers(wait)) == headers


@pytest.mark.parametrize("name", ["a", "A-z_0.9", "x" * 64])
def test_request_ids_that_are_kept(name: str) -> None:
    assert is_request_id(name)


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a\n", "\na", "a\r\nX: y", "é", "a/b", "a:b", "²", "a\x00"])
def test_request_ids_that_are_replaced(name: str) -> None:
    assert not is_request_id(name)


@pytest.mark.parametrize(("name", "shown"), [("req_1:2.a-B", True), ("x" * 129, False), ("a b", False), ("a\n", False)])
def test_an_upstreams_request_id_is_shown_if_it_is_plain(name: str, shown: bool) -> None:
    assert is_upstream_id(name) is shown


@pytest.mark.parametrize("name", ["gpt-4o", "ollama/llama3:8b", "a@b", "ft:gpt:x+y", "7b", "x" * 256])
def test_model_names_that_are_shown(name: str) -> None:
    assert is_name(name)


ODD_NAMES = """
* ../../etc/passwd /a ${jndi:x} {{7*7}} %s gpt?x=1 gpt#1 gpt&x g\u0440t \u202egpt \U0001f600 a\x00 a,b 'a' a"b a\\b
"""


@pytest.mark.parametrize("name", [*ODD_NAMES.split(), "", " gpt", "gpt\n", "a b", "x" * 257])
def test_model_names_that_are_not(name: str) -> None:
    assert not is_name(name)


NOT_FORWARDED = """
authorization x-api-key proxy-authorization cookie host connection transfer-encoding content-length content-encoding
accept-encoding te upgrade expect x-forwarded-for forwarded x-real-ip openai-organization openai-project
x-stainless-lang user_agent x-user-agent
"""


class TestForwarded:
    def test_only_listed_headers_pass_in_lower_case(self) -> None:
        headers = [(b"User-Agent", b"sdk/1"), (b"ACCEPT", b"*/*"), (b"openai-beta", b"x=1")]
        assert forwarded(read_fields(headers)) == (
            (b"accept", b"*/*"),
            (b"user-agent", b"sdk/1"),
            (b"openai-beta", b"x=1"),
        )

    def test_what_connection_nominates_stays_behind(self) -> None:
        headers = [
            (b"User-Agent", b"sdk/1"),
            (b"Connection", b"keep-alive, user-AGENT"),
            (b"Accept", b"*/*"),
            (b"connection", b"openai-beta"),
            (b"OpenAI-Beta", b"x=1"),
        ]
        assert forwarded(read_fields(headers)) == ((b"accept", b"*/*"),)

    def test_a_header_that_comes_twice_passes_twice(self) -> None:
        headers = [(b"OpenAI-Beta", b"x=1"), (b"Accept", b"*/*"), (b"openai-beta", b"y=2")]
        assert forwarded(read_fields(headers)) == (
            (b"accept", b"*/*"),
            (b"openai-beta", b"x=1"),
            (b"openai-beta", b"y=2"),
        )

    @pytest.mark.parametrize("value", [b"a\r\nX: y", b"a\nX: y", b"\n", b"a\r"])
    def test_no_line_end_passes_in_a_value(self, value: bytes) -> None:
        assert not any({*b"\r\n"} & {*passed} for _, passed in forwarded(read_fields([(b"accept", value)])))

    @pytest.mark.parametrize("name", NOT_FORWARDED.split())
    def test_everything_else_stays_behind(self, name: str) -> None:
        assert forwarded(read_fields([(name.encode(), b"canary"), (name.upper().encode(), b"canary")])) == ()

    @pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"a\x00", b"a\tb", b"x" * 1025, "é".encode()], ids=len)
    def test_a_value_that_is_not_visible_is_dropped(self, value: bytes) -> None:
        assert forwarded(read_fields([(b"User-Agent", value), (b"Accept", b"*/*")])) == ((b"accept", b"*/*"),)
