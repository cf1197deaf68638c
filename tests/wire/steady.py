"""Examples that are the same in every run, however busy the machine is."""

from hypothesis import HealthCheck, settings

steady = settings(
    derandomize=True, database=None, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
