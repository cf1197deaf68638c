"""One set of metrics for all workers: each keeps its values in files of its own; whoever is scraped adds them up."""

import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, generate_latest, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from gateway.observe.reserved import Reserved

# Where prometheus_client looks for the folder of the files: it takes it from nowhere else.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SUPERVISOR = "supervisor"
VERSIONS = "gateway_config_version_info"

# In memory, and there also where the root file system is read-only.
_MEMORY = Path("/dev/shm")  # noqa: S108
_ENOUGH = 16 << 20
_READ_TRIES = 5
_PREFIX = "gateway-metrics-"
_LOCK = "lock"


@contextmanager
def make_folder() -> Iterator[Path]:
    """A new one of this user's, removed at the end, as are those that a killed gateway left. Raises OSError."""
    usable = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ENOUGH
    place = _MEMORY if usable else Path(tempfile.gettempdir())
    for folder in place.glob(f"{_PREFIX}*/{_LOCK}"):
        _remove_abandoned(folder.parent)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place, ignore_cleanup_errors=True) as name:
        lock = hold(Path(name))
        try:
            yield Path(name)
        finally:
            os.close(lock)


def hold(folder: Path) -> int:
    """Mark it as in use until this process ends, or closes the descriptor. Raises OSError."""
    lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def _remove_abandoned(folder: Path) -> None:
    with suppress(OSError):
        lock = os.open(folder / _LOCK, os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        finally:
            os.close(lock)


def keep_in_files(identity: str) -> None:
    """Metrics made from now on do. No two living processes have the same `identity`; a later one goes on counting."""
    values.MmapedDict = Reserved  # type: ignore[attr-defined]
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: identity)  # type: ignore[no-untyped-call]


def render(folder: Path) -> bytes:
    """The text that is scraped, for all processes that keep their metrics in `folder`. Reads files: not for a loop."""
    registry = CollectorRegistry()
    registry.register(_Files(folder))
    return generate_latest(registry)


def forget_gauges(folder: Path, identity: str) -> None:
    """Those of a process that has ended; what it counted stays."""
    mark_process_dead(identity, str(folder))  # type: ignore[no-untyped-call]


def make_restarts(registry: CollectorRegistry | None) -> Counter:
    """Declared by every process, so that it is known everywhere; only the supervisor counts."""
    return Counter("gateway_worker_restarts", "Workers that ended unasked, by why.", ("reason",), registry=registry)


class _Files(Collector):
    """Of the configuration's version only what is in use: a file cannot take a series back, only set it to 0."""

    def __init__(self, folder: Path) -> None:
        self._collector = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        for metric in self._read():
            if metric.name == VERSIONS:
                metric.samples = [sample for sample in metric.samples if sample.value]
            yield metric

    def _read(self) -> Iterable[Metric]:
        """A file that a starting worker has made but not filled yet can't be read; a moment later it can."""
        for _ in range(_READ_TRIES - 1):
            try:
                return self._collector.collect()  # type: ignore[no-any-return, no-untyped-call]
            except (struct.error, RuntimeError):
                continue
        return self._collector.collect()  # type: ignore[no-any-return, no-untyped-call]
