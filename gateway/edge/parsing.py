"""What aiohttp's parser is told, and what is to be made of it when it raises."""

import gc

from aiohttp import EMPTY_PAYLOAD, StreamReader
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong

from gateway.core.errors import BadRequest, HeadersTooLarge, Refusal, UriTooLong

# Different, so that a LineTooLong, which only tells the limit, says what was too long.
MAX_LINE = 8190
MAX_FIELD = 8192
MAX_HEADERS = 128

Message = tuple[RawRequestMessage, StreamReader]


def parse_refusal(exc: BaseException | None) -> Refusal:
    """For what it raised."""
    if isinstance(exc, LineTooLong):
        return UriTooLong() if exc.args[1] == MAX_LINE else HeadersTooLarge()
    if exc is not None and "Too many headers" in str(exc):
        return HeadersTooLarge()
    return BadRequest()


def whole_messages(parser: object) -> list[Message] | None:
    """The whole requests that it had read of the same bytes when it raised. None if no request began in them.

    It keeps them in a list that it gives no other access to.
    """
    for held in gc.get_referents(parser):
        if type(held) is list and held and type(held[0]) is tuple and isinstance(held[0][0], RawRequestMessage):
            return [message for message in held if _is_whole(*message)]
    return None


def _is_whole(message: RawRequestMessage, payload: StreamReader) -> bool:
    """Of one without a body, llhttp only looks at its Transfer-Encoding when there is a message of it already."""
    return payload.is_eof() and (payload is not EMPTY_PAYLOAD or "Transfer-Encoding" not in message.headers)
