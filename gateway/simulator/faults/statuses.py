"""Answers with another status than 200."""

from collections.abc import Callable

from gateway.simulator.answer import error_answer, json_answer
from gateway.simulator.chat import Completion
from gateway.simulator.step import Step

_MESSAGES = {
    400: "Invalid value for 'temperature': expected a number between 0 and 2.",
    401: "Incorrect API key provided.",
    404: "The requested file does not exist.",
    408: "The request timed out.",
    409: "Another request is being processed.",
    422: "The messages could not be processed.",
    429: "Rate limit reached for requests.",
    500: "The server had an error while processing your request.",
    502: "Bad gateway.",
    503: "The engine is currently overloaded.",
    529: "Overloaded.",
}
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def _status(status: int) -> Callable[[Completion], list[Step]]:
    headers = (("Retry-After", "7"),) if status == 429 else ()
    param = "temperature" if status == 400 else None

    def fault(_: Completion) -> list[Step]:
        return error_answer(status, _MESSAGES[status], code=_CODES.get(status), param=param, headers=headers)

    return fault


def _model_not_found(completion: Completion) -> list[Step]:
    message = f"The model `{completion.model}` does not exist or you do not have access to it."
    return error_answer(404, message, code="model_not_found")


def _context_length(_: Completion) -> list[Step]:
    message = "This model's maximum context length is 8192 tokens. Please reduce the length of the messages."
    return error_answer(400, message, code="context_length_exceeded", param="messages")


def _redirect(_: Completion) -> list[Step]:
    return json_answer(307, {}, headers=[("Location", "/v1/elsewhere")])


STATUSES = {
    **{f"status-{status}": _status(status) for status in _MESSAGES},
    "model-not-found": _model_not_found,
    "context-length": _context_length,
    "redirect": _redirect,
}
