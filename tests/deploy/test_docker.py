"""What the image says, held against the project; no engine is needed."""

import re

import pytest

from tests.deploy.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
MOUNTED = "/etc/gateway/routes.yaml"


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
