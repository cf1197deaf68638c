"""A thing measured, as the kernel sees it: a process and its descendants. Linux only: it reads /proc."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STOPPED_WITHIN = 5.0

Ready = Callable[[int], Awaitable[bool]]


class NotReady(Exception):
    """It ended, or was not ready in time; the text is the end of what it said."""


@contextlib.contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """What is started within begins, and stays, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(root: int) -> list[int]:
    """Process ids of it and all below it."""
    found = [root]
    for pid in found:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in children.read_text().split()]
    return found


def cpu_ns(pids: Sequence[int]) -> int:
    """Nanoseconds on a processor so far, user and system, of all their threads."""
    total = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(thread.read_text().split()[0])
    return total


def pss_kb(pids: Sequence[int]) -> int:
    """Memory in KB, what is shared counted in proportion."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


def free_port() -> int:
    """Below those that the kernel gives out by itself, so that no connection and no other server takes it meanwhile."""
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass(frozen=True, slots=True)
class Command:
    """`says` is the file that takes its output; `environ` is all it gets."""

    words: Sequence[str]
    environ: Mapping[str, str]
    says: Path
    cores: frozenset[int]


class Process:
    """A server on `port` of loopback, until `stop`."""

    def __init__(self, command: Command, port: int) -> None:
        self.port = port
        self._says = command.says
        with command.says.open("wb") as output, pinned(command.cores):
            self._process = subprocess.Popen(
                command.words, env=command.environ, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def pids(self) -> list[int]:
        return tree(self._process.pid)

    def cpu_ns(self) -> int:
        return cpu_ns(self.pids())

    def pss_kb(self) -> int:
        return pss_kb(self.pids())

    def says(self) -> str:
        """The last line of its output that is no access log line, or nothing."""
        lines = self._says.read_text(errors="replace").splitlines()[-50:]
        return next((line for line in reversed(lines) if line and '"event":"call"' not in line), "nothing")

    def forget_log(self) -> None:
        """Or some minutes at 10,000 calls a second fill the disk."""
        os.truncate(self._says, 0)

    async def until(self, ready: Ready, seconds: float) -> None:
        """Raises NotReady."""
        until = time.monotonic() + seconds
        while not await ready(self.port):
            if not self.alive:
                raise NotReady(f"ended with {self._process.returncode}: {self.says()}")
            if time.monotonic() > until:
                raise NotReady(f"was not ready within {seconds:.0f} s: {self.says()}")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """SIGINT: after a SIGTERM the gateway still accepts for two seconds."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if not self.alive:
                return
            self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOPPED_WITHIN):
                    while self.alive:  # noqa: ASYNC110 - a child of no event loop
                        await asyncio.sleep(0.01)


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def is_ready(port: int) -> bool:
    """Whether `GET /readyz` is answered, and not with 503: nginx and the bare proxy have no such path."""
    request = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request)
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return line.startswith(b"HTTP/") and line.split()[1] != b"503"
