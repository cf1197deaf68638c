"""Files of metrics that a full disk cannot turn into a crash.

They are written as memory: where the disk has no block for a page, the kernel sends SIGBUS instead of an error.
"""

import mmap
import os

from prometheus_client.mmap_dict import MmapedDict

_FIRST_SIZE = 1 << 16
# Of one entry, beside its key: a length, padding, a value and a time; twice that, so that it is never too little.
_ENTRY = 64
_SPARE = 16


class Reserved(MmapedDict):
    """One whose blocks are there before they are written to.

    A series that there is no room for is written to the end of the file, which nobody reads: its own object counts
    on, and tries for an entry again each time.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        """Raises OSError if there is no room even for an empty one."""
        if not read_mode:
            with open(filename, "ab") as file:  # noqa: PTH123 - as the class beneath does, with a name
                if not file.tell():
                    os.posix_fallocate(file.fileno(), 0, _FIRST_SIZE)
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]
        self._positions = self._placed = _Positions(self._positions)
        self._placed.spare = self._capacity - _SPARE

    def _init_value(self, key: str) -> None:
        needed = len(key.encode()) + _ENTRY + _SPARE
        while self._used + needed > self._capacity:
            try:
                os.posix_fallocate(self._f.fileno(), self._capacity, self._capacity)
            except OSError:
                return
            self._capacity *= 2
            self._m = mmap.mmap(self._f.fileno(), self._capacity)
            self._placed.spare = self._capacity - _SPARE
        super()._init_value(key)  # type: ignore[no-untyped-call]


class _Positions(dict[str, int]):
    """Of the values by key; `spare` for those that have none."""

    spare = 0

    def __missing__(self, key: str) -> int:
        return self.spare
