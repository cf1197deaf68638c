import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.outcome import Usage
from gateway.wire.usage import MAX_TOKENS, estimate_tokens, read_usage


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        pytest.param(b'{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}', Usage(7, 2), id="chat"),
        pytest.param(b'{"prompt_tokens":7,"total_tokens":7}', Usage(7, 0), id="embeddings"),
        pytest.param(b'{"prompt_tokens":7,"completion_tokens":null}', Usage(7, 0), id="completion null"),
        pytest.param(
            b'{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":5,"audio_tokens":0}}',
            Usage(7, 2, 5),
            id="cached",
        ),
        pytest.param(b'{"prompt_tokens":7,"prompt_tokens_details":null}', Usage(7, 0), id="details null"),
        pytest.param(
            b'{"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":null}}', Usage(7, 0), id="cached null"
        ),
        pytest.param(b'{"prompt_tokens":0,"completion_tokens":0}', Usage(0, 0), id="zeros"),
        pytest.param(b'{"prompt_tokens":%d}' % MAX_TOKENS, Usage(MAX_TOKENS, 0), id="the most"),
    ],
)
def test_usage_is_read_as_reported(reported: bytes, usage: Usage) -> None:
    assert read_usage(reported) == usage


@pytest.mark.parametrize(
    "reported",
    [
        pytest.param(b"{}", id="nothing"),
        pytest.param(b'{"completion_tokens":2}', id="no prompt"),
        pytest.param(b'{"prompt_tokens":-1,"completion_tokens":2}', id="negative prompt"),
        pytest.param(b'{"prompt_tokens":1,"completion_tokens":-2}', id="negative completion"),
        pytest.param(b'{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":-1}}', id="negative cached"),
        pytest.param(b'{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":2}}', id="more cached than all"),
        pytest.param(b'{"prompt_tokens":1000000000000000000}', id="10^18"),
        pytest.param(b'{"prompt_tokens":1,"completion_tokens":10000001}', id="too large"),
        pytest.param(b'{"prompt_tokens":"7"}', id="text"),
        pytest.param(b'{"prompt_tokens":7.5}', id="fraction"),
        pytest.param(b'{"prompt_tokens":true}', id="boolean"),
        pytest.param(b'{"prompt_tokens":null}', id="null"),
        pytest.param(b'{"prompt_tokens":' + b"9" * 5000 + b"}", id="5,000 digits"),
        pytest.param(b"[7,2]", id="list"),
        pytest.param(b'"7"', id="a text"),
        pytest.param(b"7", id="a number"),
        pytest.param(b'{"prompt_tokens":7', id="half"),
        pytest.param(b"", id="no bytes"),
        pytest.param(b"[" * 100_000, id="too deep"),
    ],
)
def test_what_makes_no_sense_is_no_usage(reported: bytes) -> None:
    assert read_usage(reported) is None


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (b"", 0),
        (b"x", 1),
        (b"x" * 7, 2),
        (b"x" * 8, 3),
        (b'"data:image/png;base64,%b"' % (b"A" * 1_000_000), 1000),
        (b'["data:a","data:b"]', 1 + 2 * 1000),
        (b'["see data:a"]', 4),
        (b'"data:"' * 10_001, 2 + 10_000 * 1000),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, bytes) else None,
)
def test_tokens_are_estimated_by_bytes_and_1000_for_each_data_url(text: bytes, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@given(st.binary(max_size=200))
def test_an_estimate_is_the_smallest_whole_number_that_covers_the_bytes(text: bytes) -> None:
    if b'"data:' not in text:
        assert (estimate_tokens(text) - 1) * 3.5 < len(text) <= estimate_tokens(text) * 3.5
