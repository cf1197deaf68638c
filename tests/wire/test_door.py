"""What the gateway says to each caller in the caller's own words."""

import json
from typing import Any

import pytest
from anthropic.types import ErrorResponse
from openai.types.responses import ResponseErrorEvent

from gateway.core.call import Endpoint
from gateway.core.errors import (
    Break,
    InsufficientQuota,
    InternalError,
    InvalidApiKey,
    InvalidValue,
    ModelNotAllowed,
    ModelNotFound,
    Refusal,
    RequestTooLarge,
    StreamInterrupted,
    StreamTimeout,
    UpstreamRateLimited,
    UpstreamTimeout,
)
from gateway.wire.door import DOORS
from gateway.wire.events import Framing

CHAT, RESPONSES, MESSAGES = DOORS[Endpoint.CHAT], DOORS[Endpoint.RESPONSES], DOORS[Endpoint.MESSAGES]
ANTHROPICS = (Endpoint.MESSAGES, Endpoint.COUNT_TOKENS)


def last_event(event: bytes) -> tuple[bytes, Any]:
    (found,) = Framing().feed(event)
    return found.name, json.loads(found.data)


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_every_endpoint_has_a_door_of_its_schema(endpoint: Endpoint) -> None:
    door = DOORS[endpoint]
    body = json.loads(door.error_body(ModelNotFound(param="model"), "req-1"))
    assert (door is MESSAGES) == (endpoint in ANTHROPICS)
    if endpoint in ANTHROPICS:
        assert body == {
            "type": "error",
            "error": {"type": "not_found_error", "message": ModelNotFound.message},
            "request_id": "req-1",
        }
    else:
        error = {"message": ModelNotFound.message, "type": "invalid_request_error", "param": "model"}
        assert body == {"error": error | {"code": "model_not_found"}}


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        pytest.param(InvalidApiKey(), "authentication_error", id="401"),
        pytest.param(ModelNotAllowed(), "permission_error", id="403"),
        pytest.param(UpstreamRateLimited(), "rate_limit_error", id="429"),
        pytest.param(InsufficientQuota(), "billing_error", id="budget"),
        pytest.param(InternalError(), "api_error", id="500"),
        pytest.param(UpstreamTimeout(), "timeout_error", id="504"),
        pytest.param(InvalidValue(), "invalid_request_error", id="400"),
    ],
)
def test_an_error_has_the_type_that_anthropics_sdks_know(refusal: Refusal, kind: str) -> None:
    read = ErrorResponse.model_validate_json(MESSAGES.error_body(refusal, "req-1"), strict=True)
    assert (read.error.type, read.error.message, read.request_id) == (kind, refusal.message, "req-1")


def test_a_type_that_only_the_documentation_knows_is_said_too() -> None:
    assert json.loads(MESSAGES.error_body(RequestTooLarge(), "req-1"))["error"]["type"] == "request_too_large"


@pytest.mark.parametrize(
    ("reason", "code", "kind"),
    [
        pytest.param(StreamInterrupted(), "upstream_interrupted", "api_error", id="interrupted"),
        pytest.param(StreamTimeout(), "upstream_timeout", "timeout_error", id="timeout"),
    ],
)
class TestBreaks:
    def test_a_chat_stream_ends_with_an_error_and_without_a_done(self, reason: Break, code: str, kind: str) -> None:
        name, data = last_event(CHAT.error_event(reason))
        error = {"message": reason.message, "type": "server_error", "param": None, "code": code}
        assert (name, data) == (b"", {"error": error})

    def test_a_response_ends_with_an_event_that_openais_sdk_knows(self, reason: Break, code: str, kind: str) -> None:
        name, data = last_event(RESPONSES.error_event(reason))
        read = ResponseErrorEvent.model_validate(data, strict=True)
        assert (name, read.type, read.code, read.message) == (b"error", "error", code, reason.message)

    def test_a_message_ends_with_an_event_that_anthropics_sdk_knows(self, reason: Break, code: str, kind: str) -> None:
        name, data = last_event(MESSAGES.error_event(reason))
        read = ErrorResponse.model_validate({**data, "request_id": None}, strict=True)
        assert (name, read.error.type, read.error.message) == (b"error", kind, reason.message)


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_a_ping_ends_no_event_that_means_something(endpoint: Endpoint) -> None:
    """It may stand between any two events: what comes after it is still the first line of its own."""
    framing = Framing()
    found = framing.feed(DOORS[endpoint].ping + b"data: 1\n\n")
    assert (found[-1].name, found[-1].data) == (b"", b"1")
    assert [json.loads(event.data) for event in found[:-1]] == ([{"type": "ping"}] if endpoint in ANTHROPICS else [])


def test_anthropics_clients_read_the_requests_id_under_a_name_of_their_own() -> None:
    assert {door.id_header for door in DOORS.values()} == {None, "request-id"}
    assert MESSAGES.id_header == "request-id"
