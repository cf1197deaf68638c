"""API key -> Caller."""

from gateway.core.call import Caller
from gateway.core.errors import BadRequest, InvalidApiKey, KeyDisabled, MissingApiKey
from gateway.state.keyring import Keyring


def identify(keys: tuple[bytes, ...], keyring: Keyring) -> Caller:
    """Raises MissingApiKey, InvalidApiKey, and BadRequest for more than one key."""
    if len(keys) > 1:
        raise BadRequest("The request carries more than one API key.")
    if not keys or not keys[0]:
        raise MissingApiKey
    caller = keyring.find(keys[0])
    if caller is None:
        raise InvalidApiKey
    return caller


def authorize(caller: Caller, wall: float) -> None:
    """`wall` is wall-clock seconds. Raises InvalidApiKey for an expired key, KeyDisabled."""
    if caller.expires is not None and caller.expires <= wall:
        raise InvalidApiKey
    if caller.disabled:
        raise KeyDisabled
