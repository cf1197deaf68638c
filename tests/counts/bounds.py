"""The bounds. Each is what was measured or, where that varies, about 15 % more; `compare` tells both."""

import sys
from collections.abc import Mapping

Counts = Mapping[str, float]

# Of the loop's thread, by call or by event. A turn is one epoll_wait; the way out is from the upstream's answer to the
# client's.
PLAIN: Counts = {"reads": 2, "writes": 2, "turns": 4, "other system calls": 4, "turns on the way out": 0}
PLAIN_WITH_REDIS: Counts = {
    "reads": 4,
    "writes": 4,
    "turns": 7,
    "other system calls": 5,
    "turns on the way out": 0,
    "trips on the way in": 1,
}
EVENT: Counts = {"reads": 1, "writes": 1, "turns": 1, "other system calls": 0}

# Of Redis, by call: admissions and settlements. At once means that all requests are there when the loop turns.
ONE_BY_ONE: Counts = {"trips": 2, "commands": 2}
AT_ONCE: Counts = {"trips": 0.125, "commands": 2}
CLOSED_LOOPS: Counts = {"trips": 2, "commands": 2}

# By call, after it: what only the garbage collector would find, and blocks of memory that are still in use.
LEFT_BEHIND: Counts = {"objects in cycles": 0, "blocks": 0.6}

# By (major, minor) of CPython, of a build without profile-guided optimization: one with it takes about 10 % less.
INSTRUCTIONS: Mapping[tuple[int, int], Counts] = {
    (3, 11): {"by plain call": 730_000, "by event": 26_700},
}
# Times the newest measured version's, for one that nobody has measured yet.
UNMEASURED = 1.5


def instructions() -> Counts:
    """For the Python that runs."""
    known = INSTRUCTIONS.get(sys.version_info[:2])
    if known is not None:
        return known
    newest = max(INSTRUCTIONS)
    sys.stdout.write(f"no bounds for Python {sys.version_info[:2]}; {UNMEASURED} times those for {newest}\n")
    return {name: UNMEASURED * bound for name, bound in INSTRUCTIONS[newest].items()}


def compare(what: str, measured: Counts, bounds: Counts) -> None:
    """Print each count beside its bound, and fail if one is above."""
    assert measured.keys() == bounds.keys()
    lines = [f"{what}: {name} {measured[name]:g}, at most {bound:g}" for name, bound in bounds.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    over = [line for line, (name, bound) in zip(lines, bounds.items(), strict=True) if measured[name] > bound]
    assert not over, over
