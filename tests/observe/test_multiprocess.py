"""The files of several processes, written by one: each `Metrics` is a worker's."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import values

from gateway.observe.metrics import Metrics
from gateway.observe.multiprocess import FOLDER_VARIABLE, forget_gauges, hold, keep_in_files, make_folder, make_restarts
from gateway.state.health import TargetState
from tests.observe.records import make_record
from tests.processes.served import total

Worker = Callable[[str], Metrics]


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """The metrics of the worker of that name, from now on the one at work; `keep_in_files` is undone at the end."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    workers: dict[str, tuple[Metrics, type]] = {}

    def switch(name: str) -> Metrics:
        if name not in workers:
            keep_in_files(name)
            workers[name] = (Metrics(tmp_path), values.ValueClass)
        metrics, values.ValueClass = workers[name]
        return metrics

    return switch


def count_in(metrics: Metrics) -> None:
    metrics.read(make_record())
    metrics.flush()


def test_whoever_is_asked_answers_for_all(worker: Worker) -> None:
    for name in ("0", "1"):
        count_in(worker(name))
    for name in ("0", "1"):
        text = worker(name).render()
        assert total(text, "requests_total", code="200") == 2
        assert total(text, "request_duration_seconds_count") == 2
        assert total(text, "request_duration_seconds_bucket", le="+Inf") == 2
        assert b"_created" not in text


def test_a_later_worker_of_the_same_name_goes_on_counting(worker: Worker, tmp_path: Path) -> None:
    count_in(worker("0"))
    forget_gauges(tmp_path, "0")
    keep_in_files("0")
    later = Metrics(tmp_path)
    count_in(later)
    assert total(later.render(), "requests_total") == 2


def test_gauges_of_all_workers(worker: Worker, tmp_path: Path) -> None:
    """Streams add up; of states, degradation and reloads the worst is told."""
    for name, streams, state in (("0", 2, TargetState.OPEN), ("1", 3, TargetState.CLOSED)):
        worker(name).config_taken("v1")
        worker(name).refresh({"small": streams}, {("small", "first"): state})
    worker("0").degraded(True)
    worker("0").config_refused()
    assert told(worker("1")) == {"streams": 5, "state": 2, "degraded": 1, "reloaded": 0}
    forget_gauges(tmp_path, "0")
    assert told(worker("1")) == {"streams": 3, "state": 0, "degraded": 0, "reloaded": 1}


def told(metrics: Metrics) -> dict[str, float]:
    text = metrics.render()
    return {
        "streams": total(text, "active_streams", model="small"),
        "state": total(text, "target_state", model="small", upstream="first"),
        "degraded": total(text, "store_degraded"),
        "reloaded": total(text, "config_last_reload_successful"),
    }


def test_only_versions_in_use_are_shown(worker: Worker) -> None:
    for name, version, shown in (
        ("0", "v1", {"v1"}),
        ("1", "v1", {"v1"}),
        ("0", "v2", {"v1", "v2"}),
        ("1", "v2", {"v2"}),
        ("1", "v1", {"v1", "v2"}),
    ):
        worker(name).config_taken(version)
        text = worker(name).render()
        assert {version for version in ("v1", "v2", "v3") if f'version="{version}"' in text.decode()} == shown
        assert total(text, "config_version_info") == len(shown)


def test_the_supervisor_counts_beside_them(worker: Worker) -> None:
    metrics = worker("0")
    keep_in_files("supervisor")
    make_restarts(None).labels("stuck").inc()
    assert total(metrics.render(), "worker_restarts_total", reason="stuck") == 1


def test_the_folder_is_private_empty_and_gone_at_the_end() -> None:
    with make_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert not list(folder.glob("*.db"))
    assert not folder.exists()


def test_a_folder_that_nobody_holds_is_removed_at_the_next_start() -> None:
    with make_folder() as folder:
        with make_folder():
            assert folder.exists()
        abandoned = folder.with_name("gateway-metrics-abandoned")
        abandoned.mkdir()
        os.close(hold(abandoned))
        with make_folder():
            assert not abandoned.exists()
