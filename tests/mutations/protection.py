"""One protection: what it keeps from happening, the smallest edit that switches it off, and the test that notices."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Moved(Exception):
    """The edit does not apply any more: the code has changed under it."""


@dataclass(frozen=True, slots=True)
class Protection:
    """`old` is in `file` exactly once, and `new` in its place switches the protection off.

    `file` is relative to the checkout, `tests` are node ids of pytest: at least one of them has to turn red.
    """

    name: str
    protects: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def switch_off(self, root: Path) -> None:
        """Edit the copy of the checkout at `root`. Raises Moved."""
        path = root / self.file
        path.write_text(self.edited(path.read_text()))

    def edited(self, text: str) -> str:
        """Raises Moved."""
        found = text.count(self.old)
        if found != 1:
            raise Moved(f"{self.name}: {self.old!r} is {found} times in {self.file}")
        return text.replace(self.old, self.new)
