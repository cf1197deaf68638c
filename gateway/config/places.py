"""Where things stand in the text: an offset for each key and value, and its line only when somebody asks for it."""

import re
from bisect import bisect_right
from functools import cached_property
from itertools import count

from gateway.config.faults import Path

# YAML 1.1, 5.4, as the parser counts its lines.
BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


class Places:
    """`of` has the offsets of a container's content, by its id: of key and value in turn, or of each item."""

    def __init__(self, text: str) -> None:
        self.of: dict[int, list[int]] = {}
        self.root = 0
        self._text = text
        self._orders: dict[int, dict[str, int]] = {}

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in BREAK.finditer(self._text))]

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def find(self, root: object, path: Path, *, at_key: bool) -> tuple[int, int]:
        """What is missing is placed at the key of what it is missing from."""
        key, value = 0, self.root
        for part in path:
            offsets = self.of.get(id(root), [])
            if isinstance(root, dict) and isinstance(part, str) and part in root:
                position = 2 * self._order(root)[part]
                key, value = offsets[position], offsets[position + 1]
                root = root[part]
            elif isinstance(root, list) and isinstance(part, int) and part < len(root):
                key = value = offsets[part]
                root = root[part]
            else:
                return self.at(key)
        return self.at(key if at_key else value)

    def line_of(self, mapping: dict[str, object], key: str) -> int:
        """Of the key, in a container that is complete up to there."""
        return self.at(self.of[id(mapping)][2 * self._order(mapping)[key]])[0]

    def _order(self, mapping: dict[str, object]) -> dict[str, int]:
        """Which of its keys is the how manieth."""
        if id(mapping) not in self._orders:
            self._orders[id(mapping)] = dict(zip(mapping, count(), strict=False))
        return self._orders[id(mapping)]
