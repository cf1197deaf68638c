"""The system calls of the gateway's loop, as strace tells them."""

import contextlib
import re
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.counts.calls import Client
from tests.counts.running import running
from tests.processes.served import SERVE, Served

READS = frozenset({"read", "readv", "recvfrom", "recvmsg"})
WRITES = frozenset({"write", "writev", "sendto", "sendmsg"})
TURNS = frozenset({"epoll_wait", "epoll_pwait", "epoll_pwait2"})
# Of the machine, or of the thread that writes the log: whether and when they are made is not the call's business.
NEUTRAL = frozenset({"futex", "clock_gettime", "gettimeofday", "restart_syscall", "sched_yield"})

# The gateway keeps the shell's process id, which is told as a log line: so `Served` ends it, and not only strace.
_SHELL = ("/bin/sh", "-c", r"""echo "{\"event\": \"worker started\", \"slot\": 0, \"pid\": $$}"; exec "$@" """, "sh")
_LINE = re.compile(r"(\w+)\((?:\d+<(socket|TCP|TCPv6):)?")


@dataclass(frozen=True, slots=True)
class SystemCall:
    """`text` is the whole line; strace shows the first 32 bytes of what is read and written."""

    name: str
    on_socket: bool
    text: str = field(repr=False)

    @property
    def kind(self) -> str | None:
        """`reads`, `writes` (both of sockets), `turns` or `other system calls`."""
        if self.name in TURNS:
            return "turns"
        if self.name in READS | WRITES:
            return ("reads" if self.name in READS else "writes") if self.on_socket else None
        return None if self.name in NEUTRAL else "other system calls"


class Trace:
    """What a running gateway has done; `marker` is a connection for nothing else.

    strace follows one thread, the loop's. It flushes each line, and shows a read when it has ended.
    """

    def __init__(self, served: Served, file: Path, marker: Client) -> None:
        self.served = served
        self._file = file
        self._marker = marker
        self._marks = 0

    async def mark(self) -> int:
        """Everything that was answered before is before it in the trace."""
        self._marks += 1
        await self._marker.get(f"/healthz?{self._marks}")
        return self._marks

    def between(self, first: int, last: int) -> list[SystemCall]:
        """Of two marks."""
        found: list[SystemCall] = []
        within = False
        for line in self._file.read_text(errors="replace").splitlines():
            if f'"GET /healthz?{last} ' in line:
                return found
            if within and (match := _LINE.match(line)):
                found.append(SystemCall(match[1], match[2] is not None, line))
            within = within or f'"GET /healthz?{first} ' in line
        raise AssertionError(f"no mark {last} in the trace")


def split(calls: list[SystemCall], name: frozenset[str], text: str = "") -> Iterator[list[SystemCall]]:
    """Pieces that each begin with such a call on a socket; what is before the first of them is left out."""
    piece: list[SystemCall] | None = None
    for call in calls:
        if call.on_socket and call.name in name and text in call.text:
            if piece is not None:
                yield piece
            piece = []
        if piece is not None:
            piece.append(call)
    if piece is not None:
        yield piece


@contextlib.asynccontextmanager
async def traced(strace: str, folder: Path, routes: Path) -> AsyncIterator[Trace]:
    file = folder / "trace"
    command = (strace, "-y", "-o", str(file), *_SHELL, sys.executable, *SERVE, str(routes))
    async with running(*command) as served, Client.to(served.port) as marker:
        yield Trace(served, file, marker)
