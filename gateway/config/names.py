"""The names of models, indexed: which one a name goes to and which ones a glob covers, without a look at all others."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator

# Names that all globs together are held against one by one: so unlike are the globs of no file that is meant.
MAX_COMPARED = 5_000_000
LAST = "\U0010ffff"


class Names:
    """`wildcards` are those that end in `*`, the others `plain`."""

    def __init__(self, names: Iterable[str]) -> None:
        self.rank = {name: rank for rank, name in enumerate(names)}
        self._plain = sorted(name for name in self.rank if not name.endswith("*"))
        self._prefixes = sorted(name[:-1] for name in self.rank if name.endswith("*"))
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        self._compared = 0

    @property
    def exhausted(self) -> bool:
        """Whether no more globs are compared: `covered` cannot be trusted any longer."""
        return self._compared > MAX_COMPARED

    def model_of(self, name: str) -> str | None:
        """As `Routes.target` has it: the model of that name, or the wildcard with the longest prefix."""
        if name in self.rank and not name.endswith("*"):
            return name
        wildcards = (f"{name[:length]}*" for length in self._lengths if length < len(name))
        return next((wildcard for wildcard in wildcards if wildcard in self.rank), None)

    def covered(self, glob: str) -> list[str]:
        """The plain names that the glob matches, in the order of the file."""
        if "*" not in glob:
            return [glob] if glob in self.rank else []
        literal, _, rest = glob.partition("*")
        found = self._compare(_beginning(self._plain, literal))
        if rest:
            found = [name for name in found if matches(name, glob)]
        return sorted(found, key=self.rank.__getitem__)

    def near(self, glob: str) -> list[str]:
        """The wildcards that cover names which begin as the glob does, in the order of the file."""
        literal = glob.partition("*")[0]
        longer = self._compare(_beginning(self._prefixes, literal))
        shorter = (literal[:length] for length in self._lengths if length < len(literal))
        found = [f"{prefix}*" for prefix in (*longer, *shorter)]
        return sorted((name for name in found if name in self.rank), key=self.rank.__getitem__)

    def _compare(self, names: list[str]) -> list[str]:
        self._compared += len(names)
        return [] if self.exhausted else names


def _beginning(names: list[str], prefix: str) -> list[str]:
    """Those of the sorted `names`."""
    return names[bisect_left(names, prefix) : bisect_left(names, prefix + LAST)]


def matches(name: str, glob: str) -> bool:
    """As `fnmatchcase` where `*` is the only wildcard; it costs no pattern that has to be compiled and kept."""
    first, *rest = glob.split("*")
    if not rest:
        return name == glob
    *inner, last = rest
    end = len(name) - len(last)
    if not name.startswith(first) or not name.endswith(last) or end < len(first):
        return False
    return all(_found(name, len(first), end, inner))


def _found(name: str, start: int, end: int, parts: Iterable[str]) -> Iterator[bool]:
    for part in parts:
        at = name.find(part, start, end)
        yield at >= 0
        start = at + len(part)
