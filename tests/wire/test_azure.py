import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Endpoint
from gateway.wire import azure
from gateway.wire.azure import Azure, OpaqueAzure
from gateway.wire.body import read_ask
from gateway.wire.dialect import DIALECTS
from tests.values import make_ask, make_call, make_target, make_upstream
from tests.wire.steady import steady

UPSTREAM = make_upstream(api_key="sk", api_version="2024-10-21", dialects=("azure",))
PATHS = {
    Endpoint.CHAT: "/chat/completions",
    Endpoint.RESPONSES: "/chat/completions",
    Endpoint.MESSAGES: "/chat/completions",
    Endpoint.COMPLETIONS: "/completions",
    Endpoint.EMBEDDINGS: "/embeddings",
    Endpoint.TRANSCRIPTIONS: "/audio/transcriptions",
    Endpoint.SPEECH: "/audio/speech",
    Endpoint.IMAGES: "/images/generations",
}


@pytest.mark.parametrize(("endpoint", "path"), [pytest.param(*item, id=item[0]) for item in PATHS.items()])
def test_the_deployment_is_in_the_path_and_the_version_in_the_query(endpoint: Endpoint, path: str) -> None:
    pair = DIALECTS["azure"].pairs[endpoint]
    there = pair.path(make_ask(), make_target("gpt", UPSTREAM, remote="my-gpt"))
    assert there == f"/openai/deployments/my-gpt{path}?api-version=2024-10-21"


@steady
@given(st.text(min_size=1).filter(lambda name: name.isprintable()), st.text())
@pytest.mark.parametrize("pair", [Azure("/chat/completions"), OpaqueAzure("/audio/speech")])
def test_no_name_gets_out_of_its_place(pair: Azure | OpaqueAzure, name: str, version: str) -> None:
    target = make_target("m", make_upstream(api_version=version), remote=name)
    there = urlsplit(pair.path(make_ask(), target))
    assert unquote(there.path.split("/")[3]) == name
    assert there.path.count("/") == 5
    assert parse_qs(there.query, keep_blank_values=True) == {"api-version": [version]}
    assert there.path.isascii()
    assert " " not in there.path + there.query


def test_the_key_has_a_header_of_its_own() -> None:
    assert azure.credential(UPSTREAM) == (("api-key", "sk"),)
    assert azure.credential(make_upstream()) == ()


def test_its_models_are_listed_beside_the_deployments() -> None:
    assert azure.models(UPSTREAM) == "/openai/models?api-version=2024-10-21"
    assert DIALECTS["azure"].models is azure.models


def test_the_body_is_openais() -> None:
    body = b'{"model":"gpt","messages":[{"role":"user"}],"temperature":1.0}'
    ask, target = read_ask(body, make_call(), ()), make_target("gpt", UPSTREAM)
    assert DIALECTS["azure"].pairs[Endpoint.CHAT].request(ask, target) == DIALECTS["openai"].pairs[
        Endpoint.CHAT
    ].request(ask, target)
    assert json.loads(DIALECTS["azure"].pairs[Endpoint.CHAT].request(ask, target).body)["model"] == "gpt"
