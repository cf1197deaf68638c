"""What the compose file says, held against the configuration and the real redis-server; no engine is needed."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config.load import parse
from gateway.core.call import Ask, Endpoint
from gateway.core.settings import Config
from gateway.explain import explain
from tests.conftest import KEY
from tests.deploy.conftest import ROOT
from tests.redis_server import RedisServer

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
GATEWAY, NGINX, REDIS = SERVICES["gateway"], SERVICES["nginx"], SERVICES["redis"]
GATEWAYS_CONF = (ROOT / "deploy/gateways.compose.conf").read_text()
CUT_AND_END = 15


def seconds(text: str) -> int:
    assert re.fullmatch(r"\d+s", text)
    return int(text[:-1])


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """What of this repository is mounted where, all of it read-only."""
    found = {}
    for volume in service["volumes"]:
        source, target, mode = volume.split(":")
        assert mode == "ro"
        found[target] = ROOT / source
    return found


@pytest.fixture
def config() -> Config:
    [(folder, source)] = mounts(GATEWAY).items()
    path = source / Path(GATEWAY["environment"]["GATEWAY_CONFIG"]).relative_to(folder)
    environ = {"GATEWAY_API_KEY": KEY, "REDIS_URL": GATEWAY["environment"]["REDIS_URL"]}
    return parse(path.read_bytes(), path.name, environ)


def test_the_mounted_configuration_loads_and_serves_its_tiers(config: Config) -> None:
    assert config.warnings == ()
    for model in ("fast", "standard", "premium", "auto", "shaky"):
        text, served = explain(config, Ask(model, {}), Endpoint.CHAT, "default")
        assert served, text


def test_its_upstream_is_the_service_that_is_started(config: Config) -> None:
    [upstream] = config.routes.upstreams.values()
    command = SERVICES[upstream.host]["command"]
    assert command[command.index("--port") + 1] == str(upstream.port)
    assert command[:3] == ["python", "-m", "gateway.simulator"]


def test_the_gateways_share_their_limits_and_know_how_many_they_are(config: Config) -> None:
    assert config.store.url == "redis://redis:6379/0"
    assert config.store.replicas == GATEWAY["deploy"]["replicas"] == 2
    assert all(caller.limits is not None for caller in config.callers.values())


def test_nothing_starts_without_a_key_of_the_operator() -> None:
    assert GATEWAY["environment"]["GATEWAY_API_KEY"].startswith("${GATEWAY_API_KEY:?")


def test_only_nginx_is_published_and_on_loopback_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"nginx": ["127.0.0.1:8080:80"]}


def test_nothing_but_the_gateways_reaches_redis() -> None:
    assert COMPOSE["networks"]["store"]["internal"] is True
    members = [name for name, service in SERVICES.items() if "store" in service.get("networks", ())]
    assert members == ["gateway", "redis"]
    assert REDIS["networks"] == ["store"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_read_only_and_may_do_nothing(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "build" in service or service["user"] not in ("root", "0"), "our own image says so itself"


@pytest.mark.parametrize("name", ["gateway", "nginx"])
def test_a_drain_is_never_cut_short(name: str, config: Config) -> None:
    assert seconds(SERVICES[name]["stop_grace_period"]) >= config.server.drain_timeout + CUT_AND_END


def test_nginx_finds_every_replica_by_the_name_of_the_service() -> None:
    assert mounts(NGINX) == {
        "/etc/nginx/nginx.conf": ROOT / "deploy/nginx.conf",
        "/etc/nginx/gateways.conf": ROOT / "deploy/gateways.compose.conf",
    }
    [line] = re.findall(r"^server (.*);", GATEWAYS_CONF, re.MULTILINE)
    [own] = re.findall(r"^server (.*);", (ROOT / "deploy/gateways.conf").read_text(), re.MULTILINE)
    assert line == own.replace("127.0.0.1:8080", "gateway:8080 resolve")
    assert "EXPOSE 8080" in (ROOT / "Dockerfile").read_text()


def test_its_image_can_look_names_up_again() -> None:
    """`resolve` came to the free nginx with 1.27.3; it needs a zone and a resolver."""
    [version] = re.findall(r"^nginx:(\d+)\.(\d+)-alpine$", NGINX["image"])
    assert tuple(map(int, version)) >= (1, 28)
    assert re.search(r"^zone \w+ \d+k;$", GATEWAYS_CONF, re.MULTILINE)
    assert re.search(r"^resolver 127\.0\.0\.11 ", GATEWAYS_CONF, re.MULTILINE)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """With the options of the compose file."""
    program, *words = shlex.split(REDIS["command"])
    assert program == "redis-server"
    names, values = words[::2], words[1::2]
    options = {name.removeprefix("--").replace("-", "_"): value for name, value in zip(names, values, strict=True)}
    server = RedisServer(tmp_path, **options)
    server.start()
    yield server
    server.stop()


async def test_redis_takes_its_options_and_forgets_nothing_over_a_restart(redis_server: RedisServer) -> None:
    found = await redis_server.ask("CONFIG", "GET", "*")
    settings = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
    assert settings["maxmemory-policy"] == "noeviction"
    assert int(settings["maxmemory"]) == 256 * 2**20
    assert (settings["appendonly"], settings["appendfsync"], settings["save"]) == ("yes", "everysec", "")
    await redis_server.ask("SET", "spend", "1")
    redis_server.restart()
    assert await redis_server.ask("GET", "spend") == "1"


def test_its_health_is_asked_with_a_command_that_fails_on_an_error_reply(redis_server: RedisServer) -> None:
    cli = shutil.which("redis-cli")
    assert cli is not None, "it comes with redis-server"
    how, program, *words = REDIS["healthcheck"]["test"]
    assert (how, program) == ("CMD", "redis-cli")

    def ask(*more: str) -> int:
        command = [cli, "-p", str(redis_server.port), *words, *more]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert ask() == 0
    assert ask("too", "many") != 0
