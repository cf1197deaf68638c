"""Everything that can go wrong, in three families told apart by the first byte.

* `Refusal`: nothing was sent yet, so the client gets a status and one fixed text.
* `Break`: the first byte is out, so the stream is ended with an error event and a cut.
* `Fault`: one attempt at one target failed; `flow/fallback` decides what follows from its type alone.
"""

from gateway.core.outcome import CLIENT_CLOSED_REQUEST, Outcome


class Refusal(Exception):
    """An answer instead of a served call. Texts are fixed: nothing of the request is ever echoed."""

    status = 500
    type = "invalid_request_error"
    code: str | None = "internal_error"
    message = "The gateway failed to handle the request."
    outcome = Outcome.REFUSED

    def __init__(
        self,
        message: str | None = None,
        *,
        param: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        close: bool = False,
    ) -> None:
        super().__init__(self.code)
        self.message = message or self.message
        self.param = param
        self.headers = headers
        self.close = close


class BadRequest(Refusal):
    status, code, message = 400, "bad_request", "The request is not valid HTTP."


class InvalidJson(Refusal):
    status, code, message = 400, "invalid_json", "The request body is not valid JSON."


class JsonTooDeep(Refusal):
    status, code, message = 400, "json_too_deep", "The request body is nested too deeply."


class InvalidValue(Refusal):
    status, code, message = 400, "invalid_value", "A field of the request has an invalid value."


class MissingParameter(Refusal):
    status, code, message = 400, "missing_required_parameter", "A required field of the request is missing."


class MissingApiKey(Refusal):
    status, code = 401, "missing_api_key"
    message = "No API key was sent. Send it as `Authorization: Bearer KEY` or `x-api-key: KEY`."


class InvalidApiKey(Refusal):
    status, code, message = 401, "invalid_api_key", "The API key is not valid."


class KeyDisabled(Refusal):
    status, type, code, message = 403, "permission_error", "key_disabled", "The API key is disabled."


class ModelNotAllowed(Refusal):
    status, type, code, message = 403, "permission_error", "model_not_allowed", "The API key may not use this model."


class ModelNotFound(Refusal):
    status, code, message = 404, "model_not_found", "The model does not exist, or does not serve this endpoint."


class UnknownUrl(Refusal):
    status, code, message = 404, "unknown_url", "There is nothing at this URL."


class MethodNotAllowed(Refusal):
    status, code, message = 405, "method_not_allowed", "The URL does not take this method."


class RequestTimeout(Refusal):
    status, code, message = 408, "request_timeout", "The request body did not arrive in time."


class RequestTooLarge(Refusal):
    status, code, message = 413, "request_too_large", "The request body is too large."


class UriTooLong(Refusal):
    status, code, message = 414, "uri_too_long", "The request line is too long."


class UnsupportedMediaType(Refusal):
    status, code = 415, "unsupported_media_type"
    message = "The request body must be JSON in UTF-8 (`Content-Type: application/json`), not compressed."


class ExpectationFailed(Refusal):
    status, code, message = 417, "expectation_failed", "Only `Expect: 100-continue` is supported."


class HeadersTooLarge(Refusal):
    status, code, message = 431, "headers_too_large", "The request headers are too large."


class InternalError(Refusal):
    type = "server_error"
    outcome = Outcome.INTERNAL


class Failed(Refusal):
    """The gateway tried, or could not try, and no target answered."""

    status, type, code = 502, "server_error", "upstream_error"
    message = "Every model that could serve the request failed."
    outcome = Outcome.FAILED


class UpstreamRateLimited(Failed):
    status, code = 429, "upstream_rate_limited"
    message = "Every model that could serve the request is rate limited by its provider."


class UpstreamUnreachable(Failed):
    code, message = "upstream_unreachable", "The provider could not be reached."


class UpstreamProtocolError(Failed):
    code, message = "upstream_protocol_error", "The provider's answer was not valid."


class UpstreamAuthError(Failed):
    code, message = "upstream_auth_error", "The provider refused the gateway's own credential."


class UpstreamEmpty(Failed):
    code, message = "upstream_empty", "The provider's answer was empty."


class UpstreamTimeout(Failed):
    status, code, message = 504, "upstream_timeout", "The provider did not answer in time."


class NoAvailableUpstream(Failed):
    status, code = 503, "no_available_upstream"
    message = "No model that could serve the request is available at the moment."


class Overloaded(Failed):
    status, code, message = 503, "overloaded", "The gateway has no free connection to the provider."


class DrainingRefusal(Failed):
    status, code, message = 503, "draining", "The gateway is shutting down."
    outcome = Outcome.DRAINED


class UpstreamRejected(Refusal):
    """The upstream's own 4xx that is the caller's fault: its status, and its message, type, param and code.

    `upstream_rejected` stands where it gave no error that can be read; an error without a code keeps none.
    """

    code: str | None = "upstream_rejected"
    message = "The provider rejected the request."
    outcome = Outcome.FAILED

    def __init__(self, status: int, message: str | None, kind: str | None, param: str | None, code: str | None) -> None:
        super().__init__(message, param=param)
        self.status = status
        self.type = kind or self.type
        if message is not None:
            self.code = code


class Break(Exception):
    """A stream that ends badly after its first byte; `code` goes into the error event, `status` into the Record."""

    status = 200
    code = "upstream_interrupted"
    message = "The provider's stream was interrupted."
    outcome = Outcome.BROKEN


class StreamInterrupted(Break):
    pass


class StreamFailed(Break):
    """The provider said so itself, in an error event that was passed on."""

    code, message = "upstream_error", "The provider's stream failed."


class StreamTimeout(Break):
    code, message = "upstream_timeout", "The provider's stream fell silent or took too long."


class StreamDrained(Break):
    code, message = "draining", "The gateway is shutting down."
    outcome = Outcome.DRAINED


class ClientStalled(Break):
    """The client took nothing for `write_timeout`: it counts as gone."""

    status = CLIENT_CLOSED_REQUEST
    code, message = "client_stalled", "The client stopped reading."
    outcome = Outcome.CLIENT_GONE


class Fault(Exception):
    """One attempt failed before its first good event.

    `code` names it in logs and metrics; `refusal` is what the client gets if it was the last word;
    `unhealthy` says whether it counts against the target; `cooldown` is how long the target asked to be left alone,
    `upstream_request_id` its own id of the attempt.
    """

    code: str
    refusal: type[Failed] = Failed
    unhealthy = True
    cooldown: float | None = None
    upstream_request_id: str | None = None


class ConnectFault(Fault):
    code, refusal = "up_connect", UpstreamUnreachable


class BusyFault(Fault):
    """Every connection that `max_connections` allows is in use."""

    code, refusal, unhealthy = "up_busy", Overloaded, False


class TimeoutFault(Fault):
    code, refusal = "up_timeout_first", UpstreamTimeout


class ConnectTimeoutFault(TimeoutFault):
    code = "up_connect_timeout"


class ResetFault(Fault):
    """The connection ended before a good answer did."""

    code = "up_reset"


class ProtocolFault(Fault):
    code, refusal = "up_protocol", UpstreamProtocolError


class EmptyFault(Fault):
    code, refusal = "up_empty", UpstreamEmpty


class StatusFault(Fault):
    """A status, or an error event in its place, that another target may not share."""

    code = "up_5xx"


class RateLimitFault(Fault):
    code, refusal = "up_429", UpstreamRateLimited


class AuthFault(Fault):
    code, refusal = "up_auth", UpstreamAuthError


class ModelMissingFault(Fault):
    """The upstream does not know the model: the route is wrong, the target is not ill."""

    code, unhealthy = "up_model_missing", False


class ContextFault(Fault):
    """Too long for this model; only a larger context window helps. `rejection` is the upstream's own answer."""

    code, unhealthy = "up_context_length", False

    def __init__(self, rejection: UpstreamRejected) -> None:
        super().__init__(self.code)
        self.rejection = rejection


class CallerFault(Fault):
    """The caller's own mistake, as the upstream sees it: no other target is tried."""

    code, unhealthy = "up_4xx", False

    def __init__(self, rejection: UpstreamRejected) -> None:
        super().__init__(self.code)
        self.rejection = rejection
