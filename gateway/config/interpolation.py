"""`${VAR}`, `${VAR:-default}` and `$$` in every string of the file.

An unset variable takes an upstream or a key out of service; anywhere else it is a fault.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Self

from gateway.config.document import Variable
from gateway.config.faults import Path
from gateway.config.findings import Findings

EXPRESSION = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^${}]*))?\}|\{)")
OPTIONAL = ("upstreams", "keys")


class Interpolated(str):
    """Text that a `${VAR}` had a part in: where a number is wanted, it is read as one."""

    __slots__ = ()


class Unset(Interpolated):
    """Stands for a text with an unset variable; passes wherever a name does."""

    __slots__ = ()

    def __new__(cls) -> Self:
        return super().__new__(cls, "unset")


def interpolate(
    variables: Iterable[Variable], environ: Mapping[str, str], findings: Findings
) -> Mapping[Path, list[str]]:
    """Replace each text in place. Returns what is left out: upstream or key -> its unset variables."""
    expansion = Expansion(environ, findings)
    for variable in variables:
        holder, part = variable.holder, variable.part
        holder[part] = expansion.expand(holder[part], variable.path)
    return expansion.unset


def not_set(names: list[str]) -> str:
    """The reason in words."""
    if len(names) == 1:
        return f"the environment variable {names[0]} is not set"
    return f"the environment variables {', '.join(names[:-1])} and {names[-1]} are not set"


class Expansion:
    """What variables stand for, and which of them are not set."""

    def __init__(self, environ: Mapping[str, str], findings: Findings) -> None:
        self.environ = environ
        self.findings = findings
        self.unset: dict[Path, list[str]] = {}

    def expand(self, text: str, path: Path) -> str:
        unset: list[str] = []

        def value(match: re.Match[str]) -> str:
            dollar, name, default = match.groups()
            if dollar:
                return "$"
            if name is None:
                message = "'${' must begin ${VAR} or ${VAR:-default} (write $${ for a literal ${)"
                self.findings.fault(path, message)
                return ""
            found = self.environ.get(name) or default
            if found is None:
                unset.append(name)
                return ""
            if not found.isascii() and any("\ud800" <= char <= "\udfff" for char in found):
                self.findings.fault(path, f"the environment variable {name} is not valid UTF-8")
                return ""
            return found

        expanded = EXPRESSION.sub(value, text)
        if not unset:
            return Interpolated(expanded)
        self._note_unset(path, unset)
        return Unset()

    def _note_unset(self, path: Path, names: list[str]) -> None:
        if len(path) > 2 and path[0] in OPTIONAL:
            known = self.unset.setdefault(path[:2], [])
            known += [name for name in dict.fromkeys(names) if name not in known]
        else:
            self.findings.fault(path, not_set(list(dict.fromkeys(names))))
