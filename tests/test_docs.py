"""Nothing that users meet is undocumented: error codes, headers, metrics, log fields."""

import ast
import json
import re
from pathlib import Path

import pytest

from gateway.config.load import parse
from gateway.core import errors, fault
from gateway.core.call import Ask, Call, Caller, Endpoint
from gateway.core.limits import Limit
from gateway.core.outcome import AttemptResult, Outcome, Record, Usage
from gateway.core.route import Plan, Target
from gateway.edge.dispatch import ROUTES
from gateway.observe.metrics import Metrics
from gateway.observe.record_log import RecordLog
from gateway.wire.anthropic_openai.errors import error_type
from tests.flow.parts import MODELS

ROOT = Path(__file__).parent.parent
API = (ROOT / "docs/api.md").read_text()
METRICS = (ROOT / "docs/metrics.md").read_text()
HEADER = re.compile(r"(x-[a-z0-9-]+|retry-after(-ms)?|request-id|anthropic-[a-z]+)", re.IGNORECASE)


def classes(base: type[Exception]) -> list[type[Exception]]:
    return [base, *(found for child in base.__subclasses__() for found in classes(child))]


def strings() -> set[str]:
    """Every string constant of the gateway's own code, lists of headers taken apart."""
    found: set[str] = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        if "simulator" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(part.strip() for part in node.value.split(","))
    return found


@pytest.mark.parametrize("code", sorted({c.code for c in classes(errors.Refusal)}))  # type: ignore[attr-defined]
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in API


@pytest.mark.parametrize("code", sorted({c.code for c in classes(errors.Break)}))  # type: ignore[attr-defined]
def test_every_code_of_a_broken_stream_is_documented(code: str) -> None:
    assert f"`{code}`" in API + METRICS


@pytest.mark.parametrize("code", sorted({c.code for c in classes(fault.Fault)[1:]}))  # type: ignore[attr-defined]
def test_every_outcome_of_an_attempt_is_documented(code: str) -> None:
    assert f"`{code}`" in METRICS


@pytest.mark.parametrize("outcome", [outcome.value for outcome in Outcome])
def test_every_outcome_of_a_call_is_documented(outcome: str) -> None:
    assert f"`{outcome}`" in METRICS


@pytest.mark.parametrize("kind", classes(errors.Refusal))
def test_every_error_type_of_anthropic_is_documented_beside_its_status(kind: type[errors.Refusal]) -> None:
    """A row that names the code goes before the one that names the status."""
    rows = re.findall(r"^\| (.+) \| `(\w+)` \|$", API.partition("The types:")[2], re.MULTILINE)
    named = [told for cell, told in rows if f"`{kind.code}`" in cell]
    assert (named or [told for cell, told in rows if str(kind.status) in cell]) == [error_type(kind.status, kind.code)]


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_every_route_label_is_documented(endpoint: Endpoint) -> None:
    assert f"`{endpoint.value}`" in METRICS.partition("## Outcomes")[0]


def test_every_url_is_documented() -> None:
    assert [path for path, route in ROUTES.items() if f"`{route.method} {path}`" not in API] == []


def test_every_header_is_documented() -> None:
    headers = {text.lower() for text in strings() if HEADER.fullmatch(text)}
    foreign = {name for name in headers if name.startswith("x-stainless-")} | {
        "x-forwarded-for",
        "x-real-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "x-api-key",
        "x-goog-api-key",
    }
    assert len(headers) > 20
    assert [name for name in sorted(headers - foreign) if f"`{name}`" not in API.lower()] == []


def test_every_metric_is_documented() -> None:
    names = {sample.name for metric in Metrics().registry.collect() for sample in metric.samples or ()}
    declared = {metric.name + ("_total" if metric.type == "counter" else "") for metric in Metrics().registry.collect()}
    assert len(declared) > 15
    assert all(name.startswith("gateway_") for name in names | declared)
    assert [name for name in sorted(declared) if f"`{name}`" not in METRICS] == []


def test_no_metric_is_documented_that_does_not_exist() -> None:
    declared = {metric.name + ("_total" if metric.type == "counter" else "") for metric in Metrics().registry.collect()}
    assert set(re.findall(r"^\| `(gateway_\w+)`", METRICS, re.MULTILINE)) == declared


def test_every_log_field_is_documented() -> None:
    target = Target("one", "one", MODELS["one"])
    record = Record(
        Call("id", "id", Endpoint.CHAT, 0.0, "127.0.0.1", (), None, None, 0, ()),
        "v1",
        Caller("id", "name", ("*",)),
        Ask("one", {}),
        Plan("fast", None, None, (target,)),
        target,
        [AttemptResult(target, "ok", 0.1)],
        200,
        Outcome.OK,
        "code",
        Limit.REQUESTS,
        0.1,
        0.2,
        Usage(1, 1),
        1,
        notes=["note"],
    )
    lines: list[bytes] = []
    RecordLog(lines.append, 1).read(record)
    assert [name for name in json.loads(lines[0]) if f"`{name}`" not in METRICS] == []


def test_the_readmes_configuration_works() -> None:
    readme = (ROOT / "README.md").read_text()
    text, limits, shared = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    environ = {
        "GATEWAY_API_KEY": "sk-gw-" + "k" * 43,
        "OPENAI_API_KEY": "x",
        "ANTHROPIC_API_KEY": "x",
        "REDIS_URL": "redis://127.0.0.1",
    }
    assert len(text.splitlines()) == 12
    assert parse(text.encode(), "README.md", environ).warnings == ()
    limited = text[: text.index("keys:")] + limits + shared
    (caller,) = parse(limited.encode(), "README.md", environ).callers.values()
    assert caller.limits is not None
