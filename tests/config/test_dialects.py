"""What a file may say of an upstream's API and of what its models can do."""

from typing import Any, get_args

import pytest

from gateway.config.load import parse
from gateway.config.rules import CREDENTIALS
from gateway.config.values import Dialect
from gateway.core.call import Capability, Endpoint, Kind
from gateway.core.route import ALL_CAPABILITIES, Model, Upstream
from gateway.wire.dialect import DIALECTS
from tests.config.files import faults_of, written
from tests.values import make_upstream


def upstreams(fields: str) -> str:
    return written(upstreams=f"{{u: {{base_url: http://a, {fields}}}}}")


def models(fields: str) -> str:
    return written(models=f"{{m: {{upstream: u, {fields}}}}}")


def upstream(fields: str) -> Upstream:
    return parse(upstreams(fields).encode(), "f", {}).routes.upstreams["u"]


def model(fields: str) -> Model:
    return parse(models(fields).encode(), "f", {}).routes.models["m"]


NAMES: tuple[str, ...] = get_args(Dialect)
VERSION = "api_version: '2024-10-21'"


class TestDialect:
    def test_it_is_openais_where_nothing_is_said(self) -> None:
        assert upstream("api_key: k").dialects == ("openai",)
        assert upstream("api_key: k").api_version is None

    @pytest.mark.parametrize("name", NAMES)
    def test_it_is_one_or_a_list_of_them(self, name: str) -> None:
        more = VERSION if name == "azure" else "api_key: k"
        assert upstream(f"dialect: {name}, {more}").dialects == (name,)
        assert upstream(f"dialect: [{name}], {more}").dialects == (name,)

    def test_a_list_is_in_the_order_of_the_file(self) -> None:
        assert upstream("dialect: [responses, openai]").dialects == ("responses", "openai")
        assert upstream("dialect: [openai, responses]").dialects == ("openai", "responses")

    def test_every_dialect_that_may_be_said_is_there(self) -> None:
        assert set(NAMES) == DIALECTS.keys() == CREDENTIALS.keys()

    @pytest.mark.parametrize(
        ("fields", "fault"),
        [
            pytest.param("dialect: opnai", "(did you mean 'openai'?)", id="misspelt"),
            pytest.param("dialect: [openai, antropic]", "(did you mean 'anthropic'?)", id="misspelt in a list"),
            pytest.param("dialect: bedrock", "must be 'openai', 'azure'", id="unknown"),
            pytest.param("dialect: 5", "f:1:46 upstreams.u.dialect", id="a number"),
            pytest.param("dialect: {a: b}", "f:1:46 upstreams.u.dialect", id="a mapping"),
            pytest.param("dialect: []", "f:1:46 upstreams.u.dialect", id="an empty list"),
            pytest.param("dialect: null", "f:1:46 upstreams.u.dialect", id="null"),
            pytest.param("dialect: [[openai]]", "f:1:47 upstreams.u.dialect[0]", id="a list in a list"),
        ],
    )
    def test_anything_else_is_a_fault(self, fields: str, fault: str) -> None:
        (found,) = faults_of(upstreams(fields))
        assert fault in found


class TestApiVersion:
    @pytest.mark.parametrize("version", ["2024-10-21", "2025-04-01-preview", "v1", "preview"])
    def test_one_is_a_text(self, version: str) -> None:
        assert upstream(f"dialect: azure, api_version: '{version}'").api_version == version

    @pytest.mark.parametrize("dialect", ["azure", "[azure]", "[openai, azure]"])
    def test_azure_needs_one(self, dialect: str) -> None:
        text = written(upstreams=f"\n  v: {{base_url: http://a}}\n  u:\n    base_url: http://a\n    dialect: {dialect}")
        assert faults_of(text) == ["f:4:5 upstreams.u: needs api_version: Azure does not answer without one"]

    @pytest.mark.parametrize("dialect", [name for name in NAMES if name != "azure"])
    def test_others_do_not(self, dialect: str) -> None:
        assert faults_of(upstreams(f"dialect: {dialect}")) == []

    @pytest.mark.parametrize("version", ["''", "'a b'", "'2024/10'", "'a&b=c'", "5", "[]", f"'{'1' * 65}'", "'ä'"])
    def test_anything_else_is_a_fault(self, version: str) -> None:
        (found,) = faults_of(upstreams(f"dialect: azure, api_version: {version}"))
        assert found.startswith("f:1:66 upstreams.u.api_version: must be ")


class TestCredentials:
    @pytest.mark.parametrize("dialect", NAMES)
    def test_the_header_that_is_told_is_the_one_that_is_sent(self, dialect: str) -> None:
        ((name, value),) = DIALECTS[dialect].credential(make_upstream(api_key="sk-upstream"))
        assert (name.lower(), value.removeprefix("Bearer ")) == (CREDENTIALS[dialect], "sk-upstream")
        assert DIALECTS[dialect].credential(make_upstream()) == ()

    @pytest.mark.parametrize("dialect", NAMES)
    def test_it_is_not_set_twice(self, dialect: str) -> None:
        for name in (CREDENTIALS[dialect], CREDENTIALS[dialect].title()):
            fields = f"{VERSION}, dialect: {dialect}, api_key: k, headers: {{{name}: x}}"
            (found,) = faults_of(upstreams(fields))
            assert found.endswith(f"upstreams.u.headers.{name}: is what api_key sets: use one of them")

    @pytest.mark.parametrize("dialect", NAMES)
    def test_one_of_another_dialect_is_a_header_like_any_other(self, dialect: str) -> None:
        for name in {*CREDENTIALS.values()} - {CREDENTIALS[dialect]}:
            assert faults_of(upstreams(f"{VERSION}, dialect: {dialect}, api_key: k, headers: {{{name}: x}}")) == []

    @pytest.mark.parametrize("dialect", NAMES)
    def test_it_may_be_set_by_hand_instead(self, dialect: str) -> None:
        assert faults_of(upstreams(f"{VERSION}, dialect: {dialect}, headers: {{{CREDENTIALS[dialect]}: x}}")) == []

    @pytest.mark.parametrize("name", ["authorization", "x-api-key"])
    def test_of_several_dialects_none_is_set_twice(self, name: str) -> None:
        (found,) = faults_of(upstreams(f"dialect: [openai, anthropic], api_key: k, headers: {{{name}: x}}"))
        assert "is what api_key sets" in found


class TestModels:
    def test_a_model_can_do_everything_where_nothing_is_said(self) -> None:
        assert model("name: x").capabilities == ALL_CAPABILITIES == frozenset(Capability)
        assert model("name: x").kind is Kind.CHAT

    @pytest.mark.parametrize(
        ("said", "found"),
        [
            pytest.param("[]", frozenset(), id="none"),
            pytest.param("[tools]", {Capability.TOOLS}, id="one"),
            pytest.param("[vision, audio]", {Capability.VISION, Capability.AUDIO}, id="two"),
            pytest.param("[tools, tools]", {Capability.TOOLS}, id="one twice"),
            pytest.param(f"[{', '.join(Capability)}]", ALL_CAPABILITIES, id="all"),
        ],
    )
    def test_capabilities_are_those_that_are_said(self, said: str, found: Any) -> None:
        assert model(f"capabilities: {said}").capabilities == found

    @pytest.mark.parametrize("kind", list(Kind))
    def test_a_kind_is_what_a_model_does(self, kind: Kind) -> None:
        assert model(f"kind: {kind}").kind is kind
        assert kind in {endpoint.kind for endpoint in Endpoint}

    @pytest.mark.parametrize(
        ("fields", "fault"),
        [
            pytest.param("capabilities: [tool]", "(did you mean 'tools'?)", id="misspelt capability"),
            pytest.param("capabilities: tools", "models.m.capabilities: must be a list", id="not a list"),
            pytest.param("capabilities: {tools: true}", "models.m.capabilities: must be a list", id="a mapping"),
            pytest.param("kind: embedding", "(did you mean 'embeddings'?)", id="misspelt kind"),
            pytest.param("kind: completions", "models.m.kind: must be", id="an endpoint that is no kind"),
        ],
    )
    def test_anything_else_is_a_fault(self, fields: str, fault: str) -> None:
        (found,) = faults_of(models(fields))
        assert fault in found
