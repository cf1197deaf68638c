"""The machine and the versions that results were measured with."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from bench.contestants import ROOT, nginx_program, redis_program

_PACKAGES = ("aiohttp", "uvloop", "httptools", "msgspec", "redis")


class Machine(msgspec.Struct, frozen=True):
    processor: str
    cores: int
    memory_gb: float
    kernel: str
    python: str
    versions: dict[str, str]
    date: str
    commit: str


def describe(environ: Mapping[str, str]) -> Machine:
    versions = {name: _version(name) for name in _PACKAGES}
    if program := nginx_program():
        versions["nginx"] = _says([program, "-v"], environ).rpartition("/")[2]
    if program := redis_program():
        versions["redis-server"] = _says([program, "--version"], environ).partition("v=")[2].partition(" ")[0]
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=versions,
        date=datetime.now(UTC).date().isoformat(),
        commit=_commit(environ),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _commit(environ: Mapping[str, str]) -> str:
    """With a `+` if the gateway has changes that are not committed."""
    git = ["git", "-C", str(ROOT)]
    commit = _says([*git, "rev-parse", "--short", "HEAD"], environ)
    changed = _says([*git, "status", "--porcelain", "--", "gateway"], environ)
    return commit + ("+" if changed else "") if commit else "?"


def _says(words: list[str], environ: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return (done.stdout + done.stderr).strip()
