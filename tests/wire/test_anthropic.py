import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.fault import (
    AuthFault,
    CallerFault,
    ContextFault,
    Fault,
    ModelMissingFault,
    RateLimitFault,
    RejectedFault,
    StatusFault,
)
from gateway.core.outcome import Usage
from gateway.wire.anthropic import MAX_MESSAGE, read_anthropic_usage, read_failure, read_status
from tests.recordings import recorded


def error(kind: Any = "invalid_request_error", message: Any = "No.") -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).encode()


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, CallerFault),
        (401, AuthFault),
        (402, AuthFault),
        (403, AuthFault),
        (404, CallerFault),
        (408, StatusFault),
        (409, StatusFault),
        (413, CallerFault),
        (422, CallerFault),
        (429, RateLimitFault),
        (500, StatusFault),
        (529, StatusFault),
    ],
)
def test_a_status_says_what_an_error_means(status: int, fault: type[Fault]) -> None:
    assert type(read_failure(status, error())) is fault


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("invalid_request_error", CallerFault),
        ("authentication_error", AuthFault),
        ("billing_error", AuthFault),
        ("permission_error", AuthFault),
        ("not_found_error", CallerFault),
        ("request_too_large", CallerFault),
        ("rate_limit_error", RateLimitFault),
        ("api_error", StatusFault),
        ("timeout_error", StatusFault),
        ("overloaded_error", StatusFault),
        ("unheard_of", StatusFault),
        (7, StatusFault),
        (None, StatusFault),
    ],
)
def test_inside_a_stream_its_type_says_it(kind: Any, fault: type[Fault]) -> None:
    assert type(read_failure(200, error(kind))) is fault


@pytest.mark.parametrize("status", [200, 400, 413])
@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "the request exceeds the available context size",
    ],
)
def test_a_prompt_that_is_too_long_may_fit_elsewhere(status: int, message: str) -> None:
    fault = read_failure(status, error(message=message))
    assert isinstance(fault, ContextFault)
    assert fault.rejection.code == "context_length_exceeded"
    assert fault.rejection.status == (400 if status == 200 else status)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(404, error("not_found_error", "model: claude-9"), id="unknown"),
        pytest.param(200, error("not_found_error", "model: claude-9"), id="unknown, in a stream"),
        pytest.param(404, b"<html>", id="a wrong address"),
    ],
)
def test_a_model_may_be_missing(status: int, body: bytes) -> None:
    assert type(read_failure(status, body)) is ModelMissingFault


def test_an_account_without_credit_is_no_fault_of_the_caller() -> None:
    message = "Your credit balance is too low to access the Anthropic API."
    assert type(read_failure(400, error(message=message))) is AuthFault


def test_the_caller_is_told_what_was_wrong_but_not_at_any_length() -> None:
    fault = read_failure(400, error(message="é" * MAX_MESSAGE))
    assert isinstance(fault, RejectedFault)
    assert fault.rejection.message == "é" * (MAX_MESSAGE // 2)
    assert (fault.rejection.status, fault.rejection.type, fault.rejection.code) == (400, "invalid_request_error", None)


@given(st.integers(200, 599), st.binary() | st.text().map(str.encode))
def test_any_body_is_a_fault(status: int, body: bytes) -> None:
    assert isinstance(read_failure(status, body), Fault)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error":"busy"}', b'{"error":{"type":{}}}', b"[" * 99999])
def test_an_error_that_cannot_be_read_is_the_upstreams_own(body: bytes) -> None:
    assert type(read_failure(200, body)) is StatusFault


def test_recorded_errors_are_read() -> None:
    for one in [*recorded("messages", stream=False, ok=False), *recorded("messages", stream=True, ok=False)]:
        assert type(read_failure(one.status, one.body)) is type(read_status(one.status) or CallerFault)


@pytest.mark.parametrize(
    ("start", "delta", "usage"),
    [
        pytest.param({"input_tokens": 3, "output_tokens": 1}, None, Usage(3, 1), id="a plain answer"),
        pytest.param(
            {
                "input_tokens": 3,
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 7,
                "output_tokens": 1,
                "service_tier": "standard",
            },
            {"output_tokens": 9},
            Usage(15, 9, 5),
            id="a stream with a cache",
        ),
        pytest.param(
            {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": None},
            {"input_tokens": 8, "output_tokens": 9},
            Usage(8, 9),
            id="more was read on the way",
        ),
        pytest.param(None, {"input_tokens": 3, "output_tokens": 9}, Usage(3, 9), id="only at the end"),
        pytest.param(None, {"output_tokens": 9}, None, id="half of it"),
        pytest.param({"input_tokens": -3}, None, None, id="negative"),
        pytest.param({"input_tokens": "3"}, None, None, id="a text"),
        pytest.param({"input_tokens": 10**8}, None, None, id="absurd"),
        pytest.param({"input_tokens": 9_000_000, "cache_read_input_tokens": 9_000_000}, None, None, id="too much"),
        pytest.param([], None, None, id="a list"),
    ],
)
def test_usage_is_everything_that_was_read_and_written(start: Any, delta: Any, usage: Usage | None) -> None:
    assert read_anthropic_usage(*(None if one is None else json.dumps(one).encode() for one in (start, delta))) == usage


@pytest.mark.parametrize("raw", [b"", b"null", b"{", b"[" * 99999])
def test_what_is_no_usage_is_none(raw: bytes) -> None:
    assert read_anthropic_usage(raw, None) is None
