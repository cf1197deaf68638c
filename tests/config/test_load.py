import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config.load import ConfigError, load, parse
from tests.catalogue import fault
from tests.config.files import KEY, faults_of, written
from tests.config.test_schema import TEN_LINES

EXAMPLE = Path(__file__).parents[2] / "config/routes.yaml"

TEN_FAULTS = """\
servr: {}
upstreams:
  openai: {base_url: "ftp://x", api_kye: x}
  openai: {base_url: "https://x"}
models:
  m: {upstream: opnai, timeout: 5}
  n: {upstream: openai, weight: 0}
tiers: {fast: [m, nn], n: [m]}
aliases: {a: b, b: a}
keys:
  - {name: k, key: short}
"""


def test_all_faults_of_a_file_are_reported_at_once() -> None:
    assert faults_of(TEN_FAULTS) == [
        "f:1:1 servr: is an unknown field (did you mean 'server'?)",
        "f:3:22 upstreams.openai.base_url: must be an http:// or https:// URL",
        "f:3:33 upstreams.openai.api_kye: is an unknown field (did you mean 'api_key'?)",
        "f:4:3 upstreams.openai: is a duplicate: it is already on line 3",
        "f:6:17 models.m.upstream: there is no upstream 'opnai' (did you mean 'openai'?)",
        "f:6:33 models.m.timeout: must be a duration with its unit, such as 500ms, 15s, 2m or 1h",
        "f:7:33 models.n.weight: must be greater than 0",
        "f:8:19 tiers.fast[1]: there is no model 'nn' (did you mean 'n'?)",
        "f:8:24 tiers.n: 'n' is already the name of a model, on line 7",
        "f:9:14 aliases.a: goes in a circle: a -> b -> a",
        "f:11:20 keys[0].key: must have at least 20 characters",
    ]


def test_ten_lines_are_enough() -> None:
    assert len(TEN_LINES.splitlines()) == 10
    config = parse(TEN_LINES.encode(), "f", {"OPENAI_API_KEY": "x", "GATEWAY_API_KEY": KEY})
    target = config.routes.target("gpt-5-mini")
    assert target is not None
    assert (target.upstream.host, target.upstream.port, target.upstream.base_path) == ("api.openai.com", 443, "/v1")
    assert (config.server.host, config.server.port, config.warnings) == ("127.0.0.1", 8080, ())


def test_the_example_loads_with_nothing_but_a_gateway_key() -> None:
    config = load(EXAMPLE, {"GATEWAY_API_KEY": KEY})
    assert [name for name, upstream in config.routes.upstreams.items() if not upstream.left_out] == ["ollama"]
    assert list(config.routes.tiers) == ["fast", "standard", "premium"]
    assert len(config.warnings) == 6


def test_the_example_has_no_warning_when_all_is_set() -> None:
    names = ("GATEWAY_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "AZURE_RESOURCE")
    config = load(EXAMPLE, dict.fromkeys((*names, "AZURE_OPENAI_API_KEY"), KEY))
    assert config.warnings == ()


def test_the_example_shows_the_defaults() -> None:
    shown = load(EXAMPLE, {"GATEWAY_API_KEY": KEY})
    unsaid = parse(written().encode(), "f", {})
    assert (shown.server, shown.store) == (unsaid.server, unsaid.store)
    plain = unsaid.routes.models["m"]
    haiku = shown.routes.models["claude-haiku-4-5"]
    for name in ("first_byte_timeout", "idle_timeout", "timeout", "max_retries", "weight", "kind"):
        assert getattr(haiku, name) == getattr(plain, name)


@fault("K02")
def test_a_file_cut_off_anywhere_loads_or_is_a_config_error() -> None:
    content = EXAMPLE.read_bytes()
    environ = {"GATEWAY_API_KEY": KEY}
    loadable = 0
    for length in range(0, len(content), 3):
        try:
            parse(content[:length], "f", environ)
        except ConfigError:
            continue
        loadable += 1
    assert loadable > 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nothing", "No such file or directory"), (".", "Is a directory")],
    ids=["missing", "directory"],
)
def test_a_file_that_cannot_be_opened_is_a_fault(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path / name}: cannot be read: {reason}$"):
        load(tmp_path / name, {})


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match=r"^/dev/zero: is larger than 33554432 bytes$"):
        load(Path("/dev/zero"), {})


def test_the_printed_error_has_one_line_for_each_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(TEN_FAULTS.encode(), "f", {})
    assert str(caught.value).splitlines() == [str(fault) for fault in caught.value.faults]
    assert caught.value.__context__ is None


def test_the_room_needs_nothing_but_core_yaml_and_pydantic() -> None:
    code = "import sys, gateway.config.load; print(*(m for m in sys.modules if m.startswith('gateway.')))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=EXAMPLE.parents[1]
    )
    assert {name.split(".")[1] for name in result.stdout.split()} == {"config", "core"}
    assert os.sep not in result.stderr
