import pytest

from bench.contestants import KEY, Gateway, Place
from bench.scenarios import Idle, Plain, Streams, quick, scenarios, too_many
from gateway.config.load import parse


@pytest.mark.parametrize("scenario", list(scenarios()), ids=lambda scenario: f"{scenario.name}-{scenario.cases[0].at}")
def test_a_smoke_run_has_one_round_at_most_of_each(scenario):
    short = quick(scenario)
    assert short.rounds == 1
    assert set(short.cases) <= set(quick(scenario).cases)
    assert all(case.load.seconds <= 0.2 for case in short.cases if isinstance(case.load, Plain | Streams))


def test_what_is_held_against_the_goals_has_nine_rounds_at_least():
    several = {"memory", "streams-number", "bodies", "keys", "models"}
    assert all(scenario.rounds >= 9 for scenario in scenarios() if scenario.name not in several)


@pytest.mark.parametrize(
    ("load", "descriptors", "expected"),
    [
        pytest.param(Streams(5000, 1), 20_000, False, id="enough"),
        pytest.param(Streams(5000, 1), 4096, True, id="too few for streams"),
        pytest.param(Idle(2000), 1024, True, id="too few for idle streams"),
        pytest.param(Plain(32), 1024, False, id="plain calls take few"),
    ],
)
def test_streams_need_two_descriptors_each(load, descriptors, expected):
    assert too_many(load, descriptors) is expected


def test_the_gateways_configuration_is_valid_and_has_everything_on(tmp_path):
    place = Place(tmp_path, 9000, {}, 0, 1, "redis://127.0.0.1:6379/0")
    text = Gateway(workers=2, redis=True, keys=3, models=4).config(place)
    config = parse(text.encode(), "bench.yaml", {})
    assert not config.warnings
    assert (len(config.callers), len(config.routes.models)) == (3, 4)
    assert KEY not in text
    assert all(word in text for word in ("requests_per", "tokens_per", "concurrent_", "budget", "price", "limits: all"))
