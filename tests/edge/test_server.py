"""aiohttp runs as it was told to, or not at all; and what it would log is not logged."""

import logging
from collections.abc import Iterator

import pytest

from gateway.config.load import parse
from gateway.edge.server import SENT, GatewayServer
from gateway.state.timers import Wheel
from tests.config.files import MODELS, written

CANARY = "sk-gw-canary-canary-canary-canary"
LOGGER = logging.getLogger("tests.server")


class Told(logging.Handler):
    """Every line, as it would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def told() -> Iterator[Told]:
    """By the server's logger, and to nobody else."""
    told = Told()
    LOGGER.addHandler(told)
    LOGGER.propagate = False
    yield told
    LOGGER.removeHandler(told)


@pytest.fixture
async def server(told: Told) -> GatewayServer:
    async def handle(_: object) -> object:
        return SENT

    config = parse(written(models=MODELS).encode(), "test.yaml", {})
    return GatewayServer(handle, config, Wheel(0.0), LOGGER)  # type: ignore[arg-type]


async def test_every_option_is_in_effect(server: GatewayServer) -> None:
    server.verify()


@pytest.mark.parametrize("option", ["lingering_time", "keepalive_timeout", "max_field_size"])
async def test_an_option_that_is_not_in_effect_ends_the_start(server: GatewayServer, option: str) -> None:
    server._kwargs[option] = 77
    with pytest.raises(RuntimeError):
        server.verify()


async def test_nor_does_it_start_where_clients_that_leave_cancel_nothing(server: GatewayServer) -> None:
    server.handler_cancellation = False
    with pytest.raises(RuntimeError):
        server.verify()


async def test_what_a_client_sent_is_not_logged(server: GatewayServer, told: Told) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        server().log_exception("Error handling request from %s", CANARY, exc_info=error)
    assert told.lines == ["a connection failed"]
