from typing import get_args

import pytest
from anthropic.types import ErrorType

from gateway.wire.anthropic_openai.errors import error_type


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        pytest.param(400, "invalid_value", "invalid_request_error", id="400"),
        pytest.param(401, "invalid_api_key", "authentication_error", id="401"),
        pytest.param(403, "model_not_allowed", "permission_error", id="403"),
        pytest.param(404, "model_not_found", "not_found_error", id="404"),
        pytest.param(405, "method_not_allowed", "invalid_request_error", id="405"),
        pytest.param(408, "request_timeout", "timeout_error", id="408"),
        pytest.param(422, None, "invalid_request_error", id="422"),
        pytest.param(429, "rate_limit_exceeded", "rate_limit_error", id="429"),
        pytest.param(429, "insufficient_quota", "billing_error", id="budget"),
        pytest.param(500, "internal_error", "api_error", id="500"),
        pytest.param(502, "upstream_error", "api_error", id="502"),
        pytest.param(503, "no_available_upstream", "overloaded_error", id="503"),
        pytest.param(504, "upstream_timeout", "timeout_error", id="504"),
        pytest.param(529, None, "overloaded_error", id="529"),
        pytest.param(200, "draining", "overloaded_error", id="a code in a stream"),
        pytest.param(200, None, "api_error", id="no error status"),
    ],
)
def test_a_status_has_anthropics_error_type(status: int, code: str | None, kind: str) -> None:
    assert error_type(status, code) == kind
    assert kind in get_args(ErrorType)


def test_a_request_that_is_too_large_has_a_type_that_only_the_documentation_knows() -> None:
    assert error_type(413, "request_too_large") == "request_too_large"
