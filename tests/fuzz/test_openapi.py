"""The document says what the code does: routes, error codes, headers; and its examples are valid."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.core.call import Endpoint
from gateway.core.errors import Break, ClientStalled, Refusal, StreamFailed, UpstreamRejected
from gateway.edge import cors
from gateway.edge.dispatch import ROUTES
from gateway.wire.anthropic_openai.errors import error_type
from gateway.wire.door import ANTHROPIC, DOORS
from tests.fuzz.document import DOCUMENT, codes, examples, nodes, operations, resolved, validator
from tests.test_docs import classes

RESPONSES: dict[str, dict[str, Any]] = DOCUMENT["components"]["responses"]
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]
STREAM_ERRORS = {
    Endpoint.CHAT: "StreamError",
    Endpoint.RESPONSES: "ResponsesStreamError",
    Endpoint.MESSAGES: "AnthropicStreamError",
}
# What holds for every URL.
UNLISTED = {"MethodNotAllowed": "405", "NoWebSocket": "426"}
EVERY = ("x-request-id", "x-gateway-config-version")


def test_every_route_is_a_path_of_the_document_and_every_path_a_route() -> None:
    served = {(path, route.method.lower()) for path, route in ROUTES.items()} | {
        ("/v1/models/{id}", "get"),
        ("/v1/responses/{id}", "get"),
        ("/v1/responses/{id}/cancel", "post"),
    }
    assert {(path, method) for path, method, _ in operations()} == served


def test_only_probes_and_what_operators_ask_need_no_key() -> None:
    without = {path for path, _, operation in operations() if operation.get("security") == []}
    assert without == {"/", "/healthz", "/readyz"} | {path for path, route in ROUTES.items() if route.for_operators}
    assert DOCUMENT["security"] == [{"bearer": []}, {"apiKey": []}]


def statuses() -> dict[str, set[str]]:
    """Name of a response -> the statuses it is listed under; one that is listed nowhere holds for every URL."""
    found: dict[str, set[str]] = {name: set() for name in RESPONSES}
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            if "$ref" in response:
                found[response["$ref"].rpartition("/")[2]].add(status)
    return found


def test_every_error_code_is_in_the_document_with_its_status_and_no_other_is() -> None:
    raised = {(str(kind.status), kind.code) for kind in classes(Refusal) if issubclass(kind, Refusal)}
    raised -= {(str(UpstreamRejected.status), UpstreamRejected.code)}
    told = {
        (status, code)
        for name, listed in statuses().items()
        for status in listed or {UNLISTED[name]}
        for code in codes(RESPONSES[name])
    }
    assert told == raised | {("4XX", "upstream_rejected")}


def test_every_code_of_a_broken_stream_is_in_the_document_and_no_other_is() -> None:
    # Not told: a client that stopped reading; and a provider's own error event is passed on as it is.
    told = {kind.code for kind in classes(Break) if issubclass(kind, Break)} - {ClientStalled.code, "upstream_error"}
    assert codes(SCHEMAS["StreamError"]) == codes(SCHEMAS["ResponsesStreamError"]) == told


@pytest.mark.parametrize(("endpoint", "name"), STREAM_ERRORS.items())
def test_a_broken_stream_ends_as_the_document_says(endpoint: Endpoint, name: str) -> None:
    for kind in classes(Break):
        if issubclass(kind, Break) and kind not in (ClientStalled, StreamFailed):
            data = DOORS[endpoint].error_event(kind()).partition(b"data: ")[2]
            validator(SCHEMAS[name]).validate(json.loads(data))


def test_every_error_in_anthropics_shape_is_as_the_document_says() -> None:
    kinds = [kind for kind in classes(Refusal) if issubclass(kind, Refusal) and kind is not UpstreamRejected]
    for kind in kinds:
        validator(SCHEMAS["AnthropicError"]).validate(json.loads(ANTHROPIC.error_body(kind(), "id")))
    told = {error_type(status, None) for status in range(400, 600)} | {error_type(k.status, k.code) for k in kinds}
    assert set(SCHEMAS["AnthropicErrorType"]["enum"]) == told


def test_every_answer_has_the_headers_that_all_have() -> None:
    answers = [
        *RESPONSES.values(),
        *(r for _, _, o in operations() for r in o["responses"].values() if "$ref" not in r),
    ]
    assert len(answers) > 20
    for answer in answers:
        assert {*EVERY} <= {name.lower() for name in answer["headers"]}, answer["description"]


def test_every_header_that_browsers_may_read_is_in_the_document() -> None:
    told = {
        name.lower() for _, node in nodes(DOCUMENT) if isinstance(node.get("headers"), dict) for name in node["headers"]
    }
    assert set(cors._EXPOSED.split(", ")) <= told


def test_nothing_is_defined_that_is_not_referred_to() -> None:
    text = str(DOCUMENT)
    for kind in ("parameters", "headers", "responses", "schemas"):
        unused = {name for name in DOCUMENT["components"][kind] if f"#/components/{kind}/{name}'" not in text}
        assert unused <= {*UNLISTED, "ChatChunk", *STREAM_ERRORS.values()}


def test_every_schema_is_valid_json_schema() -> None:
    schemas = [node["schema"] for _, node in nodes(DOCUMENT) if "schema" in node]
    for schema in [*schemas, *DOCUMENT["components"]["schemas"].values()]:
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere() -> None:
    references = [node for _, node in nodes(DOCUMENT) if "$ref" in node]
    assert len(references) > 100
    for reference in references:
        assert resolved(reference)


@pytest.mark.parametrize(("schema", "example"), [pytest.param(schema, each, id=at) for at, schema, each in examples()])
def test_every_example_is_valid(schema: dict[str, Any], example: object) -> None:
    validator(schema).validate(example)
