"""Texts that nearly are durations, sizes, addresses: taken for what they say, or a ValueError."""

import re
from collections.abc import Callable
from fractions import Fraction
from urllib.parse import urlsplit

import pytest
from hypothesis import given

from gateway.config.addresses import BaseUrl, address, base_url, network, origin, store_url
from gateway.config.values import MAX_SECONDS, MAX_SIZE, duration, expires, size, usd
from tests.fuzz.mutation import FUZZ, NASTY, mutated

NEAR = [
    *NASTY,
    b".",
    b"s",
    b"ms",
    b"m",
    b"h",
    b"KiB",
    b"e1",
    b"\xd9\xa1",
    b"\xc2\xb2",
    b"inf",
    b"@",
    b"/",
    b"?",
    b"%",
    b"[::1]",
]
UNITS = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600)}
SIZES = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def taken(read: Callable[[object], object], text: str) -> object:
    """None if it is refused."""
    try:
        return read(text)
    except ValueError:
        return None


@FUZZ
@given(mutated([b"500ms", b"15s", b"1.5s", b"2m", b"168h", b"0s", b"999999999ms"], NEAR))
def test_a_duration_is_exact_or_refused(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)", text)
    exact = Fraction(match[1]) * UNITS[match[2]] if match else None
    found = taken(duration, text)
    assert (found is None) == (exact is None or exact > MAX_SECONDS)
    if exact is not None and isinstance(found, float):
        assert abs(Fraction(found) - exact) <= exact / 10**12


@FUZZ
@given(mutated([b"20MiB", b"64KiB", b"1MB", b"1024B", b"1GiB", b"0B", b"999999999999GB"], NEAR))
def test_a_size_is_exact_or_refused(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")
    match = re.fullmatch(r"([0-9]{1,12})(B|KB|MB|GB|KiB|MiB|GiB)", text)
    exact = int(match[1]) * SIZES[match[2]] if match else 0
    assert taken(size, text) == (exact if 0 < exact <= MAX_SIZE else None)


@pytest.mark.parametrize(
    "read", [address, base_url, network, origin, store_url, expires, usd], ids=lambda read: read.__name__
)
def test_what_is_nearly_a_value_is_one_or_refused(read: Callable[[object], object]) -> None:
    originals = [
        b"127.0.0.1:8080",
        b"[::1]:8080",
        b"https://user@api.example.com:443/v1?x=1#y",
        b"http://169.254.169.254/latest",
        b"http://[fe80::1]/",
        b"http://0xa9fea9fe/",
        b"rediss://user:p%40ss@redis.example:6379/0",
        b"10.0.0.0/8",
        b"2027-01-31T18:00:00.5+01:00",
        b"9999-12-31",
    ]

    @FUZZ
    @given(mutated(originals, NEAR, most=4))
    def check(raw: bytes) -> None:
        taken(read, raw.decode("utf-8", "replace"))

    check()


@FUZZ
@given(mutated([b"https://a.example:8443/v1", b"http://10.1.2.3/", b"http://[2001:db8::1]:80/x"], NEAR, most=4))
def test_a_base_url_that_is_taken_is_the_one_that_was_written(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")
    found = taken(base_url, text)
    if isinstance(found, BaseUrl):
        written = urlsplit(text)
        assert (found.tls, found.path) == (written.scheme == "https", written.path.rstrip("/"))
        assert (found.host, found.port) == (written.hostname, written.port or (443 if found.tls else 80))
        assert (written.username, written.query, written.fragment) == (None, "", "")
        assert not re.search(r"[^!-~]", found.host + found.path)
