import json

import pytest

from gateway.core.call import Endpoint
from gateway.core.outcome import Outcome, Record, Usage
from gateway.observe.record_log import RecordLog
from tests.observe.records import CANARY, make_record, make_tainted_record
from tests.values import make_ask, make_call


def line_of(record: Record) -> dict[str, object]:
    lines: list[bytes] = []
    RecordLog(lines.append).read(record)
    (line,) = lines
    found: dict[str, object] = json.loads(line)
    return found


def test_a_served_call_is_one_line() -> None:
    line = line_of(make_record())
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "event": "call",
        "level": "info",
        "request_id": "req-1",
        "call_id": "0123456789abcdef0123456789abcdef",
        "peer": "127.0.0.1",
        "route": "chat",
        "key": "tester",
        "model_asked": "fast",
        "stream": True,
        "tier": "fast",
        "model": "small",
        "upstream": "first",
        "attempts": [
            {"target": "large@second", "outcome": "up_5xx", "ms": 100.0},
            {"target": "small@first", "outcome": "ok", "ms": 300.0},
        ],
        "status": 200,
        "outcome": "ok",
        "first_byte_ms": 500.0,
        "total_ms": 1000.0,
        "retry_count": 0,
        "config_version": "abc123",
        "prompt_tokens": 1000,
        "completion_tokens": 51,
        "cached_tokens": 400,
        "usage_source": "provider",
        "cost_usd": 0.000902,
    }


def test_a_call_that_was_refused_at_once_is_one_too() -> None:
    record = Record(
        make_call(endpoint=Endpoint.EMBEDDINGS), status=401, outcome=Outcome.REFUSED, code="invalid_api_key"
    )
    record.ended = 100.002
    line = line_of(record)
    assert (line["route"], line["status"], line["outcome"], line["code"]) == (
        "embeddings",
        401,
        "refused",
        "invalid_api_key",
    )
    assert line["total_ms"] == 2.0
    assert line.keys().isdisjoint({"key", "model", "tier", "prompt_tokens", "first_byte_ms", "notes"})


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.OK, "info"),
        (Outcome.REFUSED, "info"),
        (Outcome.CLIENT_GONE, "info"),
        (Outcome.DRAINED, "info"),
        (Outcome.FAILED, "warning"),
        (Outcome.BROKEN, "warning"),
    ],
)
def test_its_level_says_whether_somebody_should_look(outcome: Outcome, level: str) -> None:
    line = line_of(make_record(outcome=outcome))
    assert (line["level"], line["outcome"]) == (level, outcome.value)


@pytest.mark.parametrize("outcome", [Outcome.INTERNAL, None])
def test_our_own_bug_is_an_error(outcome: Outcome | None) -> None:
    assert line_of(make_record(outcome=outcome))["level"] == "error"


def test_an_estimate_says_so_and_a_target_without_a_price_has_no_cost() -> None:
    line = line_of(make_record(usage=Usage(3, 1, source="estimated"), target=None))
    assert line["usage_source"] == "estimated"
    assert "cost_usd" not in line


def test_notes_of_what_was_odd_are_kept() -> None:
    assert line_of(make_record(notes=["missing_done"]))["notes"] == ["missing_done"]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_no_prompt_key_or_credential_is_ever_in_it(outcome: Outcome) -> None:
    line = str(line_of(make_tainted_record(outcome)))
    assert CANARY not in line
    assert "call_id" in line


@pytest.mark.parametrize(
    "name",
    ["what is my password?", "a\nb", '"},{"', "${jndi:x}", "\u202egpt", "\x1b[31m", "x" * 257, "\ud800"],
    ids=ascii,
)
def test_a_model_name_that_is_not_safe_to_show_is_not(name: str) -> None:
    assert "model_asked" not in line_of(make_record(ask=make_ask(name)))


def test_one_that_is_safe_is_even_if_there_is_no_such_model() -> None:
    assert line_of(make_record(ask=make_ask("gpt-9"), target=None))["model_asked"] == "gpt-9"
