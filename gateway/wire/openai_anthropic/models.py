"""What a model takes beyond the schema, told from its name: Claude's generations refuse what others ask for."""

import re
from typing import NamedTuple

_CLAUDE = re.compile(r"claude[-.]?(?P<rest>.*)", re.DOTALL)
_VERSION = re.compile(r"(?<!\d)(\d{1,2})(?:[-.p](\d{1,2}))?(?!\d)")
_UNNUMBERED = (99, 0)
_NEVER_SILENT = ("fable", "mythos")


class Abilities(NamedTuple):
    """
    `sampling`: temperature and top_p are taken, up to Claude 4.6. `both`: together; not by Claude from 4.1 on.
    `adaptive`: thinking is asked for by effort, from Claude 4.6 on; by a budget of tokens before, and elsewhere.
    `xhigh`: that effort is known, and thinking is not shown unless asked for; from Claude 4.7 on.
    `strict`: tools may be strict, from Claude 4.1 on.
    `silent`: thinking can be turned off.
    """

    sampling: bool = True
    both: bool = True
    adaptive: bool = False
    xhigh: bool = False
    strict: bool = True
    silent: bool = True


_OTHERS = Abilities()


def read_abilities(name: str) -> Abilities:
    """Of Claude by its version; one without a version is new. Others that speak the schema take the oldest ways."""
    claude = _CLAUDE.search(name.lower())
    if claude is None:
        return _OTHERS
    found = _VERSION.search(claude["rest"])
    version = (int(found[1]), int(found[2] or 0)) if found else _UNNUMBERED
    return Abilities(
        sampling=version < (4, 7),
        both=version < (4, 1),
        adaptive=version >= (4, 6),
        xhigh=version >= (4, 7),
        strict=version >= (4, 1),
        silent=not any(family in claude["rest"] for family in _NEVER_SILENT),
    )
