"""What is wrong with a file, and where. No value of the file is ever quoted: it may be a secret. Names may be."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

Path = tuple[str | int, ...]

# Of faults, and of warnings: nobody reads more, and each is a line of the log.
MAX_TOLD = 100

NAME_LIKE = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9._@/:+*-]{0,127}", re.ASCII)
SECRET_LIKE = re.compile(r"(?:^|[^A-Za-z0-9])sk-|[A-Za-z0-9_]{24,}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong; `line` and `column` count from 1, line 0 means the file as a whole."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place} {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(Exception):
    """The file cannot be used; `faults` are the first of those in it, in the order of its lines, and how many more."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        told = sorted(faults, key=lambda fault: (fault.line, fault.column))
        if (more := len(told) - MAX_TOLD) > 0:
            told[MAX_TOLD:] = [Fault(told[0].file, 0, 0, "", f"has {more} more fault{'s' if more > 1 else ''}")]
        self.faults = tuple(told)
        super().__init__("\n".join(map(str, self.faults)))


def shown(name: str) -> str:
    """`name`, or `?` where it could be a misplaced secret (`{key:sk-…}` without its space is a field name)."""
    return name if NAME_LIKE.fullmatch(name) and not SECRET_LIKE.search(name) else "?"


def rendered(path: Path) -> str:
    """`keys[0].models[1]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in path)
    return text.removeprefix(".")
