"""Sockets that tests leave open are closed after each; one configuration over all the dialects."""

from collections.abc import Iterator

import pytest

from gateway.simulator import Simulator
from tests.conftest import KEY
from tests.dialects.providers import CREDENTIAL, PROVIDERS
from tests.e2e.raw import RawClient


@pytest.fixture(autouse=True)
def closed_sockets() -> Iterator[None]:
    yield
    while RawClient.opened:
        RawClient.opened.pop().close()


@pytest.fixture
def routes(upstream: Simulator, second: Simulator) -> str:
    """Each dialect at both simulators: the models `anthropic`, `anthropic-2` …, and their tier `either-anthropic`.

    The file ends with its tiers.
    """
    upstreams, models = [], []
    for provider in PROVIDERS:
        for suffix, simulator in (("", upstream), ("-2", second)):
            name = provider.dialect + suffix
            spoken = f'dialect: {provider.dialect}, base_url: "{simulator.url}", api_key: {CREDENTIAL}'
            upstreams.append(f"  {name}: {{{spoken}}}")
            models.append(f'  {name}: {{upstream: {name}, name: "{provider.model}"}}')
    tiers = [f"  either-{one.dialect}: [{one.dialect}, {one.dialect}-2]" for one in PROVIDERS]
    lines = (
        'server: {listen: "127.0.0.1:0"}',
        "keys:",
        f"  - {{name: tester, key: {KEY}}}",
        "model_defaults: {max_retries: 0}",
        *("upstreams:", *upstreams),
        *("models:", *models),
        *("tiers:", *tiers),
    )
    return "\n".join(lines) + "\n"
