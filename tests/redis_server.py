"""A real redis-server on loopback, and what can be done to it."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bench.process import free_port

STARTED_WITHIN = 10.0
POLL = 0.005
PORT_TRIES = 5


def redis_server_program() -> str:
    """Where it is. Without it the test is skipped, but in CI, where it has to be, the test fails."""
    found = shutil.which("redis-server") or shutil.which("redis-server", path="/usr/sbin:/usr/local/bin")
    if found is None:
        if os.environ.get("CI"):  # noqa: TID251 - a test's own switch
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    return found


class RedisServer:
    """One redis-server; `options` are pairs as in redis.conf, its data and its log are in `folder`.

    Nothing here needs an event loop, and nothing takes longer than the process itself.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self.folder = folder
        self.options = {
            "save": "",
            "appendonly": "no",
            "enable-debug-command": "yes",
            "enable-protected-configs": "yes",
            "repl-diskless-sync-delay": "0",
        }
        self.options |= {name.replace("_", "-"): value for name, value in options.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        password = self.options.get("requirepass")
        return f"redis://{f':{password}@' if password else ''}127.0.0.1:{self.port}/0"

    @property
    def log(self) -> str:
        return (self.folder / "redis.log").read_text()

    def start(self) -> None:
        """On the port it had before, if it was running already. Returns when it answers, if only with LOADING."""
        for _ in range(1 if self.port else PORT_TRIES):
            port = self.port or free_port()
            if self._started_on(port):
                self.port = port
                return
        raise AssertionError(f"redis-server did not start: {self.log}")

    def _started_on(self, port: int) -> bool:
        options = {"port": str(port), "bind": "127.0.0.1", "dir": str(self.folder), **self.options}
        arguments = [argument for name, value in options.items() for argument in (f"--{name}", value)]
        program = redis_server_program()
        self._process = subprocess.Popen([program, *arguments, "--logfile", str(self.folder / "redis.log")])
        for _ in range(int(STARTED_WITHIN / POLL)):
            try:
                self._process.wait(POLL)
            except subprocess.TimeoutExpired:
                if _answers(port):
                    return True
            else:
                return False
        self.stop()
        return False

    def stop(self) -> None:
        """By pid, waited for; a stopped process is woken up first."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(STARTED_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kill(self) -> None:
        """At once: nothing is saved."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        process.wait()

    def restart(self) -> None:
        """Killed and started again on the same port, empty unless its options make it save."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """It accepts connections, and answers nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self, **options: Any) -> "Redis":
        """A plain connection pool of the running loop, to use with `async with`; without retries."""
        return plain_client(self.url, **options)

    async def ask(self, *words: str | int) -> Any:
        """One command on a connection of its own. Raises what redis-py makes of an error reply."""
        async with self.client() as client:
            return await client.execute_command(*words)  # type: ignore[no-untyped-call]

    async def info(self, section: str) -> dict[str, Any]:
        async with self.client() as client:
            return dict(await client.info(section))

    async def text(self, *words: str) -> str:
        """The reply as it comes, an error too, to a command that is the first on its connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(_inline(words))
            return (await reader.read(65536)).decode()
        finally:
            writer.close()

    def begin(self, *words: str) -> None:
        """A command whose reply nobody waits for; the server goes on with it."""
        with socket.create_connection(("127.0.0.1", self.port), 1.0) as connection:
            connection.sendall(_inline(words))


def plain_client(url: str, **options: Any) -> "Redis":
    """RESP2, replies as redis-py shapes them, no retries, five seconds at most."""
    given = {"protocol": 2, "socket_timeout": 5.0, "retry": Retry(NoBackoff(), 0), **options}
    return Redis.from_url(url, decode_responses=True, **given)


def _inline(words: Iterable[str]) -> bytes:
    return " ".join(f'"{word}"' for word in words).encode() + b"\r\n"


def _answers(port: int) -> bool:
    """Any reply will do: a server that asks for a password, or is still loading, runs."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(1) in (b"+", b"-")
    except OSError:
        return False
