"""Which targets can take a call: by what their models can do, and by what their upstreams speak."""

import json
from random import Random
from typing import Any

import pytest

from gateway.core.call import Ask, Capability, Endpoint, Kind
from gateway.core.errors import ModelIncapable, ModelNotAllowed, ModelNotFound, NoAvailableUpstream, Refusal
from gateway.core.route import Exclusion, Model, Plan, Routes, Upstream
from gateway.flow.plan import Planner
from gateway.state.health import Health
from gateway.wire.body import read_ask
from gateway.wire.dialect import DIALECTS, spoken
from tests.values import make_ask, make_call, make_caller, make_model, make_target, make_upstream

TOOLS, VISION = Capability.TOOLS, Capability.VISION
NOW = 100.0


def upstream(*dialects: str, **fields: Any) -> Upstream:
    return make_upstream("-".join(dialects), dialects=dialects, **fields)


OPENAI, ANTHROPIC = upstream("openai"), upstream("anthropic")


def able(name: str, *capabilities: Capability, at: Upstream = OPENAI, **fields: Any) -> Model:
    return make_model(name, at, capabilities=frozenset(capabilities), **fields)


MODELS = (
    able("texts"),
    able("tools", TOOLS),
    able("eyes", TOOLS, VISION),
    make_model("all", OPENAI),
    make_model("claude", ANTHROPIC),
    make_model("embed", OPENAI, kind=Kind.EMBEDDINGS, capabilities=frozenset()),
    make_model("whisper", OPENAI, kind=Kind.TRANSCRIPTIONS),
    make_model("whisper-at-claude", ANTHROPIC, kind=Kind.TRANSCRIPTIONS),
    able("gone", TOOLS, at=make_upstream("absent", left_out="KEY is not set")),
    able("any/*", TOOLS, remote="*"),
    able("poor", fallbacks=("tools", "eyes")),
)
ROUTES = Routes(
    upstreams={model.upstream.name: model.upstream for model in MODELS},
    models={model.name: model for model in MODELS},
    tiers={
        "fast": (("texts",), ("tools",), ("eyes",)),
        "even": (("texts", "tools"), ("eyes",)),
        "blind": (("texts",), ("tools",)),
        "mixed": (("embed",), ("texts",)),
        "far": (("texts",), ("gone",)),
    },
    aliases={"gpt": "fast"},
    complexity={"medium": "fast"},
)


class Bench:
    def __init__(self) -> None:
        self.health = Health()
        self.planner = Planner(ROUTES, self.health, Random(7))

    def plan(self, ask: Ask, endpoint: Endpoint = Endpoint.CHAT, models: tuple[str, ...] = ("*",)) -> Plan:
        return self.planner.plan(make_call(endpoint=endpoint), ask, make_caller(models=models), NOW)

    def names(self, model: str, *needs: Capability) -> list[str]:
        return [target.name for target in self.plan(make_ask(model, needs=frozenset(needs))).targets]

    def refusal(self, model: str, *needs: Capability, **fields: Any) -> Refusal:
        with pytest.raises(Refusal) as raised:
            self.plan(make_ask(model, needs=frozenset(needs)), **fields)
        return raised.value


@pytest.fixture
def bench() -> Bench:
    return Bench()


class TestNeeds:
    @pytest.mark.parametrize(
        ("model", "needs", "names"),
        [
            pytest.param("fast", [], ["texts", "tools", "eyes"], id="nothing"),
            pytest.param("fast", [TOOLS], ["tools", "eyes"], id="one"),
            pytest.param("fast", [TOOLS, VISION], ["eyes"], id="two"),
            pytest.param("gpt", [VISION], ["eyes"], id="by an alias"),
            pytest.param("auto", [VISION], ["eyes"], id="auto"),
            pytest.param("even", [TOOLS], ["tools", "eyes"], id="of equals"),
            pytest.param("poor", [VISION], ["eyes"], id="of fallbacks"),
            pytest.param("any/thing", [TOOLS], ["any/thing"], id="under a wildcard"),
            pytest.param("all", list(Capability), ["all"], id="everything, where nothing is said"),
        ],
    )
    def test_only_those_that_can_are_asked(
        self, bench: Bench, model: str, needs: list[Capability], names: list[str]
    ) -> None:
        assert bench.names(model, *needs) == names

    def test_the_others_are_left_out_with_their_reason(self, bench: Bench) -> None:
        plan = bench.plan(make_ask("fast", needs=frozenset({VISION})))
        reasons = [(target.name, reason) for target, reason in plan.excluded]
        assert reasons == [("texts", Exclusion.INCAPABLE), ("tools", Exclusion.INCAPABLE)]

    def test_the_first_that_can_is_no_fallback(self, bench: Bench) -> None:
        plan = bench.plan(make_ask("fast", needs=frozenset({VISION})))
        assert plan.preferred is not None
        assert plan.preferred.name == "eyes"

    def test_a_choice_is_remembered_by_what_was_needed(self, bench: Bench) -> None:
        for _ in range(2):
            assert bench.names("fast") == ["texts", "tools", "eyes"]
            assert bench.names("fast", TOOLS) == ["tools", "eyes"]
            assert bench.names("fast", TOOLS, VISION) == ["eyes"]

    @pytest.mark.parametrize(
        ("model", "needs"),
        [
            pytest.param("texts", [TOOLS], id="one model"),
            pytest.param("blind", [VISION], id="a tier"),
            pytest.param("any/thing", [VISION], id="under a wildcard"),
            pytest.param("mixed", [TOOLS], id="a tier with another kind"),
        ],
    )
    def test_if_none_can_the_caller_is_told(self, bench: Bench, model: str, needs: list[Capability]) -> None:
        refusal = bench.refusal(model, *needs)
        assert isinstance(refusal, ModelIncapable)
        assert (refusal.status, refusal.code, refusal.param) == (400, "unsupported_by_model", "model")

    def test_what_a_key_may_not_use_does_not_show_what_it_could_do(self, bench: Bench) -> None:
        assert isinstance(bench.refusal("texts", TOOLS, models=("nothing",)), ModelNotAllowed)

    def test_one_that_could_and_is_away_is_worth_waiting_for(self, bench: Bench) -> None:
        assert isinstance(bench.refusal("far", TOOLS), NoAvailableUpstream)

    def test_one_that_could_and_is_ill_is_worth_waiting_for(self, bench: Bench) -> None:
        bench.health.cool(make_target("tools", OPENAI), NOW + 9)
        assert isinstance(bench.refusal("blind", TOOLS), NoAvailableUpstream)
        assert bench.names("blind") == ["texts"]

    def test_needs_are_read_of_the_body(self, bench: Bench) -> None:
        image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}
        body = json.dumps({"model": "fast", "messages": [image]}).encode()
        assert [target.name for target in bench.plan(read_ask(body, make_call(), ())).targets] == ["eyes"]


class TestStored:
    def test_each_upstream_is_asked_by_a_chat_model_of_its_own(self) -> None:
        there = upstream("responses")
        models = (make_model("embed", there, kind=Kind.EMBEDDINGS), make_model("gpt", there))
        routes = Routes({there.name: there}, {model.name: model for model in models}, {}, {}, {})
        ask = make_ask("", stored="resp_1")
        plan = Planner(routes, Health(), Random(7)).plan(make_call(endpoint=Endpoint.STORED), ask, make_caller(), NOW)
        assert [target.name for target in plan.targets] == ["gpt"]

    def test_a_key_for_a_name_under_a_wildcard_reaches_its_upstream(self) -> None:
        there = upstream("responses")
        routes = Routes({there.name: there}, {"gpt-*": make_model("gpt-*", there, remote="*")}, {}, {}, {})
        ask, caller = make_ask("", stored="resp_1"), make_caller(models=("gpt-4o",))
        plan = Planner(routes, Health(), Random(7)).plan(make_call(endpoint=Endpoint.STORED), ask, caller, NOW)
        assert [target.name for target in plan.targets] == ["gpt-4o"]


class TestKinds:
    @pytest.mark.parametrize(
        ("model", "endpoint"),
        [
            pytest.param("embed", Endpoint.CHAT, id="embeddings asked to chat"),
            pytest.param("all", Endpoint.EMBEDDINGS, id="a chat model asked for embeddings"),
            pytest.param("whisper", Endpoint.SPEECH, id="another kind of audio"),
            pytest.param("claude", Endpoint.COMPLETIONS, id="an API that it does not speak"),
            pytest.param("whisper-at-claude", Endpoint.TRANSCRIPTIONS, id="an upstream that does not speak of it"),
        ],
    )
    def test_a_model_of_another_kind_is_not_found(self, bench: Bench, model: str, endpoint: Endpoint) -> None:
        assert isinstance(bench.refusal(model, endpoint=endpoint), ModelNotFound)

    @pytest.mark.parametrize(
        ("model", "endpoint"),
        [
            pytest.param("embed", Endpoint.EMBEDDINGS, id="embeddings"),
            pytest.param("whisper", Endpoint.TRANSCRIPTIONS, id="transcriptions"),
            pytest.param("claude", Endpoint.CHAT, id="chat, translated"),
            pytest.param("claude", Endpoint.RESPONSES, id="responses, translated"),
            pytest.param("claude", Endpoint.MESSAGES, id="messages"),
            pytest.param("all", Endpoint.MESSAGES, id="messages, translated"),
            pytest.param("all", Endpoint.COUNT_TOKENS, id="count_tokens, estimated"),
            pytest.param("all", Endpoint.COMPLETIONS, id="completions"),
        ],
    )
    def test_one_of_the_endpoints_kind_is(self, bench: Bench, model: str, endpoint: Endpoint) -> None:
        assert [target.name for target in bench.plan(make_ask(model), endpoint).targets] == [model]


# What is spoken to an upstream of these dialects, by endpoint; None where it can't be asked.
SPOKEN: list[tuple[tuple[str, ...], Endpoint, str | None]] = [
    (("openai",), Endpoint.CHAT, "openai"),
    (("openai",), Endpoint.RESPONSES, "openai"),
    (("openai", "responses"), Endpoint.CHAT, "openai"),
    (("openai", "responses"), Endpoint.RESPONSES, "responses"),
    (("responses", "openai"), Endpoint.CHAT, "openai"),
    (("openai", "responses"), Endpoint.MESSAGES, "openai"),
    (("responses", "openai"), Endpoint.MESSAGES, "responses"),
    (("openai", "responses", "anthropic"), Endpoint.MESSAGES, "anthropic"),
    (("anthropic", "openai"), Endpoint.EMBEDDINGS, "openai"),
    (("anthropic",), Endpoint.EMBEDDINGS, None),
    (("gemini", "responses"), Endpoint.COMPLETIONS, None),
    (("azure",), Endpoint.SPEECH, "azure"),
    (("gemini",), Endpoint.RESPONSES, "gemini"),
    ((), Endpoint.CHAT, None),
]


@pytest.mark.parametrize(
    ("dialects", "endpoint", "name"),
    [pytest.param(*row, id=f"{row[1]} to {'+'.join(row[0]) or 'none'}") for row in SPOKEN],
)
def test_an_upstream_is_spoken_to_as_the_caller_speaks_or_else_in_its_first(
    dialects: tuple[str, ...], endpoint: Endpoint, name: str | None
) -> None:
    assert spoken(dialects, endpoint) is (None if name is None else DIALECTS[name])


@pytest.mark.parametrize("endpoint", [Endpoint.CHAT, Endpoint.MESSAGES, Endpoint.RESPONSES, Endpoint.COUNT_TOKENS])
@pytest.mark.parametrize("name", list(DIALECTS))
def test_every_caller_of_a_chat_model_gets_at_every_upstream(name: str, endpoint: Endpoint) -> None:
    assert spoken((name,), endpoint) is DIALECTS[name]
