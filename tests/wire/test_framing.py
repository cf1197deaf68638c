from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.wire.framing import MAX_TRAILERS, ChunkedBody, CloseBody, FramingError, LengthBody

HELLO = b"5\r\nhello\r\n"
END = b"0\r\n\r\n"


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(place % (len(stream) + 1) for place in at)})
    return [stream[a:b] for a, b in pairwise(places)]


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]


def read(reads: list[bytes]) -> tuple[bytes, bool, bytes]:
    """The payload, whether it is complete, and what came after its end."""
    body = ChunkedBody()
    payload, rest = b"", b""
    for data in reads:
        if body.complete:
            rest += data
            continue
        payload += body.feed(data)
        rest = body.rest
    return payload, body.complete, rest


class TestLength:
    def test_it_ends_after_so_many_bytes_and_gives_back_what_follows(self) -> None:
        body = LengthBody(5)
        assert [(body.feed(data), body.complete) for data in (b"hel", b"loHTTP/1.1")] == [
            (b"hel", False),
            (b"lo", True),
        ]
        assert body.rest == b"HTTP/1.1"

    def test_no_bytes_at_all_are_complete_at_once(self) -> None:
        body = LengthBody(0)
        assert body.complete
        assert (body.feed(b"more"), body.rest) == (b"", b"more")

    def test_bytes_after_a_complete_body_are_rest_and_no_payload(self) -> None:
        body = LengthBody(2)
        assert body.feed(b"ok") == b"ok"
        assert (body.feed(b"more"), body.rest) == (b"", b"more")

    def test_the_end_of_the_connection_completes_nothing(self) -> None:
        body = LengthBody(2)
        body.feed(b"o")
        assert not body.at_eof()
        body.feed(b"k")
        assert body.at_eof()

    def test_its_reads_are_never_taken_for_chunks(self) -> None:
        body = LengthBody(100)
        assert body.feed(HELLO) == HELLO
        assert not body.whole


class TestClose:
    def test_everything_is_payload_until_the_clean_end(self) -> None:
        body = CloseBody()
        assert body.at_eof()
        assert body.feed(HELLO) == HELLO
        assert not body.complete
        assert not body.whole
        assert body.at_eof()


class TestChunked:
    @pytest.mark.parametrize("reads", [[HELLO + END], [HELLO, END], one_by_one(HELLO + END)], ids=len)
    def test_the_payload_is_what_is_in_the_chunks(self, reads: list[bytes]) -> None:
        assert read(reads) == (b"hello", True, b"")

    @pytest.mark.parametrize("size", [b"a", b"A", b"10", b"fF", b"FF"])
    def test_sizes_are_hexadecimal_in_either_case(self, size: bytes) -> None:
        payload = b"x" * int(size, 16)
        assert read([size + b"\r\n" + payload + b"\r\n" + END]) == (payload, True, b"")

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(b"05\r\n", id="leading zero"),
            pytest.param(b"00\r\n", id="two zeros"),
            pytest.param(b"0x5\r\n", id="0x"),
            pytest.param(b"+5\r\n", id="plus"),
            pytest.param(b"-5\r\n", id="minus"),
            pytest.param(b"1_0\r\n", id="underscore"),
            pytest.param(b" 5\r\n", id="blank before"),
            pytest.param(b"5 \r\n", id="blank after"),
            pytest.param(b"5\t\r\n", id="tab after"),
            pytest.param(b"5;\r\n", id="empty extension"),
            pytest.param(b"5;a=b\r\n", id="extension"),
            pytest.param(b"5\n", id="bare LF"),
            pytest.param(b"5\r\r\n", id="two CRs"),
            pytest.param(b"\r\n", id="nothing"),
            pytest.param(b"g\r\n", id="no hexadecimal digit"),
            pytest.param(b"\xb2\r\n", id="superscript two"),
            pytest.param(b"\x00\r\n", id="NUL"),
            pytest.param(b"123456789\r\n", id="nine digits"),
            pytest.param(b"5" * 100, id="without end"),
        ],
    )
    @pytest.mark.parametrize("before", [b"", HELLO], ids=["first", "later"])
    def test_a_size_is_a_plain_hexadecimal_number_or_an_error(self, line: bytes, before: bytes) -> None:
        stream = before + line + b"hello\r\n" + END
        for reads in [[stream], [before, line, b"hello\r\n"], one_by_one(stream)]:
            with pytest.raises(FramingError):
                read(reads)

    @pytest.mark.parametrize(
        "stream",
        [
            pytest.param(b"5\r\nhello!\r\n", id="longer than its size"),
            pytest.param(b"5\r\nhell\r\n5", id="shorter than its size"),
            pytest.param(b"5\r\nhello\n", id="bare LF after it"),
            pytest.param(b"5\r\nhello\rX", id="half a line end after it"),
            pytest.param(b"5\r\nhello5\r\nhello\r\n", id="nothing after it"),
        ],
    )
    def test_a_chunk_is_as_long_as_its_size_or_an_error(self, stream: bytes) -> None:
        for reads in [[stream], [stream[:3], stream[3:]], [stream[:8], stream[8:]], one_by_one(stream)]:
            with pytest.raises(FramingError):
                read(reads)

    def test_trailers_are_dropped(self) -> None:
        stream = HELLO + b"0\r\nContent-Length: 3\r\nX-Two: b\r\n\r\nnext"
        for reads in [[stream], one_by_one(stream)]:
            assert read(reads) == (b"hello", True, b"next")

    @pytest.mark.parametrize(
        "trailers",
        [
            pytest.param(b"X-Many: a\r\n" * 1000, id="a thousand"),
            pytest.param(b"X-Long: " + b"a" * MAX_TRAILERS, id="one without end"),
            pytest.param(b"X-Odd: a\n\r\n", id="bare LF"),
            pytest.param(b"\n", id="bare LF at the end"),
        ],
    )
    def test_trailers_are_bounded_and_end_in_crlf(self, trailers: bytes) -> None:
        stream = HELLO + b"0\r\n" + trailers
        for reads in [[stream], one_by_one(stream)]:
            with pytest.raises(FramingError):
                read(reads)

    def test_it_is_complete_at_its_last_byte_and_not_before(self) -> None:
        stream = HELLO + b"0\r\nX: a\r\n\r\n"
        for length in range(len(stream) + 1):
            body = ChunkedBody()
            body.feed(stream[:length])
            assert body.complete == body.at_eof() == (length == len(stream))


class TestWhole:
    """`whole` lets a read be passed on with its framing, so it must never be said of anything else."""

    @pytest.mark.parametrize("payload", [b"h", b"hello", b"x" * 16, b"x" * 5000, HELLO, b"\r\n"])
    def test_a_read_that_is_exactly_one_chunk_is_whole(self, payload: bytes) -> None:
        body = ChunkedBody()
        for _ in range(3):
            assert body.feed(chunk(payload)) == payload
            assert body.whole

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(HELLO + HELLO, id="two chunks"),
            pytest.param(HELLO[:-1], id="without its last byte"),
            pytest.param(HELLO[:-2], id="without its line end"),
            pytest.param(HELLO + b"5", id="and the next one's first byte"),
            pytest.param(END, id="the last chunk"),
            pytest.param(HELLO + END, id="and the last chunk"),
            pytest.param(b"", id="nothing"),
        ],
    )
    def test_anything_else_is_not(self, data: bytes) -> None:
        body = ChunkedBody()
        body.feed(data)
        assert not body.whole

    def test_the_rest_of_a_size_that_was_split_over_two_reads_is_not(self) -> None:
        body = ChunkedBody()
        body.feed(b"1")
        assert body.feed(HELLO) == b"hello\r\n"
        assert not body.whole
        assert body.feed(b"x" * 14 + b"\r\n") == b"x" * 14
        assert body.feed(HELLO) == b"hello"
        assert body.whole

    def test_a_chunk_inside_the_data_of_a_chunk_is_not(self) -> None:
        body = ChunkedBody()
        body.feed(b"1e\r\nhello")
        assert body.feed(HELLO) == HELLO
        assert not body.whole

    def test_what_ends_a_chunk_and_looks_like_one_is_not(self) -> None:
        body = ChunkedBody()
        body.feed(b"5\r\nhello")
        assert body.feed(b"\r\n" + HELLO) == b"hello"
        assert not body.whole

    def test_it_is_said_again_once_the_chunks_are_whole_again(self) -> None:
        body = ChunkedBody()
        said = []
        for data in [HELLO, HELLO[:4], HELLO[4:], HELLO]:
            body.feed(data)
            said.append(body.whole)
        assert said == [True, False, False, True]


CUTS = st.lists(st.integers(0, 1 << 20), max_size=12)
PAYLOADS = st.lists(st.binary(min_size=1, max_size=40) | st.sampled_from([b"\r\n", HELLO, END, b"0"]), max_size=6)
TRAILERS = st.lists(st.sampled_from([b"X-One: 1\r\n", b"Content-Length: 7\r\n"]), max_size=3).map(b"".join)


@given(PAYLOADS, TRAILERS, st.binary(max_size=20), CUTS)
def test_any_cutting_gives_the_same_payload_and_rest(
    payloads: list[bytes], trailers: bytes, rest: bytes, cuts: list[int]
) -> None:
    stream = b"".join(map(chunk, payloads)) + b"0\r\n" + trailers + b"\r\n" + rest
    assert read(cut(stream, cuts)) == (b"".join(payloads), True, rest)


@given(PAYLOADS, CUTS)
@example([b"x" * 21], [1])
@example([HELLO + HELLO], [4, 14])
def test_a_read_is_whole_if_and_only_if_it_is_exactly_one_chunk(payloads: list[bytes], cuts: list[int]) -> None:
    chunks = [chunk(payload) for payload in payloads]
    ends = list(accumulate(map(len, chunks), initial=0))
    between = set(pairwise(ends))
    # Cuts fall on the boundaries of chunks half of the time, or hardly any read would be one.
    cuts = [ends[place // 2 % len(ends)] if place % 2 else place for place in cuts]
    body, at = ChunkedBody(), 0
    for data in cut(b"".join(chunks), cuts):
        payload = body.feed(data)
        assert body.whole == ((at, at + len(data)) in between)
        if body.whole:
            assert data == b"%x\r\n" % len(payload) + payload + b"\r\n"
        at += len(data)


PIECES = st.sampled_from(
    [b"5", b"0", b"a", b"\r\n", b"\r", b"\n", b"hello", HELLO, END, b";", b" ", b"x=1", b"10\r\n", b"00", b"X: a\r\n"]
)


@given(st.lists(PIECES, max_size=12).map(b"".join), CUTS)
@example(b"\n10\r\n", [])
@example(b"\n" + b"x" * 18 + b"\r\n", [])
def test_any_cutting_of_anything_comes_to_the_same_verdict(stream: bytes, cuts: list[int]) -> None:
    def verdict(reads: list[bytes]) -> tuple[bytes, bool, bytes] | None:
        try:
            return read(reads)
        except FramingError:
            return None

    expected = verdict([stream])
    assert verdict(cut(stream, cuts)) == expected
    assert verdict(one_by_one(stream)) == expected
