"""The manifests: valid by Kubernetes' own schemas, and true to the image and the configuration they carry."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.config.load import parse
from gateway.core.settings import Config
from tests.conftest import KEY
from tests.deploy.conftest import ROOT

FOLDER = ROOT / "deploy/kubernetes"
OLDEST, NEWEST = "1.25", kubernetes_validate.latest_version()
NAME = {"app.kubernetes.io/name": "llm-gateway"}
CUT_AND_END = 15
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def document(path: Path) -> dict[str, Any]:
    [found] = list(yaml.safe_load_all(path.read_text()))
    assert isinstance(found, dict)
    return found


KUSTOMIZATION = document(FOLDER / "kustomization.yaml")
MANIFESTS = {path.name: document(path) for path in sorted(FOLDER.glob("*.yaml")) if path.name != "kustomization.yaml"}
EXAMPLE = MANIFESTS["secret.example.yaml"]
DEPLOYMENT = MANIFESTS["deployment.yaml"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
[CONTAINER] = POD["containers"]
AUTOSCALER = MANIFESTS["horizontalpodautoscaler.yaml"]["spec"]
ROUTES: str = MANIFESTS["configmap.yaml"]["data"]["routes.yaml"]


@pytest.fixture
def config() -> Config:
    environ = {"GATEWAY_API_KEY": KEY, "OPENAI_API_KEY": "x", "REDIS_URL": "rediss://user:password@redis:6379/0"}
    return parse(ROUTES.encode(), "routes.yaml", environ)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", MANIFESTS)
def test_it_is_valid(name: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def test_the_kustomization_is_all_of_them_but_the_example() -> None:
    assert sorted(KUSTOMIZATION["resources"]) == sorted(set(MANIFESTS) - {"secret.example.yaml"})
    assert [image["name"] for image in KUSTOMIZATION["images"]] == [CONTAINER["image"]]


def test_the_configuration_loads_without_a_warning(config: Config) -> None:
    assert config.warnings == ()
    assert config.store.url.startswith("rediss://")


def test_the_secret_has_every_variable_of_the_configuration_and_no_value() -> None:
    assert set(EXAMPLE["stringData"]) == set(re.findall(r"\$\{(\w+)\}", ROUTES))
    assert set(EXAMPLE["stringData"].values()) == {""}
    assert CONTAINER["envFrom"] == [{"secretRef": {"name": EXAMPLE["metadata"]["name"]}}]


def test_a_pod_has_the_time_to_drain(config: Config) -> None:
    [program, wait] = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    assert POD["terminationGracePeriodSeconds"] == int(wait) + config.server.drain_timeout + CUT_AND_END


def test_scaling_down_waits_for_the_drain() -> None:
    down = AUTOSCALER["behavior"]["scaleDown"]
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": POD["terminationGracePeriodSeconds"]}]


def test_the_share_of_a_gateway_without_redis_counts_every_pod_there_can_be(config: Config) -> None:
    assert config.store.replicas == AUTOSCALER["maxReplicas"] + DEPLOYMENT["strategy"]["rollingUpdate"]["maxSurge"]


def test_a_pod_has_a_cpu_for_each_worker(config: Config) -> None:
    assert int(CONTAINER["resources"]["requests"]["cpu"]) == config.server.workers
    assert "cpu" not in CONTAINER["resources"]["limits"]


def test_the_configuration_is_mounted_as_a_folder_so_that_an_edit_arrives() -> None:
    [mount] = [mount for mount in CONTAINER["volumeMounts"] if mount["name"] == "config"]
    assert set(mount) == {"name", "mountPath", "readOnly"}, "with subPath it would never change"
    assert f"ENV GATEWAY_CONFIG={mount['mountPath']}/routes.yaml" in DOCKERFILE
    [volume] = [volume for volume in POD["volumes"] if volume["name"] == "config"]
    assert volume["configMap"] == {"name": MANIFESTS["configmap.yaml"]["metadata"]["name"]}


def test_the_pod_runs_as_the_user_of_the_image_and_may_do_nothing() -> None:
    [user] = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    security = POD["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == int(user)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    [tmp] = [mount for mount in CONTAINER["volumeMounts"] if mount["mountPath"] == "/tmp"]
    assert [volume for volume in POD["volumes"] if volume["name"] == tmp["name"] and "emptyDir" in volume]
    assert POD["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("probe", "path"),
    [
        pytest.param("startupProbe", "/readyz", id="startup"),
        pytest.param("readinessProbe", "/readyz", id="readiness"),
        pytest.param("livenessProbe", "/healthz", id="liveness"),
    ],
)
def test_a_probe_asks_the_port_of_the_image(probe: str, path: str) -> None:
    assert CONTAINER[probe]["httpGet"] == {"path": path, "port": "http"}
    [port] = CONTAINER["ports"]
    assert port["name"] == "http"
    assert f"EXPOSE {port['containerPort']}\n" in DOCKERFILE
    annotations = DEPLOYMENT["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_everything_means_the_same_pods() -> None:
    assert DEPLOYMENT["template"]["metadata"]["labels"] == NAME
    assert DEPLOYMENT["selector"] == {"matchLabels": NAME}
    assert MANIFESTS["service.yaml"]["spec"]["selector"] == NAME
    assert MANIFESTS["poddisruptionbudget.yaml"]["spec"]["selector"] == {"matchLabels": NAME}
    assert MANIFESTS["networkpolicy.yaml"]["spec"]["podSelector"] == {"matchLabels": NAME}
    assert all(spread["labelSelector"] == {"matchLabels": NAME} for spread in POD["topologySpreadConstraints"])
    assert AUTOSCALER["scaleTargetRef"]["name"] == MANIFESTS["deployment.yaml"]["metadata"]["name"]


def test_a_rollout_never_has_fewer_pods_than_before() -> None:
    assert DEPLOYMENT["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert MANIFESTS["poddisruptionbudget.yaml"]["spec"]["maxUnavailable"] == 1
    assert AUTOSCALER["minReplicas"] >= 2
    assert "replicas" not in DEPLOYMENT, "the autoscaler sets them"
