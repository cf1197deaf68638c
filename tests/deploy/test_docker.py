"""What the image and the compose file say, held against the project; no engine is needed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config.load import parse
from gateway.core.call import Ask, Endpoint
from gateway.explain import explain
from tests.conftest import KEY
from tests.deploy.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
GATEWAY = COMPOSE["services"]["gateway"]
MOUNTED = "/etc/gateway/routes.yaml"


def _mounted_config() -> Path:
    [volume] = GATEWAY["volumes"]
    source, target, mode = volume.split(":")
    assert (target, mode) == (MOUNTED, "ro")
    return ROOT / str(source)


def test_the_mounted_configuration_loads_and_serves_its_tiers() -> None:
    path = _mounted_config()
    config = parse(path.read_bytes(), str(path), {"GATEWAY_API_KEY": KEY})
    assert config.warnings == ()
    for model in ("fast", "standard", "premium", "auto", "shaky"):
        text, served = explain(config, Ask(model, {}), Endpoint.CHAT, "default")
        assert served, text


def test_its_upstream_is_the_service_that_the_compose_file_starts() -> None:
    config = parse(_mounted_config().read_bytes(), "compose.yaml", {"GATEWAY_API_KEY": KEY})
    [upstream] = config.routes.upstreams.values()
    command = COMPOSE["services"][upstream.host]["command"]
    assert command[command.index("--port") + 1] == str(upstream.port)
    assert command[:3] == ["python", "-m", "gateway.simulator"]


def test_compose_refuses_to_start_without_a_key_of_the_operator() -> None:
    assert GATEWAY["environment"]["GATEWAY_API_KEY"].startswith("${GATEWAY_API_KEY:?")


def test_compose_publishes_on_loopback_only() -> None:
    assert [port for port in GATEWAY["ports"] if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(r"RUN pip install --require-hashes --requirement requirements\.lock", id="locked"),
        pytest.param(r"USER [1-9]\d*", id="not root"),
        pytest.param(rf"ENV GATEWAY_CONFIG={MOUNTED}", id="where the configuration is mounted"),
        pytest.param(r'CMD \["gateway", "serve", "--listen", "0\.0\.0\.0:8080"\]', id="serves"),
        pytest.param(r'    CMD \["gateway", "healthcheck", "--listen", "127\.0\.0\.1:8080"\]', id="healthcheck"),
    ],
)
def test_the_image_says(line: str) -> None:
    assert re.search(rf"^{line}$", DOCKERFILE, re.MULTILINE)


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == kept
    assert [name for name in copied if not (ROOT / name).exists()] == []
