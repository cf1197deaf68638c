from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.fault import ProtocolFault
from gateway.upstream.head import MAX_BYTES, MAX_COUNT, Head, HeadParser
from gateway.wire.framing import Body, ChunkedBody, CloseBody, LengthBody

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"


def with_headers(*lines: bytes, start: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([start, *lines, b"", b""])


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]


def parse(*reads: bytes) -> tuple[Head | None, bytes]:
    """The head, and what came behind it."""
    parser = HeadParser()
    for number, data in enumerate(reads):
        head = parser.feed(data)
        if head is not None:
            return head, parser.rest + b"".join(reads[number + 1 :])
    return None, b""


def body_of(*lines: bytes, start: bytes = b"HTTP/1.1 200 OK") -> Body:
    head, _ = parse(with_headers(*lines, start=start))
    assert head is not None
    return head.body


def assert_refused(stream: bytes) -> None:
    for reads in ([stream], one_by_one(stream), [EARLY + stream]):
        with pytest.raises(ProtocolFault):
            parse(*reads)


def test_a_head_is_the_same_at_every_cut() -> None:
    stream = OK + b"{}HTTP/1.1"
    for reads in [[stream[:at], stream[at:]] for at in range(len(stream))] + [one_by_one(stream)]:
        head, rest = parse(*reads)
        assert head is not None
        assert (head.status, head.keep_alive, rest) == (200, True, b"{}HTTP/1.1")
        assert head.headers == {b"content-type": b"application/json", b"content-length": b"2"}
        assert isinstance(head.body, LengthBody)
        assert head.body.left == 2


def test_names_are_in_any_case_and_of_a_repeated_header_the_first_value_counts() -> None:
    head, _ = parse(with_headers(b"RETRY-after: 7", b"Retry-After: 99", b"X-Odd: \xe9"))
    assert head is not None
    assert (head.get(b"retry-after"), head.get(b"x-odd"), head.get(b"nothing")) == ("7", "é", None)


@pytest.mark.parametrize("count", [1, 2, 200])
def test_any_number_of_1xx_is_skipped(count: int) -> None:
    stream = EARLY * count + b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"{}"
    for reads in [[stream], [stream[:70], stream[70:]], one_by_one(stream)]:
        head, rest = parse(*reads)
        assert head is not None
        assert (head.status, rest) == (200, b"{}")
        assert b"link" not in head.headers


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade", id="U12 101"),
        pytest.param(b"HTTP/1.1 999 Odd", id="U12 999"),
        pytest.param(b"HTTP/1.1 600 Odd", id="600"),
        pytest.param(b"HTTP/1.1 1000 Odd", id="U12 1000"),
        pytest.param(
            b"HTTP/1.1 099 Odd",
            id="U12 099",
        ),
        pytest.param(
            b"HTTP/1.1 000 Odd",
            id="000",
        ),
        pytest.param(b"HTTP/1.1 20 Odd", id="two digits"),
        pytest.param(b"HTTP/1.1 -20 Odd", id="negative"),
        pytest.param(b"HTTP/1.1 OK", id="no status"),
        pytest.param(b"HTTP/2.0 200 OK", id="HTTP/2.0"),
        pytest.param(b"HTTP/1.2 200 OK", id="HTTP/1.2"),
        pytest.param(b"HTTP/1.10 200 OK", id="HTTP/1.10"),
        pytest.param(b"HTTP/0.9 200 OK", id="HTTP/0.9"),
        pytest.param(b"HTTP/3 200 OK", id="HTTP/3"),
        pytest.param(b"http/1.1 200 OK", id="lower case"),
        pytest.param(b"ICY 200 OK", id="another protocol"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2p1 Debian-2", id="U08 SSH"),
        pytest.param(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", id="U08 HTTP/2 frame"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x0a", id="U08 TLS alert"),
        pytest.param(b"POST / HTTP/1.1", id="a request"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2", id="bare LF"),
    ],
)
def test_a_first_line_is_one_of_http_1_or_a_fault(start: bytes) -> None:
    assert_refused(with_headers(b"Content-Length: 2", start=start))


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 599 ", b"HTTP/1.1 200"])
def test_any_reason_will_do(start: bytes) -> None:
    head, _ = parse(with_headers(b"Content-Length: 2", start=start))
    assert head is not None
    assert head.status == int(start[9:12])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"X-Odd: a\x00b", id="U11 NUL"),
        pytest.param(b"X-Odd: a\x01b", id="U11 control character"),
        pytest.param(b"X-Odd: a\rb", id="bare CR"),
        pytest.param(b"X-Odd: a\n b", id="bare LF"),
        pytest.param(b"X-Odd: a\r\n folded", id="folded"),
        pytest.param(b"X Odd: a", id="blank in a name"),
        pytest.param(b"X-Odd : a", id="blank after a name"),
        pytest.param(b": a", id="no name"),
        pytest.param(b"no colon", id="no colon"),
        pytest.param(b"X(Odd): a", id="parentheses in a name"),
    ],
)
def test_a_header_is_well_formed_or_a_fault(line: bytes) -> None:
    assert_refused(with_headers(b"Content-Length: 2", line))


class TestBounds:
    def test_128_headers_are_read_and_129_are_not(self) -> None:
        head, _ = parse(with_headers(*[b"X-%d: a" % i for i in range(MAX_COUNT)]))
        assert head is not None
        assert_refused(with_headers(*[b"X-%d: a" % i for i in range(MAX_COUNT + 1)]))

    def test_64_kb_are_read_and_a_byte_more_is_not(self) -> None:
        def of(size: int) -> bytes:
            return with_headers(b"X-Big: " + b"a" * (size - len(with_headers(b"X-Big: "))))

        assert len(of(MAX_BYTES)) == MAX_BYTES
        head, rest = parse(of(MAX_BYTES) + b"x" * 100_000)
        assert head is not None
        assert len(rest) == 100_000
        assert_refused(of(MAX_BYTES + 1))

    @pytest.mark.parametrize("start", [b"HTTP/1.1 200 " + b"O" * 70_000, b"HTTP/1.1 200 OK\r\n" + b"X" * 70_000])
    def test_a_head_without_end_is_a_fault_before_its_end(self, start: bytes) -> None:
        with pytest.raises(ProtocolFault):
            parse(start)
        with pytest.raises(ProtocolFault):
            parse(*one_by_one(start))

    def test_a_flood_of_1xx_costs_no_more_than_its_bytes(self) -> None:
        parser = HeadParser()
        for _ in range(1000):
            assert parser.feed(EARLY * 10) is None


class TestBodies:
    @pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b" CHUNKED "])
    def test_chunked_once_is_chunked(self, coding: bytes) -> None:
        assert isinstance(body_of(b"Transfer-Encoding: " + coding), ChunkedBody)

    @pytest.mark.parametrize(
        "lines",
        [
            pytest.param([b"Transfer-Encoding: gzip, chunked"], id="gzip too"),
            pytest.param([b"Transfer-Encoding: chunked, chunked"], id="chunked twice"),
            pytest.param([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], id="two headers"),
            pytest.param([b"Transfer-Encoding: chunked, identity"], id="identity too"),
            pytest.param([b"Transfer-Encoding: identity"], id="identity"),
            pytest.param([b"Transfer-Encoding: gzip"], id="gzip"),
            pytest.param([b"Transfer-Encoding: xchunked"], id="xchunked"),
            pytest.param([b"Transfer-Encoding: \x0bchunked"], id="vertical tab"),
            pytest.param([b'Transfer-Encoding: "chunked"'], id="quoted"),
            pytest.param([b"Transfer-Encoding: chunked;q=1"], id="parameter"),
            pytest.param([b"Transfer-Encoding:"], id="empty"),
            pytest.param([b"Transfer-Encoding: chunked", b"Content-Length: 2"], id="and a length"),
            pytest.param([b"Content-Length: 2", b"Transfer-Encoding: chunked"], id="a length and"),
        ],
    )
    def test_any_other_transfer_encoding_is_a_fault(self, lines: list[bytes]) -> None:
        assert_refused(with_headers(*lines))

    def test_so_is_chunked_in_http_1_0(self) -> None:
        assert_refused(with_headers(b"Transfer-Encoding: chunked", start=b"HTTP/1.0 200 OK"))

    @pytest.mark.parametrize(
        "lines",
        [
            pytest.param([b"Content-Length: 2", b"Content-Length: 2"], id="twice the same"),
            pytest.param([b"Content-Length: 2", b"Content-Length: 3"], id="two"),
            pytest.param([b"Content-Length: 2, 2"], id="a list"),
            pytest.param([b"Content-Length: +2"], id="plus"),
            pytest.param([b"Content-Length: -2"], id="minus"),
            pytest.param([b"Content-Length: 0x2"], id="hexadecimal"),
            pytest.param([b"Content-Length: 2 2"], id="blank"),
            pytest.param([b"Content-Length: 1e1"], id="exponent"),
            pytest.param([b"Content-Length:"], id="empty"),
            pytest.param([b"Content-Length: " + b"1" * 19], id="19 digits"),
            pytest.param([b"Content-Length: 18446744073709551618"], id="2^64 + 2"),
        ],
    )
    def test_a_length_is_one_plain_number_or_a_fault(self, lines: list[bytes]) -> None:
        assert_refused(with_headers(*lines))

    def test_without_either_the_body_ends_with_the_connection(self) -> None:
        assert isinstance(body_of(b"Content-Type: text/event-stream"), CloseBody)

    @pytest.mark.parametrize("status", [204, 304])
    def test_some_statuses_have_no_body(self, status: int) -> None:
        body = body_of(b"Content-Length: 100", start=b"HTTP/1.1 %d X" % status)
        assert body.complete


@pytest.mark.parametrize(
    ("start", "lines", "kept"),
    [
        (b"HTTP/1.1 200 OK", [b"Content-Length: 2"], True),
        (b"HTTP/1.1 200 OK", [b"Transfer-Encoding: chunked"], True),
        (b"HTTP/1.1 200 OK", [b"Content-Length: 2", b"Connection: close"], False),
        (b"HTTP/1.1 200 OK", [b"Content-Length: 2", b"Connection: Keep-Alive, Close"], False),
        (b"HTTP/1.1 200 OK", [b"Connection: keep-alive"], False),
        (b"HTTP/1.0 200 OK", [b"Content-Length: 2"], False),
        (b"HTTP/1.0 200 OK", [b"Content-Length: 2", b"Connection: keep-alive"], True),
        (b"HTTP/1.1 500 Oh", [b"Content-Length: 2"], True),
    ],
    ids=str,
)
def test_a_connection_is_kept_as_its_head_says(start: bytes, lines: list[bytes], kept: bool) -> None:
    head, _ = parse(with_headers(*lines, start=start))
    assert head is not None
    assert head.keep_alive is kept


PIECES = st.sampled_from(
    [OK, EARLY, b"HTTP/1.1 ", b"200 OK", b"\r\n", b"\n", b"\r", b"X: y", b"Content-Length: 2", b"\x00", b" ", b":"]
)


@given(st.lists(PIECES, max_size=10).map(b"".join), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_come_to_the_same_at_every_cut(stream: bytes, cuts: list[int]) -> None:
    def verdict(*reads: bytes) -> tuple[int, dict[bytes, bytes], bytes] | str | None:
        try:
            head, rest = parse(*reads)
        except ProtocolFault:
            return "fault"
        return None if head is None else (head.status, head.headers, rest)

    places = sorted({0, len(stream), *(place % (len(stream) + 1) for place in cuts)})
    expected = verdict(stream)
    assert verdict(*(stream[a:b] for a, b in pairwise(places))) == expected
    assert verdict(*one_by_one(stream)) == expected
