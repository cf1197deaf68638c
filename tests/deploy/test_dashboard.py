"""The Grafana dashboard: what its panels ask for can be asked, and is there."""

import json
import re
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.conftest import ROOT
from tests.deploy.promql import family, faults, grouped, metrics, names, unknown

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel.get("targets", ())]
COLUMNS = 24


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    place = panel["gridPos"]
    columns = range(place["x"], place["x"] + place["w"])
    return set(product(columns, range(place["y"], place["y"] + place["h"])))


@pytest.mark.parametrize("target", [pytest.param(target, id=f"{title} {target['refId']}") for title, target in TARGETS])
def test_a_panel_asks_for_metrics_and_labels_that_there_are(target: dict[str, Any]) -> None:
    expression = target["expr"]
    assert unknown(expression) == set()
    assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= grouped(expression) - {"le"}


def test_every_expression_can_be_asked(promtool: str, tmp_path: Path) -> None:
    expressions = [target["expr"].replace("$__rate_interval", "5m") for _, target in TARGETS]
    assert faults(promtool, expressions, tmp_path) == ""


def test_every_metric_is_on_it() -> None:
    shown = names(" ".join(target["expr"] for _, target in TARGETS))
    assert {family(name) for name in metrics()} - {family(name) for name in shown} == set()


def test_its_panels_have_a_place_of_their_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert all(x < COLUMNS for panel in PANELS for x, _ in cells(panel))
    assert [(a["title"], b["title"]) for a, b in combinations(PANELS, 2) if cells(a) & cells(b)] == []


def test_its_datasource_is_a_choice() -> None:
    [variable] = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    for panel in PANELS:
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
