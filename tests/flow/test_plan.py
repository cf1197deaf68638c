from collections import Counter
from random import Random
from typing import Any

import pytest

from gateway.core.call import Ask, Caller, Endpoint, Kind
from gateway.core.errors import InvalidValue, ModelNotAllowed, ModelNotFound, NoAvailableUpstream, Refusal
from gateway.core.route import Exclusion, Model, Plan, Routes
from gateway.flow.plan import Planner, is_allowed, listed
from gateway.state.health import THRESHOLD, Health
from tests.values import make_ask, make_call, make_caller, make_model, make_target, make_upstream

FIRST = make_upstream("first")
SECOND = make_upstream("second")
LEFT_OUT = make_upstream("absent", left_out="KEY is not set")
NOW = 100.0


def routes(*models: Model, **fields: Any) -> Routes:
    known = {model.name: model for model in models}
    upstreams = {upstream.name: upstream for upstream in (FIRST, SECOND, LEFT_OUT)}
    return Routes(**{"upstreams": upstreams, "models": known, "tiers": {}, "aliases": {}, "complexity": {}, **fields})


ROUTES = routes(
    make_model("small", FIRST),
    make_model("large", SECOND),
    make_model("huge", FIRST, fallbacks=("large", "small")),
    make_model("embed", FIRST, kind=Kind.EMBEDDINGS),
    make_model("absent", LEFT_OUT),
    make_model("ollama/*", SECOND, remote="*"),
    make_model("ollama/qwen*", FIRST, remote="qwen-*-it"),
    tiers={
        "fast": (("small",), ("large",)),
        "standard": (("large", "huge"), ("small",)),
        "premium": (("huge",), ("large",), ("small",)),
        "gone": (("absent",),),
        "mixed": (("embed",), ("small",), ("absent",)),
        "vectors": (("embed",),),
    },
    aliases={"gpt-3.5-turbo": "fast", "tiny": "small", "llama": "ollama/llama3"},
    complexity={"simple": "fast", "medium": "standard", "complex": "premium"},
)


class Bench:
    def __init__(self, known: Routes = ROUTES, seed: int = 7) -> None:
        self.health = Health()
        self.planner = Planner(known, self.health, Random(seed))

    def plan(self, model: str, caller: Caller | None = None, endpoint: Endpoint = Endpoint.CHAT, **ask: Any) -> Plan:
        wanted: Ask = make_ask(model, **ask)
        return self.planner.plan(make_call(endpoint=endpoint), wanted, caller or make_caller(), NOW)

    def names(self, model: str, **fields: Any) -> list[str]:
        return [target.name for target in self.plan(model, **fields).targets]

    def refusal(self, model: str, **fields: Any) -> Refusal:
        with pytest.raises(Refusal) as caught:
            self.plan(model, **fields)
        return caught.value

    def break_down(self, name: str) -> None:
        for _ in range(THRESHOLD):
            with self.health.trial(make_target(name, ROUTES.models[name].upstream)) as trial:
                trial.failed(NOW)

    def cool(self, name: str, wait: float) -> None:
        self.health.cool(make_target(name, ROUTES.models[name].upstream), NOW + wait)


@pytest.fixture
def bench() -> Bench:
    return Bench()


UNKNOWN = """
gpt-9 SMALL fas * ollama/ ollama/* ollama/${x} ollama/g\u0440t ollama/\U0001f600 ../small first/small small@first
"""


class TestNames:
    def test_a_tier_is_its_models_in_order(self, bench: Bench) -> None:
        plan = bench.plan("fast")
        assert [str(target) for target in plan.targets] == ["small@first", "large@second"]
        assert (plan.tier, plan.complexity, plan.excluded) == ("fast", None, ())

    def test_a_model_is_itself_and_nothing_else(self, bench: Bench) -> None:
        plan = bench.plan("small")
        assert [target.name for target in plan.targets] == ["small"]
        assert plan.tier is None

    def test_a_model_falls_back_along_its_own_list(self, bench: Bench) -> None:
        assert bench.names("huge") == ["huge", "large", "small"]

    @pytest.mark.parametrize(
        ("alias", "names", "tier"),
        [("gpt-3.5-turbo", ["small", "large"], "fast"), ("tiny", ["small"], None), ("llama", ["ollama/llama3"], None)],
    )
    def test_an_alias_is_what_it_stands_for(self, bench: Bench, alias: str, names: list[str], tier: str | None) -> None:
        plan = bench.plan(alias)
        assert [target.name for target in plan.targets] == names
        assert plan.tier == tier

    @pytest.mark.parametrize(
        ("complexity", "tier"),
        [(None, "standard"), ("simple", "fast"), ("medium", "standard"), ("complex", "premium")],
    )
    def test_auto_is_a_tier_by_complexity(self, bench: Bench, complexity: str | None, tier: str) -> None:
        plan = bench.plan("auto", complexity=complexity)
        assert (plan.tier, plan.complexity) == (tier, complexity or "medium")

    def test_a_complexity_changes_nothing_for_a_name(self, bench: Bench) -> None:
        plan = bench.plan("fast", complexity="complex")
        assert (plan.tier, plan.complexity) == ("fast", None)

    def test_auto_is_nothing_where_no_complexity_is_configured(self) -> None:
        assert isinstance(Bench(routes(make_model("small", FIRST))).refusal("auto"), ModelNotFound)

    @pytest.mark.parametrize(
        ("name", "remote", "upstream"),
        [
            ("ollama/llama3:8b", "llama3:8b", "second"),
            ("ollama/qwen2", "qwen-2-it", "first"),
            ("ollama/q", "q", "second"),
            ("ollama/qwen", "qwen", "second"),
            ("ollama/a/b", "a/b", "second"),
        ],
    )
    def test_of_wildcards_the_longest_prefix_wins(self, bench: Bench, name: str, remote: str, upstream: str) -> None:
        (target,) = bench.plan(name).targets
        assert (target.name, target.remote, target.upstream.name) == (name, remote, upstream)

    def test_a_plain_name_goes_before_a_wildcard(self) -> None:
        known = routes(make_model("*", SECOND), make_model("small", FIRST))
        assert str(Bench(known).plan("small").targets[0]) == "small@first"
        assert str(Bench(known).plan("other").targets[0]) == "other@second"

    @pytest.mark.parametrize("name", [*UNKNOWN.split(), "", " small", "small ", "ollama/a b", "ollama/\n", "small\x00"])
    def test_b111_any_other_name_is_not_found(self, bench: Bench, name: str) -> None:
        refused = bench.refusal(name)
        assert isinstance(refused, ModelNotFound)
        assert refused.param == "model"
        assert not name.strip() or name not in refused.message


class TestEquals:
    KNOWN = routes(
        make_model("a", FIRST, weight=1.0),
        make_model("b", FIRST, weight=3.0),
        make_model("c", FIRST, weight=6.0),
        make_model("last", SECOND, weight=1000.0),
        tiers={"even": (("a", "b", "c"), ("last",))},
    )

    def test_each_comes_first_as_often_as_it_weighs(self) -> None:
        bench = Bench(self.KNOWN)
        first = Counter(bench.names("even")[0] for _ in range(10_000))
        assert first["a"] == pytest.approx(1000, rel=0.15)
        assert first["b"] == pytest.approx(3000, rel=0.1)
        assert first["c"] == pytest.approx(6000, rel=0.05)

    def test_the_second_place_is_by_weight_among_the_rest(self) -> None:
        bench = Bench(self.KNOWN)
        seconds = Counter(names[1] for _ in range(10_000) if (names := bench.names("even"))[0] == "c")
        assert seconds["b"] / seconds["a"] == pytest.approx(3, rel=0.2)

    def test_groups_stay_in_order_whatever_their_weights(self) -> None:
        bench = Bench(self.KNOWN)
        for _ in range(200):
            names = bench.names("even")
            assert names[-1] == "last"
            assert sorted(names[:-1]) == ["a", "b", "c"]

    def test_the_same_dice_give_the_same_order(self) -> None:
        orders = [[Bench(self.KNOWN, seed).names("even") for _ in range(1)] for seed in (1, 1, 2, 3, 4, 5)]
        assert orders[0] == orders[1]
        assert len({str(order) for order in orders}) > 1

    def test_a_single_one_rolls_no_dice(self) -> None:
        dice = Random(7)
        Planner(ROUTES, Health(), dice).plan(make_call(), make_ask("fast"), make_caller(), NOW)
        assert dice.random() == Random(7).random()


class TestProvider:
    def test_its_targets_come_first_and_all_others_stay_in_order(self, bench: Bench) -> None:
        assert bench.names("premium", provider="second") == ["large", "huge", "small"]
        assert bench.names("premium", provider="first") == ["huge", "small", "large"]

    def test_it_excludes_nobody(self, bench: Bench) -> None:
        assert bench.names("small", provider="second") == ["small"]

    def test_an_unknown_one_is_refused(self, bench: Bench) -> None:
        refused = bench.refusal("fast", provider="third")
        assert isinstance(refused, InvalidValue)
        assert refused.param == "provider"

    def test_an_unknown_complexity_is_refused_whatever_the_model(self, bench: Bench) -> None:
        for model in ("auto", "fast", "small"):
            refused = bench.refusal(model, complexity="hard")
            assert isinstance(refused, InvalidValue)
            assert refused.param == "complexity"


class TestExclusions:
    def test_globs_are_matched_against_targets_and_not_against_what_was_asked(self, bench: Bench) -> None:
        plan = bench.plan("fast", make_caller(models=("lar*",)))
        assert [target.name for target in plan.targets] == ["large"]
        assert [(target.name, reason) for target, reason in plan.excluded] == [("small", Exclusion.NOT_ALLOWED)]
        assert isinstance(bench.refusal("fast", caller=make_caller(models=("fast",))), ModelNotAllowed)
        assert isinstance(bench.refusal("tiny", caller=make_caller(models=("tiny",))), ModelNotAllowed)

    def test_a_kind_that_does_not_fit_the_endpoint_is_left_out(self, bench: Bench) -> None:
        plan = bench.plan("mixed")
        assert [target.name for target in plan.targets] == ["small"]
        assert [(target.name, reason) for target, reason in plan.excluded] == [
            ("embed", Exclusion.KIND),
            ("absent", Exclusion.LEFT_OUT),
        ]
        assert bench.names("mixed", endpoint=Endpoint.EMBEDDINGS) == ["embed"]

    def test_what_is_ill_is_left_out_with_its_reason(self, bench: Bench) -> None:
        bench.break_down("huge")
        bench.cool("large", 7)
        plan = bench.plan("premium")
        assert [target.name for target in plan.targets] == ["small"]
        assert [(target.name, reason) for target, reason in plan.excluded] == [
            ("huge", Exclusion.BREAKER_OPEN),
            ("large", Exclusion.COOLDOWN),
        ]

    def test_nothing_is_left_out_of_the_account(self, bench: Bench) -> None:
        bench.cool("large", 7)
        for model in ("fast", "standard", "premium", "mixed"):
            plan = bench.planner.consider(Endpoint.CHAT, make_ask(model), make_caller(models=("s*", "l*")), NOW)
            asked = [name for group in ROUTES.tiers[model] for name in group]
            assert sorted([*(t.name for t in plan.targets), *(t.name for t, _ in plan.excluded)]) == sorted(asked)


class TestRefusals:
    """The exclusion that came nearest to serving decides."""

    def test_only_the_kind_did_not_fit(self, bench: Bench) -> None:
        assert isinstance(bench.refusal("vectors"), ModelNotFound)
        assert isinstance(bench.refusal("small", endpoint=Endpoint.EMBEDDINGS), ModelNotFound)

    def test_the_key_may_not(self, bench: Bench) -> None:
        nobody = make_caller(models=("nothing",))
        assert isinstance(bench.refusal("small", caller=nobody), ModelNotAllowed)
        assert isinstance(bench.refusal("mixed", caller=nobody), ModelNotAllowed)
        assert isinstance(bench.refusal("ollama/secret", caller=nobody), ModelNotAllowed)
        assert bench.refusal("small", caller=nobody).param == "model"

    def test_a_key_that_may_not_learns_nothing_of_the_targets_health(self, bench: Bench) -> None:
        bench.cool("small", 7)
        assert isinstance(bench.refusal("small", caller=make_caller(models=())), ModelNotAllowed)

    def test_its_upstream_is_left_out(self, bench: Bench) -> None:
        refused = bench.refusal("gone")
        assert isinstance(refused, NoAvailableUpstream)
        assert dict(refused.headers) == {"x-gateway-attempts": "0", "retry-after": "1", "retry-after-ms": "1000"}

    def test_all_are_ill_and_the_shortest_wait_is_said(self, bench: Bench) -> None:
        bench.cool("small", 30)
        bench.cool("large", 7.5)
        refused = bench.refusal("fast")
        assert isinstance(refused, NoAvailableUpstream)
        assert dict(refused.headers) == {"x-gateway-attempts": "0", "retry-after": "8", "retry-after-ms": "7500"}

    def test_the_wait_of_one_the_key_may_not_use_does_not_count(self, bench: Bench) -> None:
        bench.cool("small", 30)
        bench.cool("large", 7)
        refused = bench.refusal("fast", caller=make_caller(models=("small",)))
        assert dict(refused.headers)["retry-after"] == "30"

    def test_an_open_breaker_is_at_least_a_second(self, bench: Bench) -> None:
        bench.break_down("small")
        refused = bench.refusal("small")
        assert isinstance(refused, NoAvailableUpstream)
        assert dict(refused.headers)["retry-after"] == "1"

    def test_an_unknown_model_goes_before_an_unknown_provider(self, bench: Bench) -> None:
        assert isinstance(bench.refusal("gpt-9", provider="third"), ModelNotFound)

    def test_explain_sees_what_a_call_would_be_refused_for(self, bench: Bench) -> None:
        plan = bench.planner.consider(Endpoint.CHAT, make_ask("gone"), make_caller(), NOW)
        assert plan.targets == ()
        with pytest.raises(NoAvailableUpstream):
            bench.planner.refuse_empty(plan, NOW)


@pytest.mark.parametrize(
    ("globs", "allowed"),
    [
        (("*",), True),
        (("ollama/llama3",), True),
        (("ollama/*",), True),
        (("gpt", "ollama/l*3"), True),
        ((), False),
        (("",), False),
        (("ollama",), False),
        (("OLLAMA/*",), False),
        (("llama3",), False),
        (("ollama/*4",), False),
    ],
)
def test_a_key_is_allowed_what_one_of_its_globs_covers(globs: tuple[str, ...], allowed: bool) -> None:
    target = ROUTES.target("ollama/llama3")
    assert target is not None
    assert is_allowed(target, make_caller(models=globs)) is allowed


class TestListed:
    def test_who_may_all_sees_all_names_but_wildcards_and_what_nobody_can_serve(self) -> None:
        assert listed(ROUTES, make_caller()) == {
            **dict.fromkeys(ROUTES.tiers.keys() - {"gone"}, "gateway"),
            "auto": "gateway",
            **dict.fromkeys(ROUTES.aliases, "gateway"),
            "small": "first",
            "large": "second",
            "huge": "first",
            "embed": "first",
        }

    def test_a_model_is_shown_that_only_its_fallback_serves(self) -> None:
        known = routes(make_model("absent", LEFT_OUT, fallbacks=("small",)), make_model("small", FIRST))
        assert listed(known, make_caller()) == {"absent": "absent", "small": "first"}

    def test_who_may_little_sees_what_leads_there(self) -> None:
        assert listed(ROUTES, make_caller(models=("embed",))) == {
            "mixed": "gateway",
            "vectors": "gateway",
            "embed": "first",
        }
        assert listed(ROUTES, make_caller(models=("ollama/*",))) == {"llama": "gateway"}

    def test_who_may_nothing_sees_nothing(self) -> None:
        assert listed(ROUTES, make_caller(models=("nothing",))) == {}

    @pytest.mark.parametrize("globs", [("*",), ("small",), ("s*", "embed"), ("ollama/*",), ("huge", "large")])
    def test_everything_listed_is_served_at_one_endpoint_or_ill(self, globs: tuple[str, ...]) -> None:
        bench, caller = Bench(), make_caller(models=globs)
        for name in listed(ROUTES, caller):
            refusals = []
            for endpoint in Endpoint:
                plan = bench.planner.consider(endpoint, make_ask(name), caller, NOW)
                refusals += [] if plan.targets else [bench.refusal(name, caller=caller, endpoint=endpoint)]
            served = len(refusals) < len(Endpoint)
            assert served or any(isinstance(refused, NoAvailableUpstream) for refused in refusals), name
