"""A file of metrics that cannot grow. As on a full disk, but for the error's number: no file may be larger here."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from gateway.observe.reserved import Reserved
from tests.catalogue import fault

FIRST_SIZE = 1 << 16
SERIES = 2000


@contextlib.contextmanager
def no_file_over(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def values_in(path: Path) -> dict[str, float]:
    return {key: value for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path))}  # type: ignore[no-untyped-call]


@fault("P08")
def test_p08_series_that_there_is_no_room_for_are_left_out_and_written_once_there_is(tmp_path: Path) -> None:
    path = tmp_path / "counter_0.db"
    file = Reserved(str(path))
    names = [f"series {number:060}" for number in range(SERIES)]
    with no_file_over(FIRST_SIZE):
        for turn in (1.0, 2.0):
            for name in names:
                file.write_value(name, turn, 0.0)  # type: ignore[no-untyped-call]
        written = values_in(path)
        assert 500 < len(written) < SERIES
        assert set(written.values()) == {2.0}
        assert path.stat().st_size == FIRST_SIZE
    for name in names:
        file.write_value(name, 3.0, 0.0)  # type: ignore[no-untyped-call]
    assert values_in(path) == dict.fromkeys(names, 3.0)
    file.close()  # type: ignore[no-untyped-call]


@fault("P08")
def test_p08_every_block_is_there_before_it_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "counter_0.db"
    file = Reserved(str(path))
    for number in range(SERIES):
        file.read_value(f"series {number:060}")  # type: ignore[no-untyped-call]
        found = path.stat()
        assert found.st_blocks * 512 >= found.st_size
    assert found.st_size > FIRST_SIZE
    file.close()  # type: ignore[no-untyped-call]


@fault("P08")
def test_p08_without_room_for_an_empty_one_it_does_not_start(tmp_path: Path) -> None:
    with no_file_over(FIRST_SIZE // 2), pytest.raises(OSError, match="File too large"):
        Reserved(str(tmp_path / "counter_0.db"))
