"""The Reloader alone: what it takes, what it refuses, and when."""

import asyncio
import contextlib
import gc
import json
import os
import shutil
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.config.load import ConfigError, Content, parse
from gateway.core.settings import Config
from gateway.reload import SHARE, ConfigFile, Reloader
from tests.catalogue import fault
from tests.conftest import KEY

VALID = f"""\
upstreams:
  first: {{base_url: "http://127.0.0.1:9/v1"}}
models:
  small: {{upstream: first}}
keys:
  - {{name: tester, key: {KEY}}}
"""
OTHER = VALID.replace("small", "large")
INTERVAL = 0.002


@dataclass
class Reloads:
    """A Reloader and what came of it. `fail` is raised instead of taking."""

    file: ConfigFile
    lines: list[bytes] = field(repr=False)
    interval: float = INTERVAL
    taken: list[Config] = field(default_factory=list)
    refused: int = 0
    fail: Exception | None = None
    running_with: Config | None = None

    def __post_init__(self) -> None:
        running = self.running_with or self.file.load()
        self.reloader = Reloader(self.file, running, self._take, self._refuse, interval=self.interval)

    def _take(self, config: Config) -> None:
        if self.fail is not None:
            raise self.fail
        self.taken.append(config)

    def _refuse(self) -> None:
        self.refused += 1

    def write(self, text: str | bytes) -> None:
        """In one step: a thread may be reading."""
        new = self.file.path.with_suffix(".new")
        new.write_bytes(text.encode() if isinstance(text, str) else text)
        new.replace(self.file.path)

    @property
    def decisions(self) -> int:
        return len(self.taken) + self.refused

    async def until(self, decisions: int) -> None:
        async with asyncio.timeout(5):
            while self.decisions < decisions:
                await asyncio.sleep(0.0005)

    async def until_looked(self) -> None:
        async with asyncio.timeout(5):
            while self.reloader._stamp is None:
                await asyncio.sleep(0.0005)

    async def hang_up(self) -> None:
        before = self.decisions
        self.reloader.hang_up()
        await self.until(before + 1)

    def told(self, event: str) -> list[dict[str, Any]]:
        """The lines of that name, which are taken out: errors that a test leaves there fail it."""
        found = [line for line in self.lines if json.loads(line)["event"] == event]
        self.lines[:] = [line for line in self.lines if line not in found]
        return [json.loads(line) for line in found]

    def faults(self) -> list[str]:
        """Each without the name of the file."""
        assert len(self.told("configuration refused")) == self.refused
        return [line["detail"].removeprefix(str(self.file.path)) for line in self.told("configuration fault")]

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        task = asyncio.get_running_loop().create_task(self.reloader.run(), name="reload")
        try:
            yield
        finally:
            assert not task.done()
            task.cancel()


@pytest.fixture
def reloads(tmp_path: Path, lines: list[bytes]) -> Reloads:
    path = tmp_path / "routes.yaml"
    path.write_text(VALID)
    return Reloads(ConfigFile(path, {}), lines)


def version(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


class TestWatching:
    async def test_a_change_is_taken_once(self, reloads: Reloads) -> None:
        with reloads.running():
            await reloads.until_looked()
            reloads.write(OTHER)
            await reloads.until(1)
            reloads.write(VALID)
            await reloads.until(2)
        assert [config.version for config in reloads.taken] == [version(OTHER), version(VALID)]
        (first, second) = reloads.told("configuration reloaded")
        assert (first["old_version"], first["config_version"]) == (version(VALID), version(OTHER))
        assert (second["old_version"], second["config_version"]) == (version(OTHER), version(VALID))

    async def test_a_file_that_was_only_touched_is_not(self, reloads: Reloads) -> None:
        with reloads.running():
            for _ in range(3):
                reloads.write(VALID)
                await asyncio.sleep(INTERVAL * 3)
            reloads.write(OTHER)
            await reloads.until(1)
        assert [config.version for config in reloads.taken] == [version(OTHER)]

    @fault("K02")
    async def test_k02_it_waits_until_the_file_stays_the_same(self, reloads: Reloads) -> None:
        """Half of a file may well be valid."""
        half = OTHER.replace("models:", "models:\n  half: {upstream: first}")
        file = Scripted(reloads.file.path, {}, contents=[VALID, half, VALID, half, "", OTHER, OTHER])
        reloads.reloader = Reloader(file, file.load(), reloads._take, reloads._refuse, interval=INTERVAL)
        with reloads.running():
            await reloads.until(1)
        assert [config.version for config in reloads.taken] == [version(OTHER)]
        assert reloads.refused == 0

    @fault("K04")
    async def test_k04_the_swap_of_a_configmap_is_seen(self, tmp_path: Path, lines: list[bytes]) -> None:
        """The new file has the size and the times of the old one: only the link `..data` points elsewhere."""
        for name, text in (("one", VALID), ("two", OTHER)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "routes.yaml").write_text(text)
            os.utime(tmp_path / name / "routes.yaml", ns=(1, 1))
        (tmp_path / "..data").symlink_to("one")
        (tmp_path / "routes.yaml").symlink_to("..data/routes.yaml")
        reloads = Reloads(ConfigFile(tmp_path / "routes.yaml", {}), lines)
        with reloads.running():
            await reloads.until_looked()
            (tmp_path / "..data_tmp").symlink_to("two")
            (tmp_path / "..data_tmp").rename(tmp_path / "..data")
            await reloads.until(1)
        assert [config.version for config in reloads.taken] == [version(OTHER)]

    @fault("K04")
    async def test_k04_a_file_that_is_gone_is_refused_once_and_taken_when_it_is_back(self, reloads: Reloads) -> None:
        with reloads.running():
            reloads.write(OTHER)
            await reloads.until(1)
            reloads.file.path.unlink()
            await reloads.until(2)
            await asyncio.sleep(INTERVAL * 5)
            reloads.write(OTHER)
            await reloads.until(3)
        assert (len(reloads.taken), reloads.refused) == (2, 1)
        assert reloads.faults() == [": cannot be read: No such file or directory"]

    def test_what_is_no_regular_file_is_not_watched(self, tmp_path: Path) -> None:
        """As in `--config <(decrypt routes.yaml)`: reading it twice would wait for ever."""
        os.mkfifo(tmp_path / "pipe")
        file = ConfigFile(tmp_path / "pipe", {})
        assert file.stamp() is None
        assert file.read().fault == "is not a regular file"


@dataclass(frozen=True, slots=True)
class Scripted(ConfigFile):
    """A file that has something else to say at each look, up to the last."""

    contents: list[str] = field(default_factory=list)

    def stamp(self) -> tuple[str, int, int, int]:
        return "", 0, 0, len(self.contents)

    def read(self) -> Content:
        return Content((self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]).encode())


BAD = {
    "K01, not YAML": ("models: {", ":2:1: "),
    "K01, two faults": (VALID.replace("first}", "first, weight: 0, retries: 1}"), ":4:"),
    "K03, empty": ("", ":1:1: "),
    "K03, null": ("null", ":1:1: "),
    "K03, list": ("[]", ":1:1: "),
    "K03, empty mapping": ("{}", ":1:1 "),
    "K04, not UTF-8": (VALID.encode().replace(b"small", b"sm\xffll"), ":4:"),
    "K15, no key is left": (VALID.replace(KEY, "${GATEWAY_KEY}"), ":"),
}


class TestRefusing:
    @pytest.mark.parametrize(("text", "place"), [pytest.param(*case, id=name) for name, case in BAD.items()])
    @pytest.mark.parametrize("told", [True, False], ids=["SIGHUP", "watched"])
    @fault("K01", "K03", "K04", "K15")
    async def test_each_fault_is_told_with_its_place(
        self, reloads: Reloads, text: str | bytes, place: str, told: bool
    ) -> None:
        with reloads.running():
            reloads.write(text)
            await (reloads.hang_up() if told else reloads.until(1))
            await asyncio.sleep(INTERVAL * 5)
            reloads.write(VALID)
            await reloads.until(2)
        faults = reloads.faults()
        assert faults
        assert all(fault.startswith(place) for fault in faults)
        assert (len(reloads.taken), reloads.refused) == (1, 1)

    async def test_all_faults_are_told(self, reloads: Reloads) -> None:
        with reloads.running():
            reloads.write(VALID.replace("first}", "first, weight: 0, retries: 1}"))
            await reloads.hang_up()
        assert len(reloads.faults()) == 2

    async def test_something_else_than_a_file_is_refused(self, reloads: Reloads) -> None:
        with reloads.running():
            reloads.file.path.unlink()
            reloads.file.path.mkdir()
            await reloads.hang_up()
        assert reloads.faults() == [": is not a regular file"]

    @fault("K02")
    async def test_k02_of_a_cut_off_file_only_what_is_valid_is_taken(self, reloads: Reloads) -> None:
        with reloads.running():
            for size in range(len(VALID)):
                reloads.write(VALID[:size])
                before = len(reloads.taken)
                await reloads.hang_up()
                assert (len(reloads.taken) > before) is is_valid(VALID[:size])
        assert reloads.decisions == len(VALID)
        reloads.faults()

    async def test_not_even_a_bug_ends_it(self, reloads: Reloads) -> None:
        with reloads.running():
            reloads.fail = RecursionError()
            await reloads.hang_up()
            reloads.fail = None
            await reloads.hang_up()
        assert (len(reloads.taken), reloads.refused) == (1, 1)
        (told,) = reloads.told("configuration could not be loaded")
        assert told["exception"] == "RecursionError"
        reloads.faults()


def is_valid(text: str) -> bool:
    try:
        parse(text.encode(), "routes.yaml", {})
    except ConfigError:
        return False
    return True


class TestSignals:
    async def test_one_is_heard_at_once(self, reloads: Reloads) -> None:
        reloads = Reloads(reloads.file, reloads.lines, interval=60.0)
        with reloads.running():
            await asyncio.sleep(0)
            reloads.write(OTHER)
            await reloads.hang_up()
        assert [config.version for config in reloads.taken] == [version(OTHER)]

    @fault("P17")
    async def test_p17_many_are_a_few_and_the_last_one_wins(self, reloads: Reloads) -> None:
        reloads = Reloads(reloads.file, reloads.lines, interval=0.1)
        began = time.monotonic()
        with reloads.running():
            for number in range(100):
                reloads.write(f"{VALID}# {number}")
                reloads.reloader.hang_up()
                await asyncio.sleep(0)
            async with asyncio.timeout(5):
                while not reloads.taken or reloads.taken[-1].version != version(f"{VALID}# 99"):
                    await asyncio.sleep(0.01)
        assert reloads.decisions <= 1 + (time.monotonic() - began) / 0.1

    async def test_one_reads_the_secrets_in_other_files_again(self, reloads: Reloads, tmp_path: Path) -> None:
        secret = tmp_path / "key"
        secret.write_text(KEY)
        reloads.write(VALID.replace(KEY, f"file:{secret}"))
        with reloads.running():
            await reloads.hang_up()
            secret.write_text("sk-gw-" + "z" * 43)
            await reloads.hang_up()
        first, second = reloads.taken
        assert first.version == second.version
        assert first.callers.keys() != second.callers.keys()


class TestBesideCalls:
    """What a load holds: the interpreter only for moments, and of the past nothing."""

    @fault("K12")
    async def test_the_file_is_parsed_in_a_thread_that_yields_and_leaves_all_as_it_was(self, reloads: Reloads) -> None:
        before = sys.getswitchinterval(), gc.isenabled(), gc.get_freeze_count()
        file = Watched(reloads.file.path, {})
        reloads.reloader = Reloader(file, file.load(), reloads._take, reloads._refuse, interval=INTERVAL)
        with reloads.running():
            for text in (OTHER, "nonsense: true"):
                reloads.write(text)
                await reloads.hang_up()
        reloads.faults()
        loop_thread = threading.get_ident()
        assert [seen.thread == loop_thread for seen in file.seen] == [True, False, False]
        assert [seen.interval <= SHARE and not seen.collecting for seen in file.seen[1:]] == [True, True]
        assert (sys.getswitchinterval(), gc.isenabled()) == before[:2]
        assert gc.get_freeze_count() > before[2]
        gc.unfreeze()

    async def test_what_no_call_uses_any_longer_is_freed(self, reloads: Reloads) -> None:
        with reloads.running():
            await reloads.hang_up()
            old = reloads.taken[0]
            routes = weakref.ref(old.routes)
            reloads.write(OTHER)
            await reloads.hang_up()
            async with asyncio.timeout(5):
                while len(reloads.reloader._retired) != 1:  # what it started with is not used by anybody
                    await asyncio.sleep(0.0005)
                assert not reloads.reloader._retired[0].unused
                del old, reloads.taken[0]
                while reloads.reloader._retired:
                    await asyncio.sleep(0.0005)
        assert routes() is None


@dataclass(frozen=True, slots=True)
class Seen:
    thread: int
    interval: float
    collecting: bool


@dataclass(frozen=True, slots=True)
class Watched(ConfigFile):
    """A file that notes how it is parsed."""

    seen: list[Seen] = field(default_factory=list)

    def parse(self, content: Content) -> Config:
        self.seen.append(Seen(threading.get_ident(), sys.getswitchinterval(), gc.isenabled()))
        return ConfigFile.parse(self, content)


class TestRestarts:
    """What is read only at the start."""

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            pytest.param("server.listen", 'server: {listen: "127.0.0.1:1"}', id="listen"),
            pytest.param("server.drain_timeout", "server: {drain_timeout: 7s}", id="drain_timeout"),
            pytest.param("store.url", "store: {url: redis://:canary@127.0.0.1:1}", id="store.url"),
            pytest.param(
                "server.workers store.url",
                "server: {workers: 2}\nstore: {url: redis://127.0.0.1:1, replicas: 2}",
                id="workers",
            ),
            pytest.param("store.lease_ttl", "store: {lease_ttl: 20s}", id="store.lease_ttl"),
            pytest.param("", "store: {on_error: deny, timeout: 50ms}", id="not the rest of the store"),
        ],
    )
    async def test_a_change_is_a_warning_and_the_rest_is_taken(self, reloads: Reloads, fields: str, text: str) -> None:
        with reloads.running():
            reloads.write(f"{OTHER}{text}\n")
            await reloads.hang_up()
            reloads.write(VALID)
            await reloads.hang_up()
        assert "large" in reloads.taken[0].routes.models
        warnings = reloads.told("configuration")
        assert [warning["detail"].partition(" ")[0] for warning in warnings] == fields.split()
        assert all(warning["level"] == "warning" and "restart" in warning["detail"] for warning in warnings)
        assert b"canary" not in b"".join(reloads.lines)

    async def test_an_address_of_the_command_line_stays(self, reloads: Reloads) -> None:
        reloads = Reloads(ConfigFile(reloads.file.path, {}, ("127.0.0.1", 7)), reloads.lines)
        with reloads.running():
            reloads.write(f'{VALID}server: {{listen: "127.0.0.1:1"}}\n')
            await reloads.hang_up()
        assert (reloads.taken[0].server.host, reloads.taken[0].server.port) == ("127.0.0.1", 7)
        assert reloads.told("configuration") == []


class TestKept:
    """A worker that starts while the file has faults serves with what was valid last."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> ConfigFile:
        (tmp_path / "run").mkdir()
        (tmp_path / "routes.yaml").write_text(VALID)
        return ConfigFile(tmp_path / "routes.yaml", {}, kept=tmp_path / "run" / "routes.yaml")

    def test_what_was_loaded_is_kept_for_this_user_alone(self, file: ConfigFile) -> None:
        umask = os.umask(0)
        try:
            config, current = file.load_or_kept()
        finally:
            os.umask(umask)
        assert (config.version, current) == (version(VALID), True)
        (kept,) = folder_of(file).iterdir()
        assert (kept.read_text(), kept.stat().st_mode & 0o777) == (VALID, 0o600)

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda path: path.write_text("nonsense: true"), id="faults"),
            pytest.param(lambda path: path.unlink(), id="gone"),
            pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder"),
        ],
    )
    def test_it_is_started_with_while_the_file_has_faults(
        self, file: ConfigFile, spoil: Callable[[Path], None]
    ) -> None:
        file.load()
        spoil(file.path)
        config, current = file.load_or_kept()
        assert (config.version, current) == (version(VALID), False)

    def test_its_warnings_name_the_file_itself(self, file: ConfigFile) -> None:
        file.path.write_text(VALID.replace("keys:\n", 'keys:\n  - {name: other, key: "${KEY}"}\n'))
        warnings = file.load().warnings
        assert warnings
        file.path.unlink()
        assert file.load_or_kept()[0].warnings == warnings
        assert all(str(warning).startswith(f"{file.path}:") for warning in warnings)

    def test_without_it_the_faults_of_the_file_end_the_start(self, file: ConfigFile) -> None:
        file.path.write_text("nonsense: true")
        with pytest.raises(ConfigError) as raised:
            file.load_or_kept()
        assert str(raised.value.faults[0]).startswith(f"{file.path}:1:")

    def test_if_that_has_faults_too_those_of_the_file_are_told(self, file: ConfigFile, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(KEY)
        file.path.write_text(VALID.replace(KEY, f"file:{tmp_path / 'secret'}"))
        file.load()
        (tmp_path / "secret").unlink()
        file.path.write_text("")
        with pytest.raises(ConfigError) as raised:
            file.load_or_kept()
        assert str(raised.value.faults[0]).startswith(f"{file.path}:1:1")

    async def test_each_reload_is_kept_and_what_is_refused_is_not(self, file: ConfigFile, lines: list[bytes]) -> None:
        reloads = Reloads(file, lines)
        with reloads.running():
            reloads.write(OTHER)
            await reloads.hang_up()
            reloads.write("nonsense: true")
            await reloads.hang_up()
        reloads.faults()
        assert [path.read_text() for path in folder_of(file).iterdir()] == [OTHER]

    async def test_a_reload_that_cannot_be_kept_is_taken_all_the_same(
        self, file: ConfigFile, lines: list[bytes]
    ) -> None:
        reloads = Reloads(file, lines)
        shutil.rmtree(folder_of(file))
        with reloads.running():
            for count in (1, 2):
                await reloads.hang_up()
                assert (len(reloads.taken), reloads.refused) == (count, 0)
        (told, *_) = reloads.told("configuration could not be kept for the next worker")
        assert told["error"] == "No such file or directory"

    async def test_the_file_is_told_once_and_taken_when_it_is_valid_again(
        self, file: ConfigFile, lines: list[bytes]
    ) -> None:
        file.load()
        file.path.write_text("nonsense: true")
        config, _ = file.load_or_kept()
        reloads = Reloads(file, lines, running_with=config)
        reloads.reloader.hang_up()
        with reloads.running():
            await reloads.until(1)
            await asyncio.sleep(INTERVAL * 5)
            assert reloads.refused == 1
            reloads.write(VALID)
            await reloads.until(2)
        assert len(reloads.faults()) >= 1
        assert [config.version for config in reloads.taken] == [version(VALID)]


def folder_of(file: ConfigFile) -> Path:
    assert file.kept is not None
    return file.kept.parent


def test_the_environment_is_not_shown(tmp_path: Path) -> None:
    assert "canary" not in repr(ConfigFile(tmp_path, {"KEY": "canary"}))
