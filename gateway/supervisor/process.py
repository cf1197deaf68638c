"""One worker as its parent sees it: a process, and a pipe on which it beats."""

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Launch:
    """How a worker is started: the command but for its place, the environment, and the folder of all workers' files."""

    command: tuple[str, ...]
    environ: Mapping[str, str]
    folder: Path


class Worker:
    """`heard`: when it last beat. `leaving`: it drains, and has given up its slot. `killed`: by us, and why."""

    def __init__(self, launch: Launch, listener: int, metrics_id: str, now: float) -> None:
        """Starts it. Raises OSError."""
        self.metrics_id = metrics_id
        self.started = self.heard = now
        self.ready = False
        self.leaving = False
        self.missed_reload = False
        self.killed: str | None = None
        self.pipe, theirs = os.pipe()
        os.set_blocking(self.pipe, False)
        place = {"--listener": listener, "--heartbeat": theirs, "--metrics-id": metrics_id, "--parent": os.getpid()}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter
                [*launch.command, *(str(word) for option in place.items() for word in option)],
                stdin=subprocess.DEVNULL,
                env=launch.environ,
                pass_fds=(listener, theirs),
            )
        except OSError:
            self.close()
            raise
        finally:
            os.close(theirs)

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        os.close(self.pipe)

    def hear(self, now: float) -> bytes:
        """What it said since the last time."""
        try:
            said = os.read(self.pipe, 4096)
        except BlockingIOError:
            return b""
        if said:
            self.heard = now
        return said

    def exit_code(self) -> int | None:
        """None while it lives; negative for a signal."""
        return self._process.poll()

    def send(self, number: int) -> None:
        """One that is not ready does not listen to signals yet: it just ends."""
        self._process.send_signal(number if self.ready else signal.SIGTERM)

    def reload(self) -> None:
        """What it read while it started may be out of date."""
        self.missed_reload = not self.ready
        if self.ready:
            self._process.send_signal(signal.SIGHUP)

    def kill(self, reason: str) -> None:
        self.killed = reason
        self._process.kill()


def told(code: int) -> dict[str, object]:
    """An exit code as fields of a log line."""
    return {"signal": signal.Signals(-code).name} if code < 0 else {"exit_code": code}
