"""Whose key it is, and whether it is still good."""

from hashlib import sha256

import pytest

from gateway.core.errors import BadRequest, InvalidApiKey, KeyDisabled, MissingApiKey, Refusal
from gateway.flow.authenticate import authorize, identify
from gateway.state.keyring import Keyring
from tests.values import make_caller

KEYRING = Keyring({sha256(b"key").digest(): make_caller()})


def test_a_key_is_its_callers() -> None:
    assert identify((b"key",), KEYRING) == make_caller()


@pytest.mark.parametrize(
    ("keys", "refusal"),
    [
        pytest.param((), MissingApiKey, id="none"),
        pytest.param((b"",), MissingApiKey, id="an empty one"),
        pytest.param((b"other",), InvalidApiKey, id="an unknown one"),
        pytest.param((b"key", b"other"), BadRequest, id="two"),
    ],
)
def test_anything_else_is_refused(keys: tuple[bytes, ...], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        identify(keys, KEYRING)


def test_a_key_is_good_until_it_expires() -> None:
    caller = make_caller(expires=1000.0)
    authorize(caller, 999.9)
    for wall in (1000.0, 1000.1):
        with pytest.raises(InvalidApiKey):
            authorize(caller, wall)


def test_one_without_an_end_is_good_for_ever() -> None:
    authorize(make_caller(), 1e12)


def test_a_disabled_one_is_refused() -> None:
    with pytest.raises(KeyDisabled):
        authorize(make_caller(disabled=True), 0.0)
