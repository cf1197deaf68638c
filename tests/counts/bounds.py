"""The bounds. Each is what was measured or, where that varies, about 15 % more; `compare` tells both."""

import sys
from collections.abc import Mapping

Counts = Mapping[str, float]

# Of the loop's thread, by call or by event. A turn is one epoll_wait; the way out is from the upstream's answer to the
# client's.
PLAIN: Counts = {"reads": 2, "writes": 2, "turns": 4, "other system calls": 0, "turns on the way out": 0}
# A settlement waits for the next admission, but not long: here it may go alone, which is one read and one write more.
PLAIN_WITH_REDIS: Counts = {
    "reads": 4,
    "writes": 4,
    "turns": 7,
    "other system calls": 0,
    "turns on the way out": 0,
    "trips on the way in": 1,
}
# The other one is getpid, in `asyncio.get_running_loop()` up to CPython 3.11.
STREAM: Counts = {"reads": 3, "writes": 3, "turns": 5, "other system calls": 1}
EVENT: Counts = {"reads": 1, "writes": 1, "turns": 1, "other system calls": 0}

# Of Redis, by call: admissions and settlements. At once means that all requests are there when the loop turns. In the
# other two it depends on the machine how many go together (idle, 1.1 and 0.16): never more than one each way.
ONE_BY_ONE: Counts = {"trips": 2, "commands": 2}
AT_ONCE: Counts = {"trips": 0.125, "commands": 2}
CLOSED_LOOPS: Counts = {"trips": 2, "commands": 2}

# By call, after it: what only the garbage collector would find, and blocks of memory that are still in use.
LEFT_BEHIND: Counts = {"objects in cycles": 0, "blocks": 0.6}

# By (major, minor) of CPython, of a build without profile-guided optimization: one with it takes about 10 % less.
INSTRUCTIONS: Mapping[tuple[int, int], Counts] = {
    (3, 11): {"by plain call": 610_000, "by event": 26_700},
}
# By size: beyond what a small one takes.
INSTRUCTIONS_BY_SIZE: Mapping[tuple[int, int], Counts] = {
    (3, 11): {
        "by byte of a request": 32,
        "by byte of a request in pieces": 67,
        "by byte of an answer": 13,
        "by byte of an answer in pieces": 20,
        "by byte of a head, byte by byte": 17_000,
        "by byte of an event": 230,
        "by byte of an event in pieces": 340,
        "by chunk of each of five reads": 90_000,
        "by chunk of many that reads cut": 145_000,
    },
}
# How much dearer the second part may be by its size, of what grows in proportion: with the square it is several times.
STEEPER = 2.5
# Times the newest measured version's, for one that nobody has measured yet.
UNMEASURED = 1.5


def instructions() -> Counts:
    return _of_this_python(INSTRUCTIONS)


def instructions_by_size() -> Counts:
    return _of_this_python(INSTRUCTIONS_BY_SIZE)


def _of_this_python(table: Mapping[tuple[int, int], Counts]) -> Counts:
    known = table.get(sys.version_info[:2])
    if known is not None:
        return known
    newest = max(table)
    sys.stdout.write(f"no bounds for Python {sys.version_info[:2]}; {UNMEASURED} times those for {newest}\n")
    return {name: UNMEASURED * bound for name, bound in table[newest].items()}


def compare(what: str, measured: Counts, bounds: Counts) -> None:
    """Print each count beside its bound, and fail if one is above."""
    assert measured.keys() == bounds.keys()
    lines = [f"{what}: {name} {measured[name]:g}, at most {bound:g}" for name, bound in bounds.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    over = [line for line, (name, bound) in zip(lines, bounds.items(), strict=True) if measured[name] > bound]
    assert not over, over


def slopes(costs: Mapping[int, float], bound: float) -> tuple[Counts, Counts]:
    """What three sizes cost by their size, from one to the next, and the bounds of both: they are in proportion."""
    small, middle, large = costs
    first = (costs[middle] - costs[small]) / (middle - small)
    second = (costs[large] - costs[middle]) / (large - middle)
    names = f"from {small} to {middle}", f"from {middle} to {large}"
    return dict(zip(names, (first, second), strict=True)), dict(
        zip(names, (bound, min(bound, STEEPER * first)), strict=True)
    )


def is_within(measured: Counts, bounds: Counts) -> bool:
    return all(measured[name] <= bound for name, bound in bounds.items())
