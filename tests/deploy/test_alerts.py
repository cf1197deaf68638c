"""The alert rules, tried by Prometheus' own tool: each fires when it should, and not on a normal day."""

import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.catalogue import fault
from tests.deploy.conftest import ROOT
from tests.deploy.promql import grouped, unknown

OPERATIONS = (ROOT / "docs/operations.md").read_text()
[GROUP] = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"]
RULES: dict[str, Any] = {rule["alert"]: rule for rule in GROUP["rules"]}
CASES = [
    case
    for test in yaml.safe_load((ROOT / "deploy/alerts_test.yaml").read_text())["tests"]
    for case in test["alert_rule_test"]
]


@fault("P12")
def test_the_rules_do_what_their_tests_say(promtool: str) -> None:
    command = [promtool, "test", "rules", str(ROOT / "deploy/alerts_test.yaml")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", RULES)
def test_it_fires_in_one_test_and_is_silent_in_another(name: str) -> None:
    fires = [bool(case.get("exp_alerts")) for case in CASES if case["alertname"] == name]
    assert set(fires) == {True, False}


@pytest.mark.parametrize("name", RULES)
def test_it_asks_for_metrics_and_labels_that_there_are(name: str) -> None:
    rule = RULES[name]
    assert unknown(rule["expr"]) == set()
    shown = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert shown <= grouped(rule["expr"])


@pytest.mark.parametrize("name", RULES)
def test_it_says_how_urgent_it_is_and_what_to_do(name: str) -> None:
    rule = RULES[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}"
    assert re.search(rf"^### {name}$", OPERATIONS, re.MULTILINE)


def test_there_is_no_runbook_without_an_alert() -> None:
    assert set(re.findall(r"^### (Gateway\w+)$", OPERATIONS, re.MULTILINE)) == set(RULES)
