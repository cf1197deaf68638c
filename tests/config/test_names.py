from fnmatch import fnmatchcase
from itertools import product

import pytest

from gateway.config import names
from gateway.config.names import Names, matches
from tests.config.files import faults_of, many_keys, many_models, written


def test_a_glob_matches_as_a_shell_has_it() -> None:
    for glob in map("".join, product("ab*", repeat=4)):
        for name in ("", "a", "b", "ab", "aab", "abab", "bba", "aabb", "babab", "aaaaaa"):
            assert matches(name, glob) == fnmatchcase(name, glob), (name, glob)


def test_the_names_that_a_glob_covers_are_found_in_the_order_of_the_file() -> None:
    index = Names(["b/y", "a/x", "b/*", "a", "b/x", "*", "b/x/*"])
    assert index.covered("*") == ["b/y", "a/x", "a", "b/x"]
    assert index.covered("b/*") == ["b/y", "b/x"]
    assert index.covered("*/x") == ["a/x", "b/x"]
    assert index.covered("a") == ["a"]
    assert index.near("b/x/z*") == ["b/*", "*", "b/x/*"]
    assert index.near("a*") == ["*"]
    assert [index.model_of(name) for name in ("a", "b/z", "b/x/z", "b/", "c")] == ["a", "b/*", "b/x/*", "*", "*"]


def test_a_budget_that_cannot_be_checked_in_time_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MAX_COMPARED", 1000)
    text = written(
        models=many_models(100, ", price: {input: 1}") + "  free: {upstream: u}\n",
        keys=many_keys(20, ", limits: l, models: ['m*#']"),
        more="limits: {l: {budget: {usd: 5, period: day}}}",
    )
    (fault,) = faults_of(text)
    assert fault.endswith("keys[10].models: cannot be checked: the keys before it have too many unlike globs")
