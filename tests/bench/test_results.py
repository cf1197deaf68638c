import msgspec
import pytest

from bench.goals import goals
from bench.machine import Machine
from bench.report import TITLES, table
from bench.results import Measured, Results, Series, cpu_per_call, cpu_per_event, difference, median, ratio
from bench.scenarios import scenarios
from bench.tally import Spread

MACHINE = Machine("A processor", 2, 16.0, "Linux 6", "CPython 3.11", {"nginx": "1.22"}, "2026-01-01", "abc1234")


def series(contestant, *rounds, scenario="streams", at=0):
    return Series(scenario, contestant, at, list(rounds))


def per_event(*figures):
    return [Measured(events=1, cpu_us_per_event=figure) for figure in figures]


@pytest.fixture
def results():
    return Results(machine=MACHINE, quick=False)


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_not_of_the_medians():
    gateway, nginx = series("gateway", *per_event(10, 40, 30)), series("nginx", *per_event(10, 20, 60))
    assert ratio(gateway, nginx, cpu_per_event) == 1.0
    assert difference(gateway, nginx, cpu_per_event) == 0
    assert median(gateway, cpu_per_event) == 30


def test_what_was_not_measured_is_none():
    assert median(None, cpu_per_event) is None
    assert ratio(series("gateway", *per_event(10)), None, cpu_per_event) is None
    assert median(series("gateway", *per_event(10)), cpu_per_call) is None
    assert ratio(series("gateway", *per_event(10)), series("nginx", Measured()), cpu_per_event) is None


def test_a_goal_is_met_missed_or_not_measured(results):
    results.series = [series("gateway", *per_event(21)), series("nginx", *per_event(20))]
    results.series += [series("gateway", Measured(ready_s=0.9), scenario="start")]
    met = {goal.what: goal.met for goal in goals(results)}
    assert met["CPU per relayed event, 400 streams x 50/s"] is True
    assert met["start to ready"] is False
    assert met["memory per open stream, 2,000 idle streams"] is None


def test_a_lost_event_anywhere_misses_the_goal(results):
    lossy = Measured(events=10, cpu_us_per_event=1, faults={"lost": 2, "reordered": 1})
    results.series = [series("gateway", *per_event(1)), series("gateway redis", lossy, scenario="workers-streams")]
    [goal] = [goal for goal in goals(results) if goal.what.startswith("events lost")]
    assert (goal.measured, goal.met) == (3, False)


def test_a_curve_is_in_the_order_of_its_points(results):
    results.series = [series("gateway", *per_event(at), scenario="streams-number", at=at) for at in (100, 10, 1000)]
    assert results.points("streams-number", "gateway", cpu_per_event) == [(10, 10), (100, 100), (1000, 1000)]


def test_the_table_shows_goals_figures_machine_and_what_went_wrong(results):
    lag = Measured(events=1, cpu_us_per_event=20.5, lag_us=Spread(100.0, 1234.0), load_busy=0.5)
    results.series = [series("gateway", lag), series("nginx", *per_event(20))]
    results.left_out, results.failures = ["redis is not installed"], ["nginx died"]
    lines = table(results).splitlines()
    assert "| CPU per relayed event, 400 streams x 50/s | 1.02 x nginx | 1.2 x nginx | yes |" in lines
    assert "| gateway | 20.5 | 100 | 1,234 | 0.50 |" in lines
    assert "| nginx | 20.0 | - | - | - |" in lines
    assert "**Something failed, see the end.**" in lines
    assert {"* redis is not installed", "* nginx died"} <= set(lines)
    assert any(line.startswith("A processor, 2 cores") for line in lines)


def test_the_columns_of_a_curve_begin_with_the_point(results):
    results.series = [series("gateway", *per_event(20), scenario="streams-number", at=5000)]
    assert "| 5,000 | gateway | 20.0 |" in table(results).splitlines()


def test_results_can_be_read_again(results):
    results.series = [series("gateway", Measured(events=1, lag_us=Spread(1.0, 2.0), faults={"lost": 1}))]
    assert msgspec.json.decode(msgspec.json.encode(results), type=Results) == results


def test_every_scenario_has_a_title():
    assert {scenario.name for scenario in scenarios()} == set(TITLES)
