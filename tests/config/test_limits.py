"""The fields of `limits`, `store` and the workers: every one with every value that it can't have (K11)."""

import pytest

from tests.catalogue import fault
from tests.config.files import faults_of, written

COUNTS = {"requests_per_minute", "tokens_per_minute", "request_burst", "token_burst", "concurrent_streams"}
MOST = {"concurrent_streams": 1_000_000}

WHOLE = "must be a whole number"
NO_VALUE = "has no value (leave the line out to get the default)"
DURATION = "must be a duration with its unit, such as 500ms, 15s, 2m or 1h"
URL = "must be memory://, redis://host or rediss://host"

NO_COUNT = {
    "0": "must be at least 1",
    "-1": "must be at least 1",
    "true": WHOLE,
    "on": WHOLE,
    "1.5": WHOLE,
    "60.0": WHOLE,
    "1e3": WHOLE,
    ".nan": WHOLE,
    ".inf": WHOLE,
    '"60"': WHOLE,
    "1" + 30 * "0": WHOLE,
    "": NO_VALUE,
    "null": NO_VALUE,
    "[60]": WHOLE,
    "{a: 60}": WHOLE,
    '"${N:-0}"': "must be at least 1",
    '"${N:-many}"': WHOLE,
    "${N}": "the environment variable N is not set",
}


@pytest.mark.parametrize("value", [pytest.param(value, id=value or "nothing") for value in NO_COUNT])
@pytest.mark.parametrize("field", sorted(COUNTS))
@fault("K11")
def test_a_count_is_a_whole_number_of_at_least_one(field: str, value: str) -> None:
    rates = "".join(f"    {rate}: 9\n" for rate in ("requests_per_minute", "tokens_per_minute") if rate != field)
    text = written(more=f"limits:\n  l:\n{rates}    {field}: {value}\n")
    line = 6 + rates.count("\n")
    column = 5 + len(field) + (2 if value else 1)
    assert faults_of(text) == [f"f:{line}:{column} limits.l.{field}: {NO_COUNT[value]}"]


@pytest.mark.parametrize("field", sorted(COUNTS))
def test_a_count_has_a_largest_value(field: str) -> None:
    most = MOST.get(field, 100_000_000)
    rates = "requests_per_minute: 9, tokens_per_minute: 9, ".replace(f"{field}: 9, ", "")
    text = written(more=f"limits: {{l: {{{rates}{field}: %s}}}}")
    assert faults_of(text % most) == []
    for value in (most + 1, 10**29):
        (fault,) = faults_of(text % value)
        assert fault.endswith(f"limits.l.{field}: must be at most {most}")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        *(
            pytest.param(
                f"limits: {{l: {{budget: {{period: day, usd: {value}}}}}}}", f"usd: {message}", id=f"usd {value}"
            )
            for value, message in {
                "0": "must be greater than 0",
                "0.0": "must be greater than 0",
                "-1": "must be greater than 0",
                "true": "must be a number",
                "five": "must be a number",
                "[5]": "must be a number",
                ".nan": "must be a finite number",
                ".inf": "must be a finite number",
                "1e999": "must be a finite number",
                '"60"': "must be a number",
                "1" + 30 * "0": "must be at most 1000000000",
                "9" * 30: "must be at most 1000000000",
                "1000000000.01": "must be at most 1000000000",
                "0.0000001": "must have at most 6 decimals",
                "5.1234567": "must have at most 6 decimals",
                "~": NO_VALUE,
            }.items()
        ),
    ],
)
def test_a_budget_is_an_amount_of_money(more: str, fault: str) -> None:
    assert faults_of(written(more=more)) == [f"f:4:41 limits.l.budget.{fault}"]


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        pytest.param("budget: 500", "4:22 limits.l.budget: must be a mapping", id="budget as a number"),
        pytest.param("budget: {}", "4:14 limits.l.budget.usd: is required", id="budget of nothing"),
        pytest.param("budget: {usd: 5}", "4:14 limits.l.budget.period: is required", id="no period"),
        pytest.param("budget: {period: day}", "4:14 limits.l.budget.usd: is required", id="no amount"),
        pytest.param(
            "budget: {usd: 5, period: mnth}",
            "4:39 limits.l.budget.period: must be 'day', 'week' or 'month' (did you mean 'month'?)",
            id="period",
        ),
        pytest.param(
            "budget: {usd: 5, period: day, eur: 5}",
            "4:44 limits.l.budget.eur: is an unknown field",
            id="currency",
        ),
        pytest.param(
            "request_per_minute: 5",
            "4:14 limits.l.request_per_minute: is an unknown field (did you mean 'requests_per_minute'?)",
            id="unknown field",
        ),
    ],
)
def test_what_is_wrong_with_an_entry_of_limits_is_told(more: str, fault: str) -> None:
    assert f"f:{fault}" in faults_of(written(more=f"limits: {{l: {{{more}}}}}"))


@pytest.mark.parametrize(
    ("more", "faults"),
    [
        pytest.param("limits: [l]", ["f:4:9 limits: must be a mapping"], id="limits as a list"),
        pytest.param("limits: {l: 5}", ["f:4:13 limits.l: must be a mapping"], id="limits as a number"),
        pytest.param("limits: {l: }", ["f:4:13 limits.l: must be a mapping"], id="limits without a value"),
        pytest.param("store: memory://", ["f:4:8 store: must be a mapping"], id="store as a URL"),
        pytest.param(
            "store: {uri: x}",
            ["f:4:9 store.uri: is an unknown field (did you mean 'url'?)"],
            id="store's field",
        ),
        pytest.param(
            "store: {url:redis://:s3cret@h}",
            ["f:4:9 store.?: is an unknown field: a space is missing after 'url:'"],
            id="no space after url",
        ),
    ],
)
def test_the_sections_are_mappings_of_known_fields(more: str, faults: list[str]) -> None:
    assert faults_of(written(more=more)) == faults


RANGE = "must be between 1 and 256, or auto"
COUNT = "must be a whole number, or auto"
PROCESSES = {
    "workers": {"0": RANGE, "-1": RANGE, "257": RANGE, "9" * 30: RANGE, "1" + 30 * "0": COUNT}
    | dict.fromkeys(("true", "2.0", "1e3", ".nan", '"2"', "Auto", "[2]", "{}"), COUNT)
    | {"~": NO_VALUE},
    "drain_timeout": dict.fromkeys(("300", "-1s", "true", "1e3", ".nan", '"60"', "5d", "0.0", "[]"), DURATION)
    | {"169h": "must be at most 168h", "~": NO_VALUE},
}
STORE = {
    "url": dict.fromkeys(("redis", "unix:///run/redis.sock", "http://h", "memory://x", '""', "redis:h"), URL)
    | {"5": "must be a string", "true": "must be a string", "~": NO_VALUE},
    "on_error": dict.fromkeys(("5", "true", "allow", "Local", "[local]"), "must be 'local' or 'deny'")
    | {"~": NO_VALUE},
    "replicas": {value: message for value, message in NO_COUNT.items() if value}
    | {"10001": "must be at most 10000", "9" * 30: "must be at most 10000"},
    "timeout": dict.fromkeys(("100", "-1s", "true", "1e3", ".nan", '"60"'), DURATION)
    | dict.fromkeys(("0", "0s", "1001ms", "2s", "0.5ms"), "must be between 1ms and 1s")
    | {"~": NO_VALUE},
    "lease_ttl": dict.fromkeys(("30", "-1s", "true", "1e3", ".nan", '"60"'), DURATION)
    | dict.fromkeys(("0", "4s", "601s", "1h"), "must be between 5s and 10m")
    | {"~": NO_VALUE},
}


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        pytest.param(section, field, value, message, id=f"{field} {value}")
        for section, fields in {"server": PROCESSES, "store": STORE}.items()
        for field, messages in fields.items()
        for value, message in messages.items()
    ],
)
@fault("K11")
def test_no_other_value_is_taken(section: str, field: str, value: str, message: str) -> None:
    (fault,) = faults_of(written(more=f"{section}:\n  {field}: {value}"))
    assert fault.partition(" (did you mean")[0] == f"f:5:{len(field) + 5} {section}.{field}: {message}"


@pytest.mark.parametrize(
    "more",
    [
        "server: {workers: 1, drain_timeout: 0}",
        "server: {workers: 256, drain_timeout: 168h}\nstore: {url: 'redis://h'}",
        "store: {timeout: 1s, lease_ttl: 5s, replicas: 1, on_error: local}",
        "store: {timeout: 1ms, lease_ttl: 10m, on_error: deny}",
        "limits: {l: {budget: {usd: 1000000000, period: week}}}",
        "limits: {}",
    ],
)
def test_the_ends_of_every_range_are_in_it(more: str) -> None:
    assert faults_of(written(more=more)) == []
