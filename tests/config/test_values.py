from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.addresses import Address, BaseUrl, address, base_url, network, origin, store_url
from gateway.config.interpolation import Interpolated
from gateway.config.values import duration, expires, size, usd
from tests.catalogue import fault

MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
BYTES = {"B": 1, "KB": 1000, "MB": 1000**2, "KiB": 1024, "MiB": 1024**2}


@given(st.integers(0, 168), st.sampled_from(sorted(MILLISECONDS)))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert duration(f"{number}{unit}") == number * MILLISECONDS[unit] / 1000


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.integers()))
def test_anything_else_is_refused_as_a_duration(value: object) -> None:
    try:
        seconds = duration(value)
    except ValueError:
        return
    assert 0 <= seconds <= 604_800
    assert value == 0 or isinstance(value, str)


@given(st.integers(1, 1024), st.sampled_from(sorted(BYTES)))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert size(f"{number}{unit}") == number * BYTES[unit]


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.integers()))
def test_anything_else_is_refused_as_a_size(value: object) -> None:
    try:
        count = size(value)
    except ValueError:
        return
    assert 1 <= count <= 1 << 30


@pytest.mark.parametrize(
    "value",
    [
        15,
        1.5,
        "15",
        "15 s",
        "s",
        "-1s",
        "+1s",
        "1e3s",
        "1d",
        "15S",
        "1m30s",
        "١s",
        "1s\n",
        "200h",
        True,
        None,
        "9" * 99 + "s",
    ],
)
def test_a_duration_needs_one_plain_number_and_a_unit(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        duration(value)


@pytest.mark.parametrize(
    "value", ["20mb", "1.5MiB", "-1", "1 MiB", "MiB", 0, -1, 1.0, True, None, 1 << 31, "2GiB", "5"]
)
def test_a_size_needs_a_whole_number(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        size(value)


def test_zero_and_bytes_from_a_variable_need_no_unit() -> None:
    assert duration(0) == duration(Interpolated("0")) == 0
    assert size(Interpolated("1024")) == size(1024) == 1024


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://API.openai.com/v1/", BaseUrl("api.openai.com", 443, True, "/v1")),
        ("http://my_service:8000", BaseUrl("my_service", 8000, False, "")),
        ("HTTP://[::1]:1234/a/b", BaseUrl("::1", 1234, False, "/a/b")),
        ("http://127.0.0.1/", BaseUrl("127.0.0.1", 80, False, "")),
    ],
)
def test_a_base_url_is_taken_apart(text: str, url: BaseUrl) -> None:
    assert base_url(text) == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("file:///etc/passwd", "http:// or https://"),
        ("api.openai.com/v1", "http:// or https://"),
        (7, "must be a string"),
        ("https://u:p@a/v1", "user name or password"),
        ("https://a/v1?x=1", "query or a fragment"),
        ("https://a/v1#x", "query or a fragment"),
        ("https://a/{model}", "percent-encoded"),
        ("https://a/\r\nx", "percent-encoded"),
        ("https://a/é", "percent-encoded"),
        ("https://", "valid host and port"),
        ("https://:443/", "valid host and port"),
        ("https://a b/", "valid host and port"),
        ("https://a\r\nb/", "valid host and port"),
        ("https://ä.de/", "valid host and port"),
        ("https://a:99999/", "valid host and port"),
        ("https://a:x/", "valid host and port"),
        ("https://[::1/", "valid host and port"),
        ("https://[fe80::1%25eth0]/", "valid host and port"),
        ("https://2130706433/", "valid host and port"),
        ("https://0x7f.1/", "valid host and port"),
        ("https://" + "a" * 300, "valid host and port"),
        ("https://a:0/", "port 0"),
        ("http://169.254.169.254/latest", "link-local"),
        ("http://[::ffff:169.254.169.254]/", "link-local"),
        ("http://224.0.0.1/", "multicast"),
    ],
)
@fault("K16")
def test_a_base_url_that_could_mislead_is_refused(text: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        base_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "memory://",
        "redis://localhost",
        "redis://redis:6380/",
        "rediss://user:p%40ss@redis.example.com:6379/15",
        "redis://:s3cret@10.0.0.1/0",
        "redis://[::1]:6379",
        "redis://u:a:b!$&'()*+,;=~@my_redis",
    ],
)
def test_a_store_url_stays_as_it_is(text: str) -> None:
    assert store_url(Interpolated(text)) == text
    assert type(store_url(Interpolated(text))) is str


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (6379, "must be a string"),
        ("", "must be memory"),
        ("memory", "must be memory"),
        ("memory://x", "must be memory"),
        ("memory:///", "must be memory"),
        ("redis:6379", "must be memory"),
        ("unix:///run/redis.sock?password=s3cret", "must be memory"),
        ("http://:s3cret@h", "must be memory"),
        ("REDIS://:s3cret@h", "must be memory"),
        (" redis://:s3cret@h", "must be memory"),
        ("redis+sentinel://:s3cret@h", "must be memory"),
        ("redis://s3cret@h", "user:password"),
        ("redis://user:@h", "user:password"),
        ("redis://@h", "user:password"),
        ("redis://:s3cret@s3cret@h", "user:password"),
        ("redis://:s3cret%zz@h", "user:password"),
        ("redis://:s3cret\r\nx@h", "user:password"),
        ("redis://:s3créet@h", "user:password"),
        ("redis://:s3cret/x@h", "valid host and port"),
        ("redis://", "valid host and port"),
        ("redis:///0", "valid host and port"),
        ("redis://:s3cret@", "valid host and port"),
        ("redis://h1:1,h2:2", "valid host and port"),
        ("redis://:s3cret@h:99999", "valid host and port"),
        ("redis://:s3cret@h\n", "valid host and port"),
        ("redis://:s3cret@h:0", "port 0"),
        ("redis://:s3cret@h/x", "number of a database"),
        ("redis://:s3cret@h/-1", "number of a database"),
        ("redis://:s3cret@h/0/1", "number of a database"),
        ("redis://:s3cret@h/99999", "number of a database"),
        ("redis://:s3cret@h/0?ssl_cert_reqs=none", "query or a fragment"),
        ("redis://:s3cret@h#0", "query or a fragment"),
        ("redis://:s3cret#1@h", "query or a fragment"),
    ],
)
def test_another_store_url_is_refused_without_its_password(text: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        store_url(text)
    assert "s3c" not in str(caught.value)


@given(st.integers(1, 10**15))
def test_money_of_at_most_six_decimals_is_exact(micro_usd: int) -> None:
    whole, rest = divmod(micro_usd, 1_000_000)
    assert usd(float(f"{whole}.{rest:06}")) == micro_usd


@given(st.integers(1, 10**12).filter(lambda tenths: tenths % 10))
def test_a_seventh_decimal_is_refused(tenths: int) -> None:
    whole, rest = divmod(tenths, 10_000_000)
    with pytest.raises(ValueError, match="at most 6 decimals"):
        usd(float(f"{whole}.{rest:07}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("[::1]:0", Address("::1", 0)),
        ("localhost:80", Address("localhost", 80)),
    ],
)
def test_an_address_is_host_and_port(text: str, expected: Address) -> None:
    assert address(text) == expected


@pytest.mark.parametrize(
    "text", [8080, "8080", ":8080", "host", "host:", "::1:80", "[::1]", "h:65536", "h:-1", "a/b:80"]
)
def test_an_address_needs_both(text: object) -> None:
    with pytest.raises(ValueError, match="must be host:port"):
        address(text)


def test_a_network_may_be_one_address() -> None:
    assert network("10.0.0.1") == ip_network("10.0.0.1/32")
    assert network("::1/128") == ip_network("::1/128")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", "*"),
        ("https://App.example.com", "https://app.example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("tauri://localhost", "tauri://localhost"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_origin_is_what_browsers_send(text: str, expected: str) -> None:
    assert origin(text) == expected


@pytest.mark.parametrize(
    "text", ["example.com", "https://a/", "https://a/x", "https://*.a.com", "https://u@a", "://a", "**", ""]
)
def test_an_origin_has_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        origin(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T18:00:00Z", datetime(2027, 1, 31, 18, tzinfo=UTC)),
        ("2027-01-31 18:00", datetime(2027, 1, 31, 18, tzinfo=UTC)),
        ("2027-01-31t20:00:00.5+02:00", datetime(2027, 1, 31, 18, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_a_time_is_utc_unless_it_says_otherwise(text: str, moment: datetime) -> None:
    assert expires(text) == moment.timestamp()


@pytest.mark.parametrize("text", ["2027-02-30", "20270131", "2027-W01", "tomorrow", "", 2027, "2027-01-31T25:00"])
def test_a_time_must_exist(text: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        expires(text)
