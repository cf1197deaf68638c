from hashlib import sha256

import pytest

from gateway.state.keyring import Keyring
from tests.values import make_caller

KEY = b"sk-gw-" + b"k" * 43
KEYRING = Keyring({sha256(KEY).digest(): make_caller()})


def test_a_key_is_found_by_its_hash() -> None:
    assert KEYRING.find(KEY) == make_caller()


NEARLY = [KEY[:-1], KEY + b"k", KEY.upper(), b" " + KEY, sha256(KEY).digest(), sha256(KEY).hexdigest().encode()]


@pytest.mark.parametrize("key", [*NEARLY, b"", b"*", b"\xff\xfe", b"k" * 1_000_000], ids=len)
def test_anything_else_is_not(key: bytes) -> None:
    assert KEYRING.find(key) is None
