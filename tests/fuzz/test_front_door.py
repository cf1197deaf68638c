"""The front door under what the document allows and what it does not: no 5xx, no undocumented answer.

Schemathesis makes the requests and judges the answers; it is called from here, not as pytest's plugin (pyproject.toml).
"""

import asyncio
import copy
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.flow.plan import COMPLEXITIES
from gateway.simulator import Simulator
from tests.conftest import KEY, Gateway, StartGateway
from tests.fuzz.document import DOCUMENT, operations
from tests.fuzz.provider import takes_anything

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 15
# Of a path, names whose upstream speaks the caller's own API, so that what is in the body is not looked at; the last of
# several does not serve it.
NAMES = {
    "/v1/chat/completions": ["fast", "auto", "gpt-4o-mini", "first/x", "embed"],
    "/v1/completions": ["fast", "first/x", "claude"],
    "/v1/responses": ["responder"],
    "/v1/messages": ["claude"],
    "/v1/messages/count_tokens": ["claude", "fast"],
    "/v1/embeddings": ["embed", "fast"],
    "/v1/audio/transcriptions": ["transcriber"],
    "/v1/audio/speech": ["speaker"],
    "/v1/images/generations": ["painter"],
    "/v1/moderations": ["moderator"],
}
# Names whose upstream speaks another one: a body that is no good may be refused.
OTHERS = {
    "/v1/chat/completions": ["claude", "gemini", "responder"],
    "/v1/responses": ["fast", "claude", "gemini"],
    "/v1/messages": ["fast", "gemini", "responder"],
}
MODELS = """
  claude: {upstream: claude}
  gemini: {upstream: gemini}
  responder: {upstream: responder}
  transcriber: {upstream: first, kind: transcriptions}
  speaker: {upstream: first, kind: speech}
  painter: {upstream: first, kind: images}
  moderator: {upstream: first, kind: moderations}
"""


def narrowed(names: list[str]) -> dict[str, Any]:
    """The document with the names that the gateway under test knows, or hardly any request would get past its model."""
    document = copy.deepcopy(DOCUMENT)
    document["components"]["schemas"]["ModelAsked"] = {"enum": names}
    document["components"]["parameters"]["Provider"]["schema"] = {"enum": ["first", "second"]}
    return document


@pytest.fixture
async def gateway(start_gateway: StartGateway, two_upstreams: str, upstream: Simulator, second: Simulator) -> Gateway:
    upstream.script = second.script = takes_anything
    others = "".join(
        f'  {name}: {{base_url: "{upstream.url}", dialect: {dialect}}}\n'
        for name, dialect in (("claude", "anthropic"), ("gemini", "gemini"), ("responder", "responses"))
    )
    text = two_upstreams.replace("model_defaults:", f"{others}model_defaults:", 1)
    return await start_gateway(text.replace("tiers:", f"{MODELS.strip(chr(10))}\ntiers:", 1))


def whole(value: Any) -> Any:
    """JSON Schema takes `7.0` for an integer, the gateway does not (docs/openapi.yaml says so)."""
    match value:
        case dict():
            return {name: whole(child) for name, child in value.items()}
        case list():
            return [whole(child) for child in value]
        case float() if value.is_integer():
            return int(value)
    return value


def speaks_as_the_caller(path: str, case: Case[Any], answer: Any) -> None:
    """Which of the two shapes an error has, and whose name the request's id."""
    named = "anthropic-version" in (case.headers or {})
    as_anthropic = path.startswith("/v1/messages") or (path not in NAMES and named)
    assert ("request-id" in answer.headers) == as_anthropic
    if answer.status_code >= 400 and "text/plain" not in answer.headers["content-type"][0]:
        assert (answer.json().get("type") == "error") == as_anthropic


def fuzz(url: str, path: str, method: str, mode: GenerationMode, names: list[str]) -> int:
    """Sends its examples, and judges each answer; gives back how many there were."""
    checks = list(CHECKS)
    if mode is GenerationMode.NEGATIVE:
        checks.append(negative_data_rejection)
    elif names != OTHERS.get(path):
        checks.append(positive_data_acceptance)
    operation = schemathesis.openapi.from_dict(narrowed(names))[path][method]
    sent = 0

    @seed(0)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Case[Any]) -> None:
        nonlocal sent
        sent += 1
        if mode is GenerationMode.POSITIVE:
            case.body = whole(case.body)
        elif case.headers.get("X-Complexity") in COMPLEXITIES:
            del case.headers["X-Complexity"]  # it goes before the body's, which nobody would look at
        answer = case.call(base_url=url, headers={"Authorization": f"Bearer {KEY}", "x-api-key": KEY})
        case.validate_response(answer, checks=checks)
        speaks_as_the_caller(path, case, answer)

    send()
    return sent


# Of a request without a body nothing can be wrong but its key.
FUZZED = [(path, method, GenerationMode.POSITIVE, NAMES.get(path, [])) for path, method, _ in operations()]
FUZZED += [(path, "post", GenerationMode.NEGATIVE, NAMES[path]) for path, _, o in operations() if "requestBody" in o]
FUZZED += [(path, "post", GenerationMode.POSITIVE, names) for path, names in OTHERS.items()]


@pytest.mark.parametrize(("path", "method", "mode", "names"), FUZZED)
async def test_every_answer_is_in_the_document(
    gateway: Gateway, path: str, method: str, mode: GenerationMode, names: list[str]
) -> None:
    url = gateway.url.removesuffix("/v1")
    assert await asyncio.to_thread(fuzz, url, path, method, mode, names or ["fast"])
