"""What a client is told went wrong, in two families told apart by the first byte.

* `Refusal`: nothing was sent yet, so the client gets a status and one fixed text.
* `Break`: the first byte is out, so the stream is ended with an error event and a cut.
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


class Inexpressible(Refusal):
    """A field that the provider's API has no word for, and without which the answer would be another one."""

    status, code = 400, "unsupported_parameter"
    message = "A field of the request cannot be expressed in the API of the model's provider."


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


class ResponseNotFound(Refusal):
    status, code, message = 404, "response_not_found", "No provider that the key may use has the response."


class ModelIncapable(Refusal):
    status, code = 400, "unsupported_by_model"
    message = "The model cannot do what the request needs: its tools, images, audio, JSON schema or reasoning."


class UnknownUrl(Refusal):
    status, code, message = 404, "unknown_url", "There is nothing at this URL."


class MethodNotAllowed(Refusal):
    status, code, message = 405, "method_not_allowed", "The URL does not take this method."


class NoWebSocket(Refusal):
    status, code, message = 426, "no_websocket", "There are no WebSockets; send a POST."


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


class RequestsExhausted(Refusal):
    status, type, code = 429, "requests", "rate_limit_exceeded"
    message = "Rate limit reached on requests per min (RPM)."


class TokensExhausted(Refusal):
    status, type, code = 429, "tokens", "rate_limit_exceeded"
    message = "Rate limit reached on tokens per min (TPM)."


class StreamsExhausted(Refusal):
    status, type, code = 429, "requests", "concurrency_limit_exceeded"
    message = "Too many requests of this key are running at once."


class InsufficientQuota(Refusal):
    status, type, code = 429, "insufficient_quota", "insufficient_quota"
    message = "The budget of this key does not cover the call, with what is spent and what running calls may cost."


class LimiterUnavailable(Refusal):
    """The shared store can't be asked, and the configuration says to deny then."""

    status, type, code = 503, "server_error", "limiter_unavailable"
    message = "The limits of this key cannot be checked at the moment."


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
