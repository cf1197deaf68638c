"""A key with a budget may use only models with a price."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.load import parse
from gateway.core.call import Caller
from gateway.flow.plan import is_allowed
from tests.config.files import KEY, faults_of, written

PRICED = "upstream: u, price: {input: 1}"
FREE = "upstream: u"
LIMITS = "limits: {b: {budget: {usd: 5, period: day}}, c: {concurrent_streams: 5}}"
ONE = "which the key may use, has no price ({input: 0} for what is free)"
MANY = "which the key may use, have no price ({input: 0} for what is free)"


def budgeted(models: str, globs: str, limits: str = "b") -> str:
    key = f"{{name: k, key: {KEY}, limits: {limits}, models: [{globs}]}}"
    return written(models=f"{{{models}}}", keys=f"[{key}]", more=LIMITS)


def model(name: str, fields: str) -> str:
    return f'"{name}": {{{fields}}}'


@pytest.mark.parametrize(
    ("models", "globs", "named"),
    [
        pytest.param([("m", FREE)], "m", f"'m', {ONE}", id="its only model"),
        pytest.param([("m", PRICED), ("n", FREE)], "m", None, id="a priced one beside it"),
        pytest.param([("m", PRICED), ("n", FREE)], "m, n", f"'n', {ONE}", id="one of two"),
        pytest.param([("m", PRICED), ("n", FREE)], "'*'", f"'n', {ONE}", id="everything"),
        pytest.param([("a", FREE), ("b", FREE)], "a, b", f"'a' and 1 other model, {MANY}", id="two"),
        pytest.param([("a", FREE), ("b", FREE), ("c", FREE)], "b, '*'", f"'b' and 2 other models, {MANY}", id="three"),
        pytest.param([("gpt-5", FREE), ("o1", PRICED)], "'gpt-*'", f"'gpt-5', {ONE}", id="a glob over it"),
        pytest.param([("gpt-5", FREE), ("o1", PRICED)], "'o*'", None, id="a glob beside it"),
        pytest.param([("gpt-5", FREE)], "tier", None, id="tiers do not count"),
        pytest.param([("l/*", FREE)], "l/x", f"'l/*', {ONE}", id="a name under a wildcard"),
        pytest.param([("l/*", FREE)], "l/", None, id="the bare prefix"),
        pytest.param([("l/*", FREE)], "'l/*'", f"'l/*', {ONE}", id="a wildcard by its own name"),
        pytest.param([("l/*", FREE)], "'*-mini'", f"'l/*', {ONE}", id="a glob that ends in a wildcard"),
        pytest.param([("l/*", FREE)], "'l*x*y'", f"'l/*', {ONE}", id="a glob that begins before a wildcard"),
        pytest.param([("l/*", FREE)], "'k*'", None, id="a glob beside a wildcard"),
        pytest.param([("l/*", FREE), ("l/x", PRICED)], "l/x", None, id="a priced model of a wildcard without price"),
        pytest.param([("l/*", FREE), ("l/x", PRICED)], "'l/x*'", f"'l/*', {ONE}", id="more than that model"),
        pytest.param([("l/*", PRICED), ("l/x", FREE)], "'l/*'", f"'l/x', {ONE}", id="one under a priced wildcard"),
        pytest.param([("l/*", PRICED), ("l/x", FREE)], "l/y", None, id="another under a priced wildcard"),
        pytest.param([("*", FREE), ("l/*", PRICED)], "'l/a*'", None, id="all that the glob covers has a longer prefix"),
        pytest.param([("gpt*", FREE), ("gpt-5*", PRICED)], "'gpt-5*'", f"'gpt*', {ONE}", id="the longer prefix itself"),
        pytest.param([("*", FREE), ("a*", PRICED), ("0*", PRICED)], "'*'", f"'*', {ONE}", id="what longer ones leave"),
        pytest.param([("m", "upstream: u, price: {}")], "m", None, id="a price of nothing"),
        pytest.param([("m", "upstream: u, price: {input: 0}")], "m", None, id="free"),
    ],
)
def test_a_budgeted_key_that_can_reach_a_model_without_a_price_is_a_fault(
    models: list[tuple[str, str]], globs: str, named: str | None
) -> None:
    text = ", ".join(model(name, fields) for name, fields in models)
    faults = [] if named is None else [f"f:3:57 keys[0].limits: has a budget, but {named}"]
    assert faults_of(budgeted(text, globs)) == faults
    assert faults_of(budgeted(text, globs, limits="c")) == []


def test_a_key_that_says_no_models_may_use_all() -> None:
    text = written(keys=f"[{{name: k, key: {KEY}, limits: b}}]", more=LIMITS)
    assert faults_of(text) == [f"f:3:57 keys[0].limits: has a budget, but 'm', {ONE}"]


def test_a_model_whose_upstream_is_left_out_counts() -> None:
    text = written(
        upstreams='{u: {base_url: http://u}, v: {base_url: "${V}"}}',
        models=f"{{m: {{{PRICED}}}, n: {{upstream: v}}}}",
        keys=f"[{{name: k, key: {KEY}, limits: b}}]",
        more=LIMITS,
    )
    assert faults_of(text) == [f"f:3:57 keys[0].limits: has a budget, but 'n', {ONE}"]


def test_each_such_key_is_a_fault_at_its_own_line() -> None:
    keys = "".join(f"  - name: k{i}\n    key: {i}{KEY}\n    limits: {limits}\n" for i, limits in enumerate("bcb"))
    faults = faults_of(written(keys="\n" + keys, more=LIMITS))
    assert [fault.partition(" ")[0] for fault in faults] == ["f:6:13", "f:12:13"]


def test_what_is_faulty_already_is_not_a_fault_of_the_budget_too() -> None:
    for models, globs in (("m: 5", "m"), ("m: {upstream: u, price: 5}", "m"), (f"m: {{{PRICED}}}", "[m]")):
        assert len(faults_of(budgeted(models, globs))) == 1
    assert len(faults_of(budgeted(f"m: {{{FREE}}}", "m", limits="[b]"))) == 1


NAMES = ["".join(letters) for length in range(1, 7) for letters in product("abz", repeat=length)]


@given(
    st.dictionaries(st.from_regex(r"[ab]{1,2}\*?|\*", fullmatch=True), st.booleans(), min_size=1, max_size=4),
    st.from_regex(r"[ab*]{1,3}", fullmatch=True),
)
def test_it_is_a_fault_exactly_if_some_name_leads_there(models: dict[str, bool], glob: str) -> None:
    entries = ", ".join(model(name, PRICED if priced else FREE) for name, priced in models.items())
    routes = parse(budgeted(entries, f"'{glob}'", limits="c").encode(), "f", {}).routes
    caller = Caller("", "", (glob,))
    targets = (target for name in NAMES if (target := routes.target(name)) is not None)
    unpriced = any(target.model.price is None and is_allowed(target, caller) for target in targets)
    assert bool(faults_of(budgeted(entries, f"'{glob}'"))) == unpriced


def test_many_keys_and_models_take_no_time() -> None:
    models = "".join(f"  m{i}: {{{PRICED}}}\n  w{i}/*: {{{FREE}}}\n" for i in range(1000))
    keys = "".join(f"  - {{name: k{i}, key: k{i:020}, limits: b, models: [m{i}]}}\n" for i in range(1000))
    assert faults_of(written(models="\n" + models, keys="\n" + keys, more=LIMITS)) == []
