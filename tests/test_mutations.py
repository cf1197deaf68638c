"""The table of `make mutations` fits today's code: each edit is made at one place, and what it names is there."""

import ast
from pathlib import Path

import pytest

from tests.mutations.protection import ROOT, Moved, Protection
from tests.mutations.table import PROTECTIONS
from tests.mutations.trial import Run, Verdict

LEAST = 25


@pytest.mark.parametrize("protection", PROTECTIONS, ids=lambda protection: protection.name)
def test_every_edit_is_made_at_exactly_one_place(protection: Protection) -> None:
    edited = protection.edited((ROOT / protection.file).read_text())
    assert protection.new in edited
    if protection.file.endswith(".py"):
        ast.parse(edited)


def test_every_protection_has_a_name_of_its_own_a_sentence_and_a_test() -> None:
    assert len({protection.name for protection in PROTECTIONS}) == len(PROTECTIONS) >= LEAST
    for protection in PROTECTIONS:
        assert protection.protects.endswith("."), protection.name
        assert protection.old != protection.new, protection.name
        assert protection.tests, protection.name


def test_every_test_that_has_to_turn_red_is_there() -> None:
    modules: dict[str, ast.AST] = {}
    for test in {test for protection in PROTECTIONS for test in protection.tests}:
        path, *names = test.split("::")
        found = modules.get(path) or modules.setdefault(path, ast.parse((ROOT / path).read_text()))
        for name in names:
            children = [child for child in ast.iter_child_nodes(found) if getattr(child, "name", None) == name]
            assert children, test
            found = children[0]


@pytest.mark.parametrize(("text", "count"), [("", 0), ("old old", 2)], ids=["gone", "twice"])
def test_an_edit_that_does_not_apply_once_is_told(text: str, count: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(Moved, match=f"is {count} times in file"):
        Protection("name", "It protects.", "file", "old", "new", ()).switch_off(tmp_path)


@pytest.mark.parametrize(
    ("run", "verdict"),
    [
        pytest.param(Run(1, "FAILED tests/test_x.py::test_y - assert 1"), Verdict.RED, id="a test failed"),
        pytest.param(Run(1, "+++++ Timeout +++++"), Verdict.HANG, id="a test hung"),
        pytest.param(Run(None, ""), Verdict.HANG, id="pytest hung"),
        pytest.param(Run(0, "1 passed"), Verdict.SURVIVED, id="all passed"),
        pytest.param(Run(2, "errors during collection"), Verdict.NOT_RUN, id="the code is broken"),
        pytest.param(Run(4, "no such test"), Verdict.NOT_RUN, id="there is no such test"),
        pytest.param(Run(5, "no tests ran"), Verdict.NOT_RUN, id="nothing was collected"),
    ],
)
def test_only_a_test_that_failed_is_proof(run: Run, verdict: Verdict) -> None:
    assert run.verdict is verdict
