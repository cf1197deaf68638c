"""Which metrics and labels there are, which an expression names, and whether Prometheus takes it."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import yaml
from prometheus_client.metrics import MetricWrapperBase

from gateway.observe.metrics import Metrics

SCRAPED = frozenset({"instance"})  # Prometheus' own, on every series
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
_MATCHERS = re.compile(r"\{([^{}]*)\}")
_GROUPS = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right) ?\(([^()]*)\)")


def metrics() -> dict[str, frozenset[str]]:
    """The name of each series -> its labels."""
    found = {}
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            [family] = metric.describe()
            for suffix in _SUFFIXES[family.type]:
                found[family.name + suffix] = frozenset(metric._labelnames) | ({"le"} if suffix == "_bucket" else set())
    return found


def family(name: str) -> str:
    """A histogram is one of its three series."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def names(text: str) -> set[str]:
    return set(re.findall(r"\bgateway_[a-z0-9_]+\b", text))


def grouped(expression: str) -> set[str]:
    """The labels that a result may have."""
    return {label for group in _GROUPS.findall(expression) for label in re.findall(r"\w+", group)}


def unknown(expression: str) -> set[str]:
    """Metrics that there are not, and labels that no metric of the expression has."""
    known = metrics()
    used = names(expression)
    labels = set(SCRAPED).union(*(known.get(name, ()) for name in used))
    matched = {label for text in _MATCHERS.findall(expression) for label in re.findall(r"(\w+) *(?:=|!=|=~|!~)", text)}
    return (used - set(known)) | ((grouped(expression) | matched) - labels)


def faults(promtool: str, expressions: Iterable[str], folder: Path) -> str:
    """What Prometheus' own parser says; nothing if it takes them all."""
    rules = [{"record": f"expression_{number}", "expr": text} for number, text in enumerate(expressions)]
    assert rules
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    found = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)
    return found.stdout + found.stderr if found.returncode else ""
