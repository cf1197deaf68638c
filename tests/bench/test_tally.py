import pytest

from bench.tally import Spread, percentile, spread


@pytest.mark.parametrize(
    ("times", "percent", "expected"),
    [
        pytest.param([5], 99, 5, id="one"),
        pytest.param([1, 2], 50, 1, id="the lower of two"),
        pytest.param([1, 2, 3], 50, 2, id="the middle"),
        pytest.param(range(1, 101), 50, 50, id="the median of a hundred"),
        pytest.param(range(1, 101), 99, 99, id="one of a hundred is above p99"),
        pytest.param(range(1, 1001), 99, 990, id="ten of a thousand are above p99"),
        pytest.param(range(1, 101), 100, 100, id="the largest"),
        pytest.param(range(1, 101), 0, 1, id="the smallest"),
    ],
)
def test_a_percentile_is_the_nearest_rank(times, percent, expected):
    assert percentile(times, percent) == expected


def test_a_spread_is_in_microseconds_and_of_times_in_any_order():
    assert spread([3_000, 1_000, 2_000]) == Spread(p50=2.0, p99=3.0)


def test_no_times_have_no_spread():
    assert spread([]) is None
