import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gateway.config.draft07 import json_schema
from tests.config.files import written

ROOT = Path(__file__).parents[2]
SCHEMA = json_schema()
EXAMPLE = (ROOT / "config/routes.yaml").read_text()
DOCUMENT = (ROOT / "docs/configuration.md").read_text()
TEN_LINES = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)[1]


def problems(text: str) -> list[str]:
    validator = jsonschema.Draft7Validator(SCHEMA)
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in (schema, *schema.get("definitions", {}).values()):
        yield from part.get("properties", {}).items()


FIELDS = sorted({name for name, _ in fields(SCHEMA)})


def test_the_kept_schema_is_the_one_that_the_code_has() -> None:
    assert json.loads((ROOT / "config/routes.schema.json").read_text()) == SCHEMA


def test_it_is_a_draft_07_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)
    assert "$defs" not in text
    assert '"null"' not in text


def test_every_field_has_a_description_and_no_mapping_takes_unknown_ones() -> None:
    assert [name for name, field in fields(SCHEMA) if not field.get("description")] == []
    for part in (SCHEMA, *SCHEMA["definitions"].values()):
        assert part["additionalProperties"] is False


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_documented_and_in_the_example(field: str) -> None:
    assert f"`{field}`" in DOCUMENT
    assert re.search(rf"^[^#]*\b{field}:", EXAMPLE, re.MULTILINE)


def test_the_example_names_its_schema_in_its_first_line() -> None:
    assert EXAMPLE.splitlines()[0] == "# yaml-language-server: $schema=./routes.schema.json"


@pytest.mark.parametrize("text", [EXAMPLE, TEN_LINES, written()], ids=["example", "ten lines", "flow"])
def test_what_loads_is_valid_by_the_schema(text: str) -> None:
    assert problems(text.replace("expires: 2027-12-31", 'expires: "2027-12-31"')) == []


@pytest.mark.parametrize(
    "field",
    [
        "server: {listen: '${A}', max_body_bytes: '${A}', body_timeout: '${A:-5s}', keep_alive_interval: '${A}'}",
        "server: {metrics_allow: ['${A}'], cors_origins: ['https://${A}']}",
        "server: {workers: '${A}', drain_timeout: '${A}'}",
        "store: {url: '${A}', on_error: '${A}', replicas: '${A}', timeout: '${A}', lease_ttl: '${A}'}",
        "limits: {l: {requests_per_minute: '${A}', token_burst: '${A}', budget: {usd: '${A}', period: '${A}'}}}",
        "model_defaults: {max_retries: '${A}'}",
        "upstreams: {u: {base_url: 'https://${A}/v1', dialect: '${A}', stream_usage: '${A}', max_connections: '${A}'}}",
        "models: {m: {upstream: '${A}', kind: '${A}', weight: '${A}', price: {input: '${A}'}, context_window: '${A}'}}",
        "keys: [{name: '${A}', sha256: '${A}', expires: '${A}', disabled: '${A}', models: ['${A}'], limits: '${A}'}]",
    ],
)
def test_a_variable_is_valid_in_every_field(field: str) -> None:
    section = field.partition(":")[0]
    rest = "".join(line + "\n" for line in written().splitlines() if not line.startswith(section))
    assert problems(rest + field) == []


@pytest.mark.parametrize(
    "more",
    [
        "servr: {}",
        "server: {body_timeout: 15}",
        "server: {listen: 80}",
        "server: {zzz: 1}",
        "tiers: {t: []}",
        "tiers: {t: [5]}",
        "aliases: {a b: m}",
        "server: {workers: many}",
        "store: {url: 'unix:///run/redis.sock'}",
        "limits: {l: {requests_per_minute: 0}}",
        "limits: {l: {budget: {usd: 5}}}",
    ],
)
def test_editors_see_what_is_wrong_with_a_field(more: str) -> None:
    assert problems(written(more=more))
