import pytest

from gateway.core.route import Exclusion, Target
from gateway.state.health import FIRST_PAUSE, MAX_ENTRIES, MAX_PAUSE, THRESHOLD, Health, TargetState
from tests.values import make_model, make_target, make_upstream

OPEN = Exclusion.BREAKER_OPEN


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def target() -> Target:
    return make_target()


def fail(health: Health, target: Target, now: float, times: int = 1) -> None:
    for _ in range(times):
        with health.trial(target) as trial:
            trial.failed(now)


def answer(health: Health, target: Target) -> None:
    with health.trial(target) as trial:
        trial.answered()


def serve(health: Health, target: Target) -> None:
    with health.trial(target) as trial:
        trial.answered()
    with trial:
        trial.served()


def break_off(health: Health, target: Target, now: float) -> None:
    """A good first byte, then a broken stream."""
    with health.trial(target) as trial:
        trial.answered()
    with trial:
        trial.failed(now)


def test_a_target_never_tried_is_well(health: Health, target: Target) -> None:
    assert health.exclusion(target, 0) is None
    assert health.wait(target, 0) == 0
    assert health.states(0) == {}


class TestBreaker:
    def test_five_failures_in_a_row_open_it_for_a_second(self, health: Health, target: Target) -> None:
        fail(health, target, 10, THRESHOLD - 1)
        assert health.exclusion(target, 10) is None
        fail(health, target, 10)
        assert health.exclusion(target, 10) is OPEN
        assert health.wait(target, 10) == FIRST_PAUSE
        assert health.exclusion(target, 10 + FIRST_PAUSE - 0.01) is OPEN
        assert health.exclusion(target, 10 + FIRST_PAUSE) is None

    def test_a_call_served_in_between_starts_the_count_again(self, health: Health, target: Target) -> None:
        fail(health, target, 0, THRESHOLD - 1)
        serve(health, target)
        fail(health, target, 0, THRESHOLD - 1)
        assert health.exclusion(target, 0) is None

    def test_each_failed_probe_doubles_the_pause_up_to_a_minute(self, health: Health, target: Target) -> None:
        fail(health, target, 0, THRESHOLD)
        now, pauses = 0.0, []
        for _ in range(9):
            pauses.append(health.wait(target, now))
            now += pauses[-1]
            assert health.exclusion(target, now - 0.01) is OPEN
            assert health.exclusion(target, now) is None
            fail(health, target, now)
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, MAX_PAUSE]

    def test_only_one_probe_at_a_time(self, health: Health, target: Target) -> None:
        fail(health, target, 0, THRESHOLD)
        with health.trial(target):
            assert health.exclusion(target, 5) is OPEN
            assert health.wait(target, 5) > 0
            assert health.exclusion(target, 1000) is OPEN
        assert health.exclusion(target, 5) is None

    def test_a_client_that_leaves_frees_the_probe_and_counts_for_nothing(self, health: Health, target: Target) -> None:
        fail(health, target, 0, THRESHOLD)
        with pytest.raises(KeyboardInterrupt), health.trial(target):
            raise KeyboardInterrupt
        assert health.exclusion(target, 1) is None
        assert health.states(1) == {target.key: TargetState.HALF_OPEN}
        fail(health, target, 1)
        assert health.wait(target, 1) == 2

    def test_clients_that_leave_never_open_it(self, health: Health, target: Target) -> None:
        for _ in range(10 * THRESHOLD):
            with health.trial(target):
                pass
        assert health.exclusion(target, 0) is None

    def test_nor_do_they_start_the_count_again(self, health: Health, target: Target) -> None:
        fail(health, target, 0, THRESHOLD - 1)
        with health.trial(target):
            pass
        fail(health, target, 0)
        assert health.exclusion(target, 0) is OPEN

    def test_a_good_probe_lets_traffic_through(self, health: Health, target: Target) -> None:
        fail(health, target, 0, THRESHOLD)
        answer(health, target)
        assert health.exclusion(target, 1) is None
        assert health.wait(target, 1) == 0
        with health.trial(target):
            assert health.exclusion(target, 1) is None

    def test_and_a_served_one_makes_it_as_good_as_new(self, health: Health, target: Target) -> None:
        fail(health, target, 0, THRESHOLD + 3)
        serve(health, target)
        fail(health, target, 9, THRESHOLD - 1)
        assert health.exclusion(target, 9) is None
        fail(health, target, 9)
        assert health.wait(target, 9) == FIRST_PAUSE

    def test_a_probe_that_answers_and_then_breaks_opens_it_again(self, health: Health, target: Target) -> None:
        fail(health, target, 0, THRESHOLD)
        break_off(health, target, 1)
        assert health.exclusion(target, 1) is OPEN

    def test_failures_of_many_at_once_do_not_multiply_the_pause(self, health: Health, target: Target) -> None:
        trials = [health.trial(target) for _ in range(50)]
        for trial in trials:
            with trial:
                trial.failed(7)
        assert health.wait(target, 7) == FIRST_PAUSE

    def test_nor_do_late_ones_while_it_is_open_or_probed(self, health: Health, target: Target) -> None:
        late = [health.trial(target) for _ in range(5)]
        fail(health, target, 0, THRESHOLD)
        with late[0]:
            late[0].failed(0.9)
        assert health.wait(target, 0.9) == pytest.approx(0.1)
        with health.trial(target) as probe:
            with late[1]:
                late[1].failed(1.5)
            assert health.exclusion(target, 1.5) is OPEN
            probe.failed(2)
        assert health.wait(target, 2) == 2 * FIRST_PAUSE

    def test_a_late_one_that_ends_does_not_free_somebody_elses_probe(self, health: Health, target: Target) -> None:
        late = health.trial(target)
        fail(health, target, 0, THRESHOLD)
        with health.trial(target):
            with late:
                pass
            assert health.exclusion(target, 5) is OPEN

    @pytest.mark.parametrize("good_ones", [0, 3])
    def test_streams_that_keep_breaking_after_their_first_byte_open_it_in_the_end(
        self, health: Health, target: Target, good_ones: int
    ) -> None:
        for _ in range(good_ones):
            serve(health, target)
        for _ in range(THRESHOLD):
            assert health.exclusion(target, 0) is None
            break_off(health, target, 0)
        assert health.exclusion(target, 0) is OPEN


class TestCooldown:
    def test_a_target_that_asked_for_it_is_left_alone_for_so_long(self, health: Health, target: Target) -> None:
        health.cool(target, 17)
        assert health.exclusion(target, 16.9) is Exclusion.COOLDOWN
        assert health.wait(target, 10) == 7
        assert health.exclusion(target, 17) is None

    def test_a_shorter_one_does_not_end_a_longer_one(self, health: Health, target: Target) -> None:
        health.cool(target, 17)
        health.cool(target, 5)
        assert health.wait(target, 10) == 7

    def test_neither_an_answer_nor_a_served_call_ends_it(self, health: Health, target: Target) -> None:
        health.cool(target, 17)
        serve(health, target)
        assert health.exclusion(target, 10) is Exclusion.COOLDOWN

    def test_beside_an_open_breaker_the_longer_wait_counts(self, health: Health, target: Target) -> None:
        fail(health, target, 10, THRESHOLD)
        health.cool(target, 10.5)
        assert health.wait(target, 10) == FIRST_PAUSE
        health.cool(target, 30)
        assert health.wait(target, 10) == 20


def test_health_is_kept_by_configured_model_and_upstream(health: Health) -> None:
    first, second = make_upstream("first"), make_upstream("second")
    fail(health, make_target("gpt", first), 0, THRESHOLD)
    assert health.exclusion(make_target("gpt", first), 0) is OPEN
    assert health.exclusion(make_target("gpt", second), 0) is None
    assert health.exclusion(make_target("other", first), 0) is None


def test_a_name_that_fails_under_a_wildcard_does_not_close_the_others(health: Health) -> None:
    model = make_model("ollama/*")
    fail(health, Target("ollama/bad", "bad", model), 0, THRESHOLD)
    assert health.exclusion(Target("ollama/bad", "bad", model), 0) is OPEN
    assert health.exclusion(Target("ollama/good", "good", model), 0) is None
    assert health.states(0) == {("ollama/*", "first"): TargetState.OPEN}


def test_memory_is_bounded_however_many_names_fail(health: Health) -> None:
    model = make_model("ollama/*")
    for number in range(MAX_ENTRIES + 1):
        health.cool(Target(f"ollama/{number}", str(number), model), 5)
    assert health.exclusion(Target("ollama/0", "0", model), 0) is None
    assert health.exclusion(Target("ollama/1", "1", model), 0) is Exclusion.COOLDOWN


def test_any_number_of_names_under_a_wildcard_is_one_series(health: Health) -> None:
    model = make_model("ollama/*")
    for number in range(1000):
        health.cool(Target(f"ollama/{number}", str(number), model), 5)
    assert health.states(0) == {("ollama/*", "first"): TargetState.COOLDOWN}


def test_states_are_as_the_metric_shows_them(health: Health, target: Target) -> None:
    serve(health, target)
    assert health.states(0) == {}
    fail(health, target, 0, 1)
    assert health.states(0) == {target.key: TargetState.CLOSED}
    fail(health, target, 0, THRESHOLD)
    assert health.states(0) == {target.key: TargetState.OPEN}
    health.cool(target, 0.5)
    assert health.states(0) == {target.key: TargetState.COOLDOWN}
    assert health.states(2) == {target.key: TargetState.HALF_OPEN}
    assert [state.value for state in TargetState] == [0, 1, 2, 3]


def test_a_target_whose_probes_answer_and_then_break_is_left_alone_longer_each_time(
    health: Health, target: Target
) -> None:
    fail(health, target, 0, THRESHOLD)
    now, pauses = 0.0, []
    for _ in range(4):
        pauses.append(health.wait(target, now))
        now += pauses[-1]
        break_off(health, target, now)
    assert pauses == [1, 2, 4, 8]
    serve(health, target)
    fail(health, target, now, THRESHOLD)
    assert health.wait(target, now) == FIRST_PAUSE
