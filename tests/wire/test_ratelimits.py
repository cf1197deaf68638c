import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.limits import Budget, Demand, Limits, Period, Rate, Use, Verdict
from gateway.wire.ratelimits import duration, exhausted, headers, too_large

# Go's time.ParseDuration, as far as OpenAI's headers use it.
GO_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")

SECOND = 1_000_000
RPM = Rate(60, 60)
TPM = Rate(60_000, 90_000)


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        pytest.param(0, "0s", id="nothing"),
        pytest.param(-5, "0s", id="less than nothing"),
        pytest.param(1, "1ms", id="rounded up to a millisecond"),
        pytest.param(12_000, "12ms", id="milliseconds"),
        pytest.param(12_001, "13ms", id="rounded up"),
        pytest.param(999_000, "999ms", id="just under a second"),
        pytest.param(999_001, "1s", id="rounded up to a second"),
        pytest.param(SECOND, "1s", id="a second"),
        pytest.param(1_500_000, "1.5s", id="a fraction"),
        pytest.param(1_050_000, "1.05s", id="a zero after the point"),
        pytest.param(10 * SECOND, "10s", id="zeros that count"),
        pytest.param(60 * SECOND, "1m0s", id="a minute"),
        pytest.param(61_001_000, "1m1.001s", id="a minute and a little"),
        pytest.param(360 * SECOND, "6m0s", id="minutes"),
        pytest.param(3600 * SECOND, "1h0m0s", id="an hour"),
        pytest.param(26 * 3600 * SECOND + 90 * SECOND, "26h1m30s", id="more than a day"),
    ],
)
def test_a_duration_is_written_as_go_does(microseconds: int, text: str) -> None:
    assert duration(microseconds) == text


@given(st.integers(0, 10**12))
def test_a_duration_is_never_too_short_and_less_than_a_millisecond_too_long(microseconds: int) -> None:
    found = GO_DURATION.fullmatch(duration(microseconds))
    assert found is not None
    hours, minutes, seconds, milliseconds = (found.group(number) or "0" for number in (1, 2, 3, 4))
    told = (int(hours) * 3600 + int(minutes) * 60) * SECOND + round(float(seconds) * SECOND) + int(milliseconds) * 1000
    assert microseconds <= told < microseconds + 1000


class TestHeaders:
    def test_both_rates_are_told_and_the_generic_pair(self) -> None:
        verdict = Verdict(True, Use(requests=1_500_000, tokens=30 * SECOND), Limits("pro", RPM, TPM))
        assert headers(verdict) == (
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "58"),
            ("x-ratelimit-reset-requests", "1.5s"),
            ("X-RateLimit-Limit", "60"),
            ("X-RateLimit-Remaining", "58"),
            ("x-ratelimit-limit-tokens", "60000"),
            ("x-ratelimit-remaining-tokens", "60000"),
            ("x-ratelimit-reset-tokens", "30s"),
        )

    @pytest.mark.parametrize(
        ("limits", "names"),
        [
            pytest.param(Limits("free"), set(), id="no limit"),
            pytest.param(Limits("free", streams=3, budget=Budget(5, Period.DAY)), set(), id="no rate"),
            pytest.param(Limits("free", tokens=TPM), {"limit-tokens", "remaining-tokens", "reset-tokens"}, id="tokens"),
        ],
    )
    def test_what_has_no_rate_has_no_headers(self, limits: Limits, names: set[str]) -> None:
        told = {name for name, _ in headers(Verdict(True, Use(), limits))}
        assert told == {f"x-ratelimit-{name}" for name in names}

    def test_what_was_decided_without_the_shared_store_says_so_and_tells_this_process_share(self) -> None:
        share = Limits("pro", RPM).shared_by(4)
        told = dict(headers(Verdict(True, Use(), share, degraded=True)))
        assert told["x-gateway-degraded"] == "limiter"
        assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == ("15", "15")

    @given(per_minute=st.integers(1, 5_000_000), burst=st.integers(1, 5_000_000), debt=st.integers(0, 120 * SECOND))
    def test_never_more_remains_than_was_there(self, per_minute: int, burst: int, debt: int) -> None:
        rate = Rate(per_minute, burst)
        told = dict(headers(Verdict(True, Use(tokens=debt), Limits("pro", tokens=rate))))
        assert 0 <= int(told["x-ratelimit-remaining-tokens"]) <= burst
        assert "Used -" not in exhausted("gpt", "tokens per min (TPM)", rate, debt, 1, 1)


class TestWording:
    def test_what_is_exhausted_is_told_in_openai_words(self) -> None:
        text = exhausted("gpt-4o", "requests per min (RPM)", RPM, 60 * SECOND, 1, 1_146_000)
        assert text == (
            "Rate limit reached for gpt-4o on requests per min (RPM): Limit 60, Used 60, Requested 1. "
            "Please try again in 1.146s."
        )

    @pytest.mark.parametrize(
        ("wait", "told"),
        [
            pytest.param(1, "0.001s", id="rounded up to a millisecond"),
            pytest.param(1_145_001, "1.146s", id="rounded up"),
            pytest.param(2 * SECOND, "2s", id="whole seconds"),
            pytest.param(90 * SECOND, "90s", id="more than a minute"),
            pytest.param(3_661_123_000, "3661.123s", id="more than an hour"),
        ],
    )
    def test_the_wait_is_in_seconds_never_too_short(self, wait: int, told: str) -> None:
        text = exhausted("gpt", "tokens per min (TPM)", TPM, 0, 5, wait)
        assert text.endswith(f"Please try again in {told}.")

    def test_used_counts_what_the_bucket_lacks(self) -> None:
        text = exhausted("gpt", "tokens per min (TPM)", TPM, 45 * SECOND, 50_000, SECOND)
        assert "Limit 60000, Used 45000, Requested 50000." in text

    def test_what_can_never_pass_names_the_bucket_and_no_wait(self) -> None:
        text = too_large("gpt", Demand("call", "key", Limits("small", tokens=TPM), 90_001, 0, 0.0))
        assert text.startswith("Request too large for gpt on tokens per min (TPM): Limit 90000, Requested 90001.")
        assert "try again" not in text
