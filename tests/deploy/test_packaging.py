"""The lock files: hashed, for every platform, and written by nobody's machine in particular."""

import re
import tomllib
from itertools import chain

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.conftest import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock")


def pins(name: str) -> dict[str, str]:
    """Package -> version."""
    text = (ROOT / name).read_text()
    found = re.findall(r"^([a-z0-9-]+)==(\S+)(?: ; [^\\\n]+)? \\$", text, re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_a_pin_or_a_hash(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    pin = re.compile(r"[a-z0-9-]+==\S+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|#.*")
    assert [line for line in lines if not pin.fullmatch(line)] == []
    assert [line for line in lines if line.startswith("#") and ("/" in line or "://" in line)] == []


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        pytest.param(LOCKS[0], ["build"], id="runtime"),
        pytest.param(LOCKS[1], ["build", "dev"], id="dev"),
        pytest.param(LOCKS[2], ["bench"], id="bench"),
    ],
)
def test_the_lock_satisfies_what_the_project_requires(name: str, groups: list[str]) -> None:
    pinned = pins(name)
    asked = chain(PYPROJECT["project"]["dependencies"], *(PYPROJECT["dependency-groups"][group] for group in groups))
    for requirement in map(Requirement, asked):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, f"make lock: {requirement}"


def test_all_locks_pin_the_same_versions() -> None:
    runtime, dev, bench = (pins(name) for name in LOCKS)
    assert runtime.items() <= dev.items()
    assert {(name, version) for name, version in runtime.items() if name in bench} <= bench.items()


def test_the_build_group_is_what_the_build_system_requires() -> None:
    assert PYPROJECT["dependency-groups"]["build"] == PYPROJECT["build-system"]["requires"]
