"""Refusals as answers: OpenAI's error shape, the request's id, and a closed connection where the body was not read."""

from gateway.core.errors import InvalidApiKey, MissingApiKey, Refusal
from gateway.edge.downstream import HttpDownstream
from gateway.wire.errors import error_body

_JSON = ("content-type", "application/json")
_CHALLENGE = ("www-authenticate", "Bearer")


def refuse(downstream: HttpDownstream, refusal: Refusal) -> None:
    """Nothing of the answer may have been sent yet."""
    headers = (_JSON, *refusal.headers)
    if isinstance(refusal, MissingApiKey | InvalidApiKey):
        headers += (_CHALLENGE,)
    if refusal.close:
        downstream.keep_alive = False
    downstream.answer(refusal.status, headers, error_body(refusal))
