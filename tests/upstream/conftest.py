import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.simulator import Simulator
from gateway.state.timers import Wheel
from tests.upstream.bench import Bench

_SELF_SIGNED = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=upstream"
    " -keyout key.pem -out certificate.pem -addext subjectAltName=IP:127.0.0.1"
)


@pytest.fixture
def wheel() -> Wheel:
    return Wheel(100.0)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with `key.pem` beside it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(_SELF_SIGNED.split(), cwd=folder, check=True, capture_output=True)
    return folder / "certificate.pem"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Simulator() as simulator:
        yield Bench(simulator)
