"""Takes a changed configuration while calls run: on SIGHUP at once, else when its file has settled."""

import asyncio
import contextlib
import gc
import os
import signal
import stat
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from gateway.config.load import ConfigError, Content
from gateway.core.route import Routes
from gateway.core.settings import Config

INTERVAL = 1.0
# How long the thread of a load may keep the interpreter when the loop wants it: Python's 5 ms go to each callback.
SHARE = 0.0005
# In the folder that a supervisor shares with its workers: what it started with, and what was last valid.
STARTED, KEPT = "started.yaml", "routes.yaml"

Stamp = tuple[str, int, int, int]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Where a process has its configuration from; `listen` is the host and port that go before the file's.

    `kept` is the copy that a supervisor's workers make of its last content that was valid: one that starts while the
    file has faults serves with that.
    """

    path: Path
    environ: Mapping[str, str] = field(repr=False)
    listen: tuple[str, int] | None = None
    kept: Path | None = None

    def load(self) -> Config:
        """For the start. Raises ConfigError, and OSError if it can't be kept."""
        content = Content.of(self.path)
        config = self.parse(content)
        self.keep(content)
        return config

    def load_or_kept(self) -> tuple[Config, bool]:
        """For the start of a worker. Whether it is the file's: else that has faults. Raises what `load` raises."""
        try:
            return self.load(), True
        except ConfigError:
            if self.kept is not None:
                with contextlib.suppress(ConfigError):
                    return self.parse(Content.of(self.kept)), False
            raise

    def keep(self, content: Content) -> None:
        """In one step, and for this user's eyes only: there may be secrets in it. Raises OSError."""
        if self.kept is not None:
            new = self.kept.with_name(f"{self.kept.name}.{os.getpid()}")
            new.touch(0o600)
            new.write_bytes(content.text)
            new.replace(self.kept)

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
        except OSError as error:
            return Content.unreadable(error)
        return Content.of(self.path)

    def parse(self, content: Content) -> Config:
        """Raises ConfigError."""
        config = content.parse(str(self.path), self.environ)
        config.routes.target("")  # its index of names is made here, in a thread, and not by the first call on the loop
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
        self._started_with = _outline(running)
        self._take = take
        self._refused = refused
        self._interval = interval
        self._running = running
        self._retired: list[Retired] = []
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
                    await self._free_retired()
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

    async def _free_retired(self) -> None:
        for retired in [retired for retired in self._retired if retired.unused]:
            self._retired.remove(retired)
            await asyncio.to_thread(retired.free)

    async def _load(self, content: Content) -> None:
        self._decided, self._unsettled = content.digest, None
        try:
            config = await asyncio.to_thread(_parse_aside, self._file, content)
            retired = await asyncio.to_thread(Retired, self._running)
            self._take(pinned(config, self._started_with))
        except ConfigError as error:
            for fault in error.faults:
                log.error("configuration fault", detail=str(fault))
        except Exception:
            log.exception("configuration could not be loaded")
        else:
            self._retired.append(retired)
            self._running = config
            self._tell(config)
            await self._keep(content)
            return
        self._refused()
        log.error("configuration refused", config_version=self._version)

    async def _keep(self, content: Content) -> None:
        try:
            await asyncio.to_thread(self._file.keep, content)
        except OSError as error:
            log.error("configuration could not be kept for the next worker", error=error.strerror)

    def _tell(self, config: Config) -> None:
        log.info("configuration reloaded", old_version=self._version, config_version=config.version)
        self._version = config.version
        for warning in config.warnings:
            log.warning("configuration", detail=warning)
        started_with = _fixed(self._started_with)
        for name, value in _fixed(config).items():
            if value != started_with[name]:
                log.warning("configuration", detail=f"{name} is not what the gateway started with: it takes a restart")


@contextlib.contextmanager
def _aside() -> Iterator[None]:
    """For work in a thread beside the loop."""
    interval, collecting = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(min(SHARE, interval))
    gc.disable()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if collecting:
            gc.enable()


def _parse_aside(file: ConfigFile, content: Content) -> Config:
    """Raises ConfigError. What was loaded is frozen, as at the start: or the collector stops the loop to search it."""
    with _aside():
        config = file.parse(content)
        gc.freeze()
        return config


class Retired:
    """Keeps the many parts of a configuration until the last call with it has ended, to free them one by one.

    Else whoever lets go of it last, which is the loop, frees 100,000 keys in one go: 50 ms.
    """

    def __init__(self, config: Config) -> None:
        self._routes = weakref.ref(config.routes)
        self._parts: list[object] = [*config.callers, *config.callers.values(), *config.routes.models.values()]

    @property
    def unused(self) -> bool:
        return self._routes() is None

    def free(self) -> None:
        """In a thread."""
        with _aside():
            while self._parts:
                self._parts.pop()


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


def _outline(config: Config) -> Config:
    """Without the routes and keys: of what a gateway started with, only the rest is asked for (see `pinned`)."""
    return replace(config, routes=Routes({}, {}, {}, {}, {}), callers={}, warnings=())


def pinned(config: Config, started_with: Config) -> Config:
    """`config`, but for what a gateway reads once, when it starts: a worker that comes later must not differ in it."""
    server, store = started_with.server, started_with.store
    return replace(
        config,
        server=replace(
            config.server,
            host=server.host,
            port=server.port,
            workers=server.workers,
            drain_timeout=server.drain_timeout,
        ),
        store=replace(config.store, url=store.url, lease_ttl=store.lease_ttl),
    )


def _fixed(config: Config) -> dict[str, object]:
    """What `pinned` keeps, by the name of its field."""
    server, store = config.server, config.store
    return {
        "server.listen": (server.host, server.port),
        "server.workers": server.workers,
        "server.drain_timeout": server.drain_timeout,
        "store.url": store.url,
        "store.lease_ttl": store.lease_ttl,
    }
