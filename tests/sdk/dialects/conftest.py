"""A gateway before a provider of every schema, and what its callers' tests have in common."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from gateway.simulator import Simulator
from tests.conftest import KEY, Gateway, StartGateway
from tests.sdk.upstreams import MODELS, Provider
from tests.sdk.upstreams.said import Heard

PROVIDERS = [pytest.param(name, id=f"{name} upstream") for name in MODELS]


@dataclass(frozen=True)
class House:
    gateway: Gateway
    simulators: dict[str, Simulator]
    providers: dict[str, Provider]

    @property
    def url(self) -> str:
        """Without `/v1`."""
        return self.gateway.url.removesuffix("/v1")

    def heard(self, provider: str) -> Heard:
        """What it was asked last."""
        return self.providers[provider].heard[-1]


def _routes(simulators: dict[str, Simulator]) -> str:
    upstreams = "".join(
        f'\n  {name}: {{base_url: "{simulator.url}", dialect: {name}, api_key: key-of-{name}}}'
        for name, simulator in simulators.items()
    )
    models = "".join(f'\n  "{name}/*": {{upstream: {name}, name: "*"}}' for name in simulators)
    return f"""
upstreams:{upstreams}
model_defaults: {{max_retries: 0}}
models:{models}
tiers:
  anywhere: [anthropic/status-529, gemini/status-503, responses/status-429, openai/gpt-5]
  abroad: [openai/status-500, responses/status-503, anthropic/status-529, gemini/gemini-3-flash]
  nowhere: [anthropic/status-529, gemini/status-503, openai/status-500]
keys:
  - {{name: tester, key: {KEY}}}
"""


@pytest.fixture
async def house(start_gateway: StartGateway) -> AsyncIterator[House]:
    providers = {name: Provider(name) for name in MODELS}
    async with AsyncExitStack() as stack:
        simulators = {
            name: await stack.enter_async_context(Simulator(provider, name=name))
            for name, provider in providers.items()
        }
        yield House(await start_gateway(_routes(simulators)), simulators, providers)
