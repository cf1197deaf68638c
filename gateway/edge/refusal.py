"""Refusals as answers, in the caller's error shape, with a closed connection where the body was not read."""

from gateway.core.errors import InvalidApiKey, MissingApiKey, Refusal
from gateway.edge.downstream import HttpDownstream
from gateway.wire.door import OPENAI, Door

_JSON = ("content-type", "application/json")
_CHALLENGE = ("www-authenticate", "Bearer")


def refuse(downstream: HttpDownstream, refusal: Refusal, door: Door = OPENAI, request_id: str = "") -> None:
    """Nothing of the answer may have been sent yet."""
    headers = (_JSON, *refusal.headers)
    if isinstance(refusal, MissingApiKey | InvalidApiKey):
        headers += (_CHALLENGE,)
    if refusal.close:
        downstream.keep_alive = False
    downstream.answer(refusal.status, headers, door.error_body(refusal, request_id))
