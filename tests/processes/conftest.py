"""Configurations for several workers: they need a Redis, and simulated upstreams."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import closed_sockets  # noqa: F401 - a fixture
from tests.redis_server import RedisServer

Configure = Callable[..., Path]


@pytest.fixture(scope="package")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def configure(redis: RedisServer, tmp_path: Path, two_upstreams: str) -> Configure:
    """Writes the file: `two_upstreams` served by so many workers; more of `server:` may be given."""

    def write(workers: int = 2, listen: str = "127.0.0.1:0", drain_timeout: str = "20s") -> Path:
        _, rest = two_upstreams.split("\nupstreams:")
        file = tmp_path / "routes.yaml"
        file.write_text(
            f'server: {{listen: "{listen}", workers: {workers}, drain_timeout: {drain_timeout}}}\n'
            f'store: {{url: "{redis.url}"}}\nupstreams:{rest}'
        )
        return file

    return write
