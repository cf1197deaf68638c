"""The front door under what the document allows and what it does not: no 5xx, no undocumented answer.

Schemathesis makes the requests and judges the answers; it is called from here, not as pytest's plugin (pyproject.toml).
"""

import asyncio
import copy
import json
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

from gateway.simulator import Request, Simulator, Step, event, json_answer, sse_answer
from tests.conftest import KEY, Gateway, StartGateway
from tests.fuzz.document import DOCUMENT, operations

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 40
NAMES = ["fast", "auto", "gpt-4o-mini", "first/x", "embed"]


def narrowed() -> dict[str, Any]:
    """The document with the names that the gateway under test knows, or hardly any request would get past its model."""
    document = copy.deepcopy(DOCUMENT)
    document["components"]["schemas"]["ModelAsked"] = {"enum": NAMES}
    document["components"]["parameters"]["Provider"]["schema"] = {"enum": ["first", "second"]}
    return document


def takes_anything(request: Request) -> list[Step]:
    """A provider that judges nothing: what the answers show is the gateway's own judgement."""
    if request.method == "POST" and json.loads(request.body).get("stream"):
        return sse_answer([event({"choices": [{"delta": {}, "finish_reason": "stop"}]})])
    return json_answer(200, {"choices": []})


@pytest.fixture
async def gateway(start_gateway: StartGateway, two_upstreams: str, upstream: Simulator, second: Simulator) -> Gateway:
    upstream.script = second.script = takes_anything
    return await start_gateway(two_upstreams)


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


def fuzz(url: str, path: str, method: str, mode: GenerationMode) -> int:
    """Sends its examples, and judges each answer; gives back how many there were."""
    check = positive_data_acceptance if mode is GenerationMode.POSITIVE else negative_data_rejection
    operation = schemathesis.openapi.from_dict(narrowed())[path][method]
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
        answer = case.call(base_url=url, headers={"Authorization": f"Bearer {KEY}", "x-api-key": KEY})
        case.validate_response(answer, checks=[*CHECKS, check])

    send()
    return sent


# Of a request without a body nothing can be wrong but its key.
FUZZED = [(path, method, GenerationMode.POSITIVE) for path, method, _ in operations()]
FUZZED += [(path, "post", GenerationMode.NEGATIVE) for path, _, operation in operations() if "requestBody" in operation]


@pytest.mark.parametrize(("path", "method", "mode"), FUZZED)
async def test_every_answer_is_in_the_document(gateway: Gateway, path: str, method: str, mode: GenerationMode) -> None:
    url = gateway.url.removesuffix("/v1")
    assert await asyncio.to_thread(fuzz, url, path, method, mode)
