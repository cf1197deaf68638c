import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamRejected
from gateway.core.fault import (
    AuthFault,
    CallerFault,
    ContextFault,
    Fault,
    ModelMissingFault,
    RateLimitFault,
    StatusFault,
)
from gateway.wire.gemini import MAX_MESSAGE, read_error, read_failure, read_fault, read_status
from tests.recordings import recorded


def error(message: str | None = "Something about it.", status: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"message": message, "status": status, **fields}


def body_of(found: dict[str, Any]) -> bytes:
    return json.dumps({"error": found}).encode()


def rejection(fault: Fault) -> UpstreamRejected:
    assert isinstance(fault, CallerFault | ContextFault)
    return fault.rejection


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, None),
        (401, AuthFault),
        (403, AuthFault),
        (404, None),
        (408, StatusFault),
        (409, StatusFault),
        (413, None),
        (429, RateLimitFault),
        (499, None),
        (500, StatusFault),
        (503, StatusFault),
        (504, StatusFault),
    ],
)
def test_a_status_is_a_fault_unless_its_body_has_to_be_read(status: int, fault: type[Fault] | None) -> None:
    found = read_status(status)
    assert (found and type(found)) == fault
    if fault:
        assert type(read_failure(status, body_of(error(status="INVALID_ARGUMENT")))) is fault


FAILURES = [
    pytest.param(
        400,
        error(
            "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
            "INVALID_ARGUMENT",
        ),
        ContextFault,
        id="too long, Gemini API",
    ),
    pytest.param(
        400,
        error(
            "Unable to submit request because the input token count is 1200000 but model only supports up to 1048576.",
            "INVALID_ARGUMENT",
        ),
        ContextFault,
        id="too long, Vertex",
    ),
    pytest.param(
        400,
        error("API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT"),
        AuthFault,
        id="wrong key",
    ),
    pytest.param(
        400,
        error("No.", "INVALID_ARGUMENT", details=["odd", {"reason": "API_KEY_INVALID"}]),
        AuthFault,
        id="wrong key by its reason",
    ),
    pytest.param(
        400,
        error("User location is not supported for the API use.", "FAILED_PRECONDITION"),
        StatusFault,
        id="region of the project",
    ),
    pytest.param(
        404,
        error("models/gemini-9 is not found for API version v1beta.", "NOT_FOUND"),
        ModelMissingFault,
        id="no such model, Gemini API",
    ),
    pytest.param(
        404,
        error("Publisher Model `projects/p/locations/l/publishers/google/models/x` not found.", "NOT_FOUND"),
        ModelMissingFault,
        id="no such model, Vertex",
    ),
    pytest.param(404, error("Cached content not found.", "NOT_FOUND"), CallerFault, id="no such cached content"),
    pytest.param(404, error(None), ModelMissingFault, id="no API at all"),
    pytest.param(400, error("Please use a valid role.", "INVALID_ARGUMENT"), CallerFault, id="the caller's"),
    pytest.param(400, error("Quota.", "RESOURCE_EXHAUSTED"), RateLimitFault, id="the word before the status"),
]


@pytest.mark.parametrize(("status", "found", "fault"), FAILURES)
@pytest.mark.parametrize("shape", [lambda one: one, lambda one: [one], lambda one: [one, {"error": {"code": 500}}]])
def test_a_failure_is_read_by_its_words(status: int, found: Any, fault: type[Fault], shape: Any) -> None:
    assert type(read_failure(status, json.dumps(shape({"error": found})).encode())) is fault


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        pytest.param(error(code=400, status="INVALID_ARGUMENT"), CallerFault, id="400"),
        pytest.param(error(code=429), RateLimitFault, id="429"),
        pytest.param(error(code=403), AuthFault, id="403"),
        pytest.param(error(code=503), StatusFault, id="503"),
        pytest.param(error(status="PERMISSION_DENIED"), AuthFault, id="status without code"),
        pytest.param(error(status="UNAUTHENTICATED"), AuthFault, id="unauthenticated"),
        pytest.param(error(code=3, status="INTERNAL"), StatusFault, id="a number that is no status"),
        pytest.param(error(), StatusFault, id="nothing that says whose it is"),
    ],
)
def test_an_error_in_a_200_has_the_status_that_it_names(found: dict[str, Any], fault: type[Fault]) -> None:
    assert type(read_failure(200, body_of(found))) is fault
    assert type(read_fault(found)) is fault


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        pytest.param("34.4s", 34.4, id="in its range"),
        pytest.param("0s", 1.0, id="too short"),
        pytest.param("86400s", 60.0, id="too long"),
        pytest.param("nans", None, id="no number"),
        pytest.param("soon", None, id="no duration"),
        pytest.param(7, None, id="no text"),
    ],
)
def test_a_rate_limit_says_how_long_to_leave_it_alone(delay: Any, seconds: float | None) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    assert read_failure(429, body_of(error(details=details))).cooldown == seconds


def test_the_caller_gets_the_upstreams_words_at_most_2048_bytes() -> None:
    said = rejection(read_failure(400, body_of(error("é" * 4000, "INVALID_ARGUMENT"))))
    assert (said.status, said.type, said.code, said.param) == (400, "invalid_request_error", "INVALID_ARGUMENT", None)
    assert said.message == "é" * (MAX_MESSAGE // 2)
    assert rejection(read_failure(413, b"<html>")).code == "upstream_rejected"
    assert rejection(read_failure(400, body_of(error(status="\n")))).code is None


def test_a_prompt_that_is_too_long_has_the_code_that_clients_know() -> None:
    found = read_failure(400, body_of(error("The input token count (2) exceeds the maximum (1).", "INVALID_ARGUMENT")))
    assert rejection(found).code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("found", "kind", "code"),
    [
        pytest.param(error(code=400, status="INVALID_ARGUMENT"), "invalid_request_error", "INVALID_ARGUMENT", id="400"),
        pytest.param(error(code=429), "rate_limit_error", "upstream_rate_limited", id="429"),
        pytest.param(error(code=401), "authentication_error", "upstream_auth_error", id="401"),
        pytest.param(error(None, code=404), "invalid_request_error", "model_not_found", id="404"),
        pytest.param(error(code=503), "server_error", "upstream_error", id="503"),
        pytest.param("odd", "server_error", "upstream_error", id="no object"),
    ],
)
def test_an_error_event_is_one_that_chat_clients_read(found: Any, kind: str, code: str) -> None:
    said = read_error(found)["error"]
    assert (said["type"], said["code"], said["param"]) == (kind, code, None)
    assert said["message"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "message", "status", "details", "retryDelay"]), inner)
    ),
    max_leaves=12,
)


@given(st.integers(400, 599) | st.just(200), values.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_whatever_a_body_says_it_is_a_fault(status: int, body: bytes) -> None:
    assert isinstance(read_failure(status, body), Fault)


@given(values)
def test_whatever_an_error_event_says_it_is_an_error(found: Any) -> None:
    assert read_error(found)["error"]["message"]


def test_recorded_failures_are_read() -> None:
    for one in recorded("gemini", stream=False, ok=False):
        found = json.loads(one.body)["error"]
        expected = {"RESOURCE_EXHAUSTED": RateLimitFault, "NOT_FOUND": ModelMissingFault}.get(
            found["status"], CallerFault
        )
        assert type(read_failure(one.status, one.body)) is expected, one.id
