import pytest

from tests.config.files import KEY, faults_of, written

MODELS = '{m: {upstream: u}, n: {upstream: u}, "w/*": {upstream: u}}'


def model(fields: str) -> str:
    return written(models=f'{{n: {{upstream: u}}, "w/*": {{upstream: u}}, m: {{upstream: u, {fields}}}}}')


def also(more: str) -> str:
    return written(models=MODELS, more=more)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param(
            written(upstreams="{openai: {base_url: http://a}}", models="{m: {upstream: opnai}}"),
            "f:2:24 models.m.upstream: there is no upstream 'opnai' (did you mean 'openai'?)",
            id="upstream",
        ),
        pytest.param(
            model("fallbacks: [gpt-9]"), "f:2:79 models.m.fallbacks[0]: there is no model 'gpt-9'", id="fallback"
        ),
        pytest.param(model("fallbacks: [n, m]"), "f:2:82 models.m.fallbacks[1]: is the model itself", id="itself"),
        pytest.param(model("fallbacks: [n, n]"), "f:2:82 models.m.fallbacks[1]: is in this list already", id="twice"),
        pytest.param(
            model("fallbacks: [w/*]"),
            "f:2:79 models.m.fallbacks[0]: is a wildcard: write the name of a model that it covers",
            id="fallback to a wildcard",
        ),
        pytest.param(
            model("fallbacks: [t]") + "tiers: {t: [m]}",
            "f:2:79 models.m.fallbacks[0]: is a tier: only models can be here",
            id="fallback to a tier",
        ),
        pytest.param(
            model('name: "x-*"'),
            "f:2:73 models.m.name: can have a '*' only where the model's own name ends in one",
            id="star without a wildcard",
        ),
        pytest.param(
            also("tiers: {t: [m, nn]}"), "f:4:16 tiers.t[1]: there is no model 'nn' (did you mean 'n'?)", id="tier"
        ),
        pytest.param(also("tiers: {t: [[m, q]]}"), "f:4:17 tiers.t[0][1]: there is no model 'q'", id="group"),
        pytest.param(
            also("tiers: {t: [m, [n, m]]}"), "f:4:20 tiers.t[1][1]: is in this tier already", id="model twice"
        ),
        pytest.param(
            also("tiers: {t: [w/*]}"),
            "f:4:13 tiers.t[0]: is a wildcard: write the name of a model that it covers",
            id="wildcard in a tier",
        ),
        pytest.param(
            also("tiers: {t: [w/]}"),
            "f:4:13 tiers.t[0]: there is no model 'w/' (did you mean 'w/*'?)",
            id="only the prefix",
        ),
        pytest.param(
            also("tiers: {t: [a]}\naliases: {a: m}"),
            "f:4:13 tiers.t[0]: is an alias: only models can be here",
            id="alias",
        ),
        pytest.param(
            also("tiers: {fast: [m]}\ncomplexity: {simple: fst}"),
            "f:5:22 complexity.simple: there is no tier 'fst' (did you mean 'fast'?)",
            id="complexity",
        ),
        pytest.param(also("complexity: {simple: m}"), "f:4:22 complexity.simple: there is no tier 'm'", id="no tier"),
        pytest.param(
            also("aliases: {gpt: q}"), "f:4:16 aliases.gpt: there is no tier, model or alias 'q'", id="alias of nothing"
        ),
        pytest.param(
            also("aliases: {gpt: w/*}"),
            "f:4:16 aliases.gpt: is a wildcard: write the name of a model that it covers",
            id="alias of a wildcard",
        ),
        pytest.param(
            also("aliases: {gpt: auto}"),
            "f:4:16 aliases.gpt: cannot stand for 'auto': only for a tier, a model or an alias",
            id="alias of auto",
        ),
        pytest.param(
            also("aliases: {x: a, a: b, b: c, c: a}"),
            "f:4:20 aliases.a: goes in a circle: a -> b -> c -> a",
            id="circle",
        ),
        pytest.param(also("aliases: {a: a}"), "f:4:14 aliases.a: goes in a circle: a -> a", id="alias of itself"),
        pytest.param(
            also("limits: {pro: {concurrent_streams: 1}}").replace(f"key: {KEY}", f"key: {KEY}, limits: por"),
            "f:3:57 keys[0].limits: there are no limits 'por' (did you mean 'pro'?)",
            id="limits",
        ),
        pytest.param(
            also("").replace(f"key: {KEY}", f"key: {KEY}, limits: sk-live"),
            "f:3:57 keys[0].limits: there are no limits '?'",
            id="a secret for limits",
        ),
        pytest.param(
            also("tiers: {m: [n]}"), "f:4:9 tiers.m: 'm' is already the name of a model, on line 2", id="tier and model"
        ),
        pytest.param(
            also("aliases:\n  t: m\ntiers:\n  t: [m]"),
            "f:7:3 tiers.t: 't' is already the name of an alias, on line 5",
            id="tier and alias",
        ),
    ],
)
def test_what_refers_to_nothing_or_to_the_wrong_thing_is_the_only_fault(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


def test_names_that_a_wildcard_covers_can_be_used_everywhere() -> None:
    text = model("fallbacks: [w/x]") + "tiers: {t: [w/y, m]}\naliases: {a: w/z, b: a, c: t}\ncomplexity: {simple: t}"
    assert faults_of(text) == []


def test_a_long_chain_of_aliases_is_no_trouble() -> None:
    chain = "".join(f"  a{i}: a{i + 1}\n" for i in range(2000))
    assert faults_of(written(more=f"aliases:\n{chain}  a2000: m")) == []
    assert len(faults_of(written(more=f"aliases:\n{chain}  a2000: a0"))) == 1


def test_many_dangling_references_are_reported_without_comparing_all_names() -> None:
    models = "".join(f"  m{i}: {{upstream: u, fallbacks: [q{i}]}}\n" for i in range(2000))
    assert faults_of(written(models="\n" + models))[-1] == "f: has 1900 more faults"
