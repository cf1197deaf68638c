"""Faults and warnings of a file that could be read, each given by its path and placed by the document."""

import difflib
from collections.abc import Iterable
from itertools import islice

from gateway.config.document import Document
from gateway.config.faults import MAX_TOLD, Fault, Path, rendered, shown

MAX_COMPARED = 20_000


class Findings:
    """What was found so far. A path has at most one fault, the first: later checks may run over what is faulty."""

    def __init__(self, document: Document) -> None:
        self.file = document.file
        self._root = document.data
        self._places = document.places
        self.faults = list(document.faults)
        self._warnings: list[str] = []
        self._more = 0
        self._faulty: set[Path] = set()
        self._compared = 0

    def fault(self, path: Path, message: str, *, at_key: bool = False, label: str | None = None) -> None:
        """`at_key` places it at the key instead of the value; `label` stands for the last part of the path."""
        if path in self._faulty:
            return
        self._faulty.add(path)
        self.faults.append(self._placed(path, message, at_key, label))

    def warn(self, path: Path, message: str, *, at_key: bool = False) -> None:
        if len(self._warnings) < MAX_TOLD:
            self._warnings.append(str(self._placed(path, message, at_key, None)))
        else:
            self._more += 1

    @property
    def warnings(self) -> tuple[str, ...]:
        """The first of them, and how many more."""
        more = f"{self.file}: has {self._more} more warning{'s' if self._more > 1 else ''}"
        return (*self._warnings, more) if self._more else tuple(self._warnings)

    def did_you_mean(self, name: str, known: Iterable[str]) -> str:
        """` (did you mean 'x'?)`, or nothing if no known name is close, or if too many were compared already."""
        names = list(islice(known, MAX_COMPARED - self._compared))
        self._compared += len(names)
        near = difflib.get_close_matches(name[:128], names, n=1)
        return f" (did you mean '{near[0]}'?)" if near and shown(near[0]) == near[0] else ""

    def line(self, path: Path) -> int:
        """The line of the key (or list item) at `path`."""
        return self._place(path, at_key=True)[0]

    def _placed(self, path: Path, message: str, at_key: bool, label: str | None) -> Fault:
        text = rendered(path if label is None else (*path[:-1], label))
        return Fault(self.file, *self._place(path, at_key), text, message)

    def _place(self, path: Path, at_key: bool) -> tuple[int, int]:
        return self._places.find(self._root, path, at_key=at_key)
