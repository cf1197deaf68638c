from random import Random
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.core.call import Endpoint
from gateway.core.outcome import AttemptResult, Outcome, Record, Usage
from gateway.core.route import Plan, Target
from gateway.observe.metrics import Metrics
from gateway.state.health import TargetState
from tests.observe.records import CANARY, LARGE, SMALL, make_record, make_tainted_record
from tests.values import make_ask, make_call, make_caller, make_model, make_upstream

SERVED = {"route": "chat", "model": "small", "upstream": "first"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    metrics.flush()
    return metrics.registry.get_sample_value(f"gateway_{name}", labels)


def series(metrics: Metrics) -> set[str]:
    metrics.flush()
    text = metrics.render().decode()
    return {f"{s.name}{sorted(s.labels.items())}" for f in text_string_to_metric_families(text) for s in f.samples}


def test_a_served_stream_is_counted_and_timed(metrics: Metrics) -> None:
    metrics.read(make_record())
    assert value(metrics, "requests_total", **SERVED, code="200", stream="true") == 1
    assert value(metrics, "request_duration_seconds_sum", **SERVED) == 1.0
    assert value(metrics, "time_to_first_token_seconds_sum", **SERVED) == 0.5
    assert value(metrics, "time_per_output_token_seconds_sum", **SERVED) == pytest.approx(0.01)
    assert value(metrics, "overhead_seconds_sum") == pytest.approx(0.1)
    assert value(metrics, "attempts_total", model="large", upstream="second", outcome="up_5xx") == 1
    assert value(metrics, "attempts_total", model="small", upstream="first", outcome="ok") == 1
    assert value(metrics, "fallbacks_total", **{"from": "large", "to": "small", "reason": "up_5xx"}) == 1
    tokens = {kind: value(metrics, "tokens_total", key="tester", model="small", kind=kind) for kind in KINDS}
    assert tokens == {"prompt": 1000, "completion": 51, "cached": 400}
    assert value(metrics, "cost_usd_total", key="tester", model="small") == pytest.approx(0.000902)


KINDS = ("prompt", "completion", "cached")


def test_a_plain_call_has_no_first_token(metrics: Metrics) -> None:
    metrics.read(make_record(ask=make_ask("fast")))
    assert value(metrics, "requests_total", **SERVED, code="200", stream="false") == 1
    assert value(metrics, "request_duration_seconds_count", **SERVED) == 1
    assert value(metrics, "time_to_first_token_seconds_count", **SERVED) is None


def test_a_refused_call_has_no_target(metrics: Metrics) -> None:
    metrics.read(Record(make_call(endpoint=Endpoint.EMBEDDINGS), status=401, outcome=Outcome.REFUSED))
    nobody = {"route": "embeddings", "model": "", "upstream": ""}
    assert value(metrics, "requests_total", **nobody, code="401", stream="false") == 1
    assert value(metrics, "request_duration_seconds_count", **nobody) is None


@pytest.mark.parametrize(("first_byte", "phase"), [(None, "before"), (100.5, "after")])
def test_a_client_that_left_is_counted_by_when(metrics: Metrics, first_byte: float | None, phase: str) -> None:
    metrics.read(make_record(outcome=Outcome.CLIENT_GONE, status=499, first_byte=first_byte))
    assert value(metrics, "client_disconnects_total", phase=phase) == 1


@pytest.mark.parametrize(("count", "shown"), [(1, "1"), (5, "5"), (6, "5"), (10**9, "5")])
def test_retries_of_an_sdk_are_counted_by_a_small_number(metrics: Metrics, count: int, shown: str) -> None:
    metrics.read(make_record(call=make_call(retry_count=count)))
    assert value(metrics, "client_retries_total", count=shown) == 1


def test_the_same_target_tried_again_is_no_fallback(metrics: Metrics) -> None:
    attempts = [AttemptResult(SMALL, "up_5xx", 0.1), AttemptResult(SMALL, "ok", 0.1)]
    metrics.read(make_record(attempts=attempts))
    assert not any("fallbacks_total" in name for name in series(metrics))


def test_no_usage_and_no_price_are_no_tokens_and_no_cost(metrics: Metrics) -> None:
    metrics.read(make_record(usage=None))
    metrics.read(make_record(target=LARGE, usage=Usage(7, 2)))
    assert value(metrics, "cost_usd_total", key="tester", model="large") is None
    assert value(metrics, "tokens_total", key="tester", model="large", kind="cached") is None
    assert value(metrics, "tokens_total", key="tester", model="large", kind="prompt") == 7


def test_lines_that_were_dropped_are_a_total(metrics: Metrics) -> None:
    for total in (0, 5, 5, 12):
        metrics.count_dropped(total)
    assert value(metrics, "log_lines_dropped_total") == 12


def test_gauges_are_of_the_moment(metrics: Metrics) -> None:
    metrics.refresh({"small": 3}, {("small", "first"): TargetState.OPEN})
    metrics.refresh({"small": 1}, {("small", "first"): TargetState.CLOSED})
    text = metrics.render().decode()
    assert 'gateway_active_streams{model="small"} 1.0' in text
    assert 'gateway_target_state{model="small",upstream="first"} 0.0' in text


def test_only_the_configuration_in_use_is_shown(metrics: Metrics) -> None:
    metrics.config_taken("one")
    metrics.config_taken("two")
    assert value(metrics, "config_version_info", version="one") is None
    assert value(metrics, "config_version_info", version="two") == 1
    assert value(metrics, "config_last_reload_successful") == 1


def wildcard_call(name: str, **fields: Any) -> Record:
    """A call of any name that one wildcard lets through, and what it left behind."""
    target = Target(f"ollama/{name}", name, make_model("ollama/*", make_upstream("second")))
    attempts = [AttemptResult(SMALL, "up_5xx", 0.1), AttemptResult(target, "ok", 0.3)]
    plan = Plan(None, None, None, (SMALL, target))
    call = make_call(id=name, request_id=name, peer=name, retry_count=len(name))
    given: dict[str, Any] = {"call": call, "ask": make_ask(name), "plan": plan, "target": target, "attempts": attempts}
    return make_record(**{**given, **fields})


def test_i12_ten_thousand_names_make_no_series(metrics: Metrics) -> None:
    dice = Random(7)
    metrics.read(wildcard_call("first-name"))
    metrics.read(wildcard_call("first-name", target=None, attempts=[], status=404, outcome=Outcome.REFUSED))
    before = series(metrics)
    for _ in range(5_000):
        name = f"{dice.randrange(10**9):09x}"
        metrics.read(wildcard_call(name))
        metrics.read(wildcard_call(name, target=None, attempts=[], status=404, outcome=Outcome.REFUSED))
    assert series(metrics) == before


@pytest.mark.parametrize("outcome", list(Outcome))
def test_no_prompt_key_or_credential_is_ever_in_them(metrics: Metrics, outcome: Outcome) -> None:
    metrics.read(make_tainted_record(outcome))
    metrics.flush()
    assert CANARY.encode() not in metrics.render()


def test_labels_that_need_it_are_escaped(metrics: Metrics) -> None:
    metrics.read(make_record(caller=make_caller(name='a"b\\c\nd')))
    metrics.flush()
    parsed = list(text_string_to_metric_families(metrics.render().decode()))
    assert any(sample.labels.get("key") == 'a"b\\c\nd' for family in parsed for sample in family.samples)


def test_two_gateways_in_a_process_do_not_share_their_metrics(metrics: Metrics) -> None:
    metrics.read(make_record())
    assert value(Metrics(), "requests_total", **SERVED, code="200", stream="true") is None
