"""docs/operations.md: its numbers, links and expressions are those of the project."""

import re
from pathlib import Path

import pytest

from gateway.config.load import parse
from tests.conftest import KEY
from tests.deploy.conftest import ROOT
from tests.deploy.promql import family, faults, metrics, names, unknown

OPERATIONS = (ROOT / "docs/operations.md").read_text()
CUT_AND_END = 15
[BLOCK] = re.findall(r"^```promql\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
EXPRESSIONS = [*BLOCK.splitlines(), *(text for text in re.findall(r"`([^`\n]+)`", OPERATIONS) if "(gateway_" in text)]


def test_it_names_no_metric_that_there_is_not() -> None:
    assert names(OPERATIONS) - set(metrics()) - {family(name) for name in metrics()} == set()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_metrics_and_labels_that_there_are(expression: str) -> None:
    assert unknown(expression) == set()


def test_every_expression_can_be_asked(promtool: str, tmp_path: Path) -> None:
    assert faults(promtool, EXPRESSIONS, tmp_path) == ""


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", OPERATIONS)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_the_unit_waits_for_the_drain() -> None:
    minimal = f"""
upstreams: {{one: {{base_url: "http://127.0.0.1:1/v1"}}}}
models: {{m: {{upstream: one}}}}
keys: [{{name: k, key: {KEY}}}]
"""
    config = parse(minimal.encode(), "minimal.yaml", {})
    [wait] = re.findall(r"^TimeoutStopSec=(\d+)$", OPERATIONS, re.MULTILINE)
    assert int(wait) == config.server.drain_timeout + CUT_AND_END
