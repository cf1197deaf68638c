import json

import msgspec
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
from gateway.wire.events import Framing
from gateway.wire.responses import read_error, read_failure, read_responses_usage
from gateway.wire.usage import MAX_TOKENS
from tests.recordings import recorded


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        pytest.param(b'{"input_tokens":7,"output_tokens":2,"total_tokens":9}', Usage(7, 2), id="counts"),
        pytest.param(b'{"input_tokens":7,"output_tokens":null}', Usage(7, 0), id="output null"),
        pytest.param(
            b'{"input_tokens":7,"output_tokens":2,"input_tokens_details":{"cached_tokens":5},'
            b'"output_tokens_details":{"reasoning_tokens":1}}',
            Usage(7, 2, 5),
            id="cached",
        ),
        pytest.param(b'{"input_tokens":7,"input_tokens_details":null}', Usage(7, 0), id="details null"),
        pytest.param(b'{"input_tokens":%d}' % MAX_TOKENS, Usage(MAX_TOKENS, 0), id="the most"),
        pytest.param(b"{}", None, id="nothing"),
        pytest.param(b'{"input_tokens":-1}', None, id="negative"),
        pytest.param(b'{"input_tokens":1,"input_tokens_details":{"cached_tokens":2}}', None, id="more cached than all"),
        pytest.param(b'{"input_tokens":"7"}', None, id="text"),
        pytest.param(b'{"input_tokens":1000000000000}', None, id="absurd"),
        pytest.param(b'{"input_tokens":7', None, id="half"),
        pytest.param(b"null", None, id="null"),
        pytest.param(b"[" * 100_000, None, id="too deep"),
    ],
)
def test_usage_is_read_as_reported_or_not_at_all(reported: bytes, usage: Usage | None) -> None:
    assert read_responses_usage(reported) == usage
    assert read_responses_usage(msgspec.Raw(reported)) == usage


def _failed(code: str, message: str = "no") -> bytes:
    response = {"id": "resp_1", "status": "failed", "error": {"code": code, "message": message}}
    return json.dumps({"type": "response.failed", "response": response}).encode()


def _error(**members: object) -> bytes:
    return json.dumps({"type": "error", "sequence_number": 2, **members}).encode()


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        pytest.param(_failed("rate_limit_exceeded"), RateLimitFault, id="rate limit"),
        pytest.param(_failed("insufficient_quota"), RateLimitFault, id="quota"),
        pytest.param(_failed("server_error"), StatusFault, id="server error"),
        pytest.param(_failed("vector_store_timeout"), StatusFault, id="vector store"),
        pytest.param(_failed("brand_new"), StatusFault, id="unknown"),
        pytest.param(_failed("context_length_exceeded"), ContextFault, id="context"),
        pytest.param(_failed("x", "Your input exceeds the context window of this model."), ContextFault, id="by text"),
        pytest.param(_failed("invalid_prompt"), CallerFault, id="prompt"),
        pytest.param(_failed("image_too_large"), CallerFault, id="image"),
        pytest.param(_failed("model_not_found"), ModelMissingFault, id="model"),
        pytest.param(_failed("invalid_api_key"), AuthFault, id="key"),
        pytest.param(_error(code="rate_limit_exceeded", message="slow", param=None), RateLimitFault, id="spread out"),
        pytest.param(_error(error={"type": "insufficient_quota", "code": None}), RateLimitFault, id="by type"),
        pytest.param(_error(error={"type": "invalid_request_error", "message": "m"}), CallerFault, id="invalid"),
        pytest.param(b'{"status":"failed","error":{"code":"invalid_prompt","message":"m"}}', CallerFault, id="plain"),
        pytest.param(b'{"status":"failed"}', StatusFault, id="no error"),
        pytest.param(b'{"error":"out of memory"}', StatusFault, id="a text"),
        pytest.param(b'{"error":{"code":503,"message":"Loading model"}}', StatusFault, id="a number"),
        pytest.param(b'{"response":7,"error":[]}', StatusFault, id="other types"),
        pytest.param(b"<html>", StatusFault, id="no JSON"),
    ],
)
def test_an_event_that_says_what_failed_goes_by_its_code(event: bytes, fault: type[Fault]) -> None:
    assert type(read_failure(200, event)) is fault


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        pytest.param(429, b"", RateLimitFault, id="429"),
        pytest.param(500, b"", StatusFault, id="500"),
        pytest.param(400, b'{"error":{"code":"context_length_exceeded"}}', ContextFault, id="context"),
        pytest.param(400, b'{"error":{"message":"no","param":"input"}}', CallerFault, id="400"),
    ],
)
def test_an_error_status_is_read_as_openai_s(status: int, body: bytes, fault: type[Fault]) -> None:
    assert type(read_failure(status, body)) is fault


def test_a_rejection_keeps_the_message_and_the_code() -> None:
    fault = read_failure(200, _failed("invalid_prompt", "It was flagged."))
    assert isinstance(fault, RejectedFault)
    told = fault.rejection
    assert (told.status, told.message, told.type, told.code) == (
        400,
        "It was flagged.",
        "invalid_request_error",
        "invalid_prompt",
    )


def test_an_error_inside_a_stream_is_told_in_the_words_of_chat_completions() -> None:
    event = {"type": "error", "code": "server_error", "message": "x" * 5000, "param": 3}
    error = read_error(event)
    assert error == {"message": "x" * 2048, "type": "server_error", "param": None, "code": "server_error"}
    assert read_error({"type": "error"})["message"] == "The provider's stream failed."


_ANYTHING = st.sampled_from([None, True, 0, 429, 10**30, 1.5, "", "x", "error", "\ud800", [], [None], {}, {"x": 1}])
_ERRORS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("type", "code", "message", "param", "error", "response", "status"), _ANYTHING),
)


@given(_ERRORS | st.fixed_dictionaries({"error": _ERRORS}) | st.fixed_dictionaries({"response": _ERRORS}))
def test_whatever_an_error_is_it_amounts_to_a_fault(event: dict[str, object]) -> None:
    assert isinstance(read_failure(200, json.dumps(event).encode()), Fault)


def test_recorded_failures_are_read() -> None:
    for recording in recorded("responses", stream=False, ok=False):
        assert isinstance(read_failure(recording.status, recording.body), Fault)
    for recording in recorded("responses", stream=True):
        for event in Framing().feed(recording.body):
            if b'"insufficient_quota"' in event.data:
                assert isinstance(read_failure(200, event.data), RateLimitFault)
