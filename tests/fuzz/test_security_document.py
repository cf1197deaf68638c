"""docs/security.md names tests that exist, and numbers that are the code's."""

import dataclasses
import importlib
import re
from pathlib import Path

import pytest

from gateway.config.load import parse
from tests.config.files import written

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/security.md").read_text()
BOUNDS = re.findall(r"^\| [^|]+ \| ([0-9,]+) \| `([a-z_.]+\.)([A-Za-z_]+)` \|$", TEXT, re.MULTILINE)
SERVER = dataclasses.asdict(parse(written().encode(), "f", {}).server)


@pytest.mark.parametrize(("value", "module", "name"), BOUNDS, ids=[module + name for _, module, name in BOUNDS])
def test_a_bound_is_what_the_code_says(value: str, module: str, name: str) -> None:
    number = float(value.replace(",", ""))
    assert number == (SERVER[name] if module == "server." else getattr(importlib.import_module(module[:-1]), name))


def test_all_bounds_are_read() -> None:
    assert len(BOUNDS) == TEXT.partition("## Bounds")[2].partition("Not bounded")[0].count("\n| ") - 1


def test_every_test_that_is_named_is_there() -> None:
    names = set(re.findall(r"`(test_\w+)`", TEXT))
    there = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(names) > 20
    assert [name for name in sorted(names) if f"def {name}(" not in there] == []
    files = set(re.findall(r"`(tests/[\w/]+\.py)`", TEXT))
    assert [name for name in sorted(files) if not (ROOT / name).is_file()] == []
