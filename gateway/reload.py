"""Takes a changed configuration while calls run: on SIGHUP at once, else when its file has settled."""

import asyncio
import contextlib
import signal
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import structlog

from gateway.config.document import MAX_BYTES
from gateway.config.load import ConfigError, Fault, load, parse
from gateway.core.settings import Config

INTERVAL = 1.0

Stamp = tuple[str, int, int, int]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held when it was read, or why it could not be read."""

    text: bytes
    fault: str | None = None

    @property
    def digest(self) -> str:
        """Equal contents have the same one, and so have equal faults. A version is the beginning of its text's."""
        return self.fault or sha256(self.text).hexdigest()


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Where a process has its configuration from; `listen` is the host and port that go before the file's."""

    path: Path
    environ: Mapping[str, str] = field(repr=False)
    listen: tuple[str, int] | None = None

    def load(self) -> Config:
        """For the start. Raises ConfigError."""
        return self._listening(load(self.path, self.environ))

    def stamp(self) -> Stamp | None:
        """Differs when the file may have changed, also by the swap of a link on its way; None where there is none."""
        try:
            found = self.path.stat()
            where = self.path.resolve()
        except (OSError, RuntimeError):  # the second is Python 3.11's word for links in a circle
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return str(where), found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> Content:
        """The content as it is now. Opening a pipe would wait for a writer: what is no file is a fault."""
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):
                return Content(b"", "is not a regular file")
            with self.path.open("rb") as file:
                return Content(file.read(MAX_BYTES + 1))
        except OSError as error:
            return Content(b"", f"cannot be read: {error.strerror}")

    def parse(self, content: Content) -> Config:
        """Raises ConfigError."""
        if content.fault is not None:
            raise ConfigError([Fault(str(self.path), 0, 0, "", content.fault)])
        config = parse(content.text, str(self.path), self.environ)
        config.routes.target("")  # its index of names is made here, in a thread, and not by the first call on the loop
        return self._listening(config)

    def _listening(self, config: Config) -> Config:
        if self.listen is None:
            return config
        host, port = self.listen
        return replace(config, server=replace(config.server, host=host, port=port))


class Reloader:
    """Looks at the file every `interval` seconds; what changed, and was the same at two looks, is loaded.

    `take` gets what is valid; `refused` hears that something was not, and whatever runs goes on.
    """

    def __init__(
        self,
        file: ConfigFile,
        running: Config,
        take: Callable[[Config], None],
        refused: Callable[[], None],
        *,
        interval: float = INTERVAL,
    ) -> None:
        self._file = file
        self._take = take
        self._refused = refused
        self._interval = interval
        self._started_with = _fixed(running)
        self._version = running.version
        self._stamp: Stamp | None = None
        # digests of what was last taken or refused, and of what was new at the last look
        self._decided = running.version
        self._unsettled: str | None = None
        self._told = asyncio.Event()

    def hang_up(self) -> None:
        """Load the file now, even if it is the same: the secrets in the files that it names may be new."""
        self._told.set()

    async def run(self) -> None:
        """Until cancelled. Signals that come within an `interval` of a load are one."""
        while True:
            try:
                if await self._is_told():
                    self._told.clear()
                    self._stamp = None
                    await self._load(await asyncio.to_thread(self._file.read))
                    await asyncio.sleep(self._interval)
                else:
                    await self._look()
            except Exception:
                log.exception("configuration file could not be looked at")

    async def _is_told(self) -> bool:
        """Waits for it for one `interval`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval):
                await self._told.wait()
        return self._told.is_set()

    async def _look(self) -> None:
        """Whoever writes the file may be in the middle of it, so it is read until it stays as it is."""
        stamp = await asyncio.to_thread(self._file.stamp)
        if stamp == self._stamp and self._unsettled is None:
            return
        self._stamp = stamp
        content = await asyncio.to_thread(self._file.read)
        digest = content.digest
        if digest.startswith(self._decided):
            self._unsettled = None
        elif digest != self._unsettled:
            self._unsettled = digest
        else:
            await self._load(content)

    async def _load(self, content: Content) -> None:
        self._decided, self._unsettled = content.digest, None
        try:
            config = await asyncio.to_thread(self._file.parse, content)
            self._take(config)
        except ConfigError as error:
            for fault in error.faults:
                log.error("configuration fault", detail=str(fault))
        except Exception:
            log.exception("configuration could not be loaded")
        else:
            self._tell(config)
            return
        self._refused()
        log.error("configuration refused", config_version=self._version)

    def _tell(self, config: Config) -> None:
        log.info("configuration reloaded", old_version=self._version, config_version=config.version)
        self._version = config.version
        for warning in config.warnings:
            log.warning("configuration", detail=warning)
        for name, value in _fixed(config).items():
            if value != self._started_with[name]:
                log.warning("configuration", detail=f"{name} is not what this process started with: it takes a restart")


@contextlib.contextmanager
def reloading(reloader: Reloader) -> Iterator[None]:
    """SIGHUP is heard and the file watched, until the end of the block."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reloader.hang_up)
    watching = loop.create_task(reloader.run(), name="reload")
    try:
        yield
    finally:
        watching.cancel()


def _fixed(config: Config) -> dict[str, object]:
    """What a process reads once, when it starts, by the name of its field."""
    server, store = config.server, config.store
    return {
        "server.listen": (server.host, server.port),
        "server.workers": server.workers,
        "server.drain_timeout": server.drain_timeout,
        "store.url": store.url,
    }
