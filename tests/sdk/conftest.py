"""A gateway with everything that the SDKs' tests ask for."""

from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI

from tests.conftest import KEY, Gateway, StartGateway

NARROW, DISABLED = "sk-gw-" + "n" * 43, "sk-gw-" + "d" * 43


@pytest.fixture
async def gateway(start_gateway: StartGateway, two_upstreams: str) -> Gateway:
    models = """
  silent: {upstream: first, name: fault-silence, first_byte_timeout: 200ms}
  stalling: {upstream: first, name: fault-stall-mid, idle_timeout: 200ms}"""
    tiers = """
  broken: [first/fault-status-503, second/fault-status-503]
  limited: [first/fault-status-429, second/fault-status-429]
  shaky: [first/fail-first, second/fail-first]"""
    keys = f"""
  - {{name: narrow, key: {NARROW}, models: ["second/*"]}}
  - {{name: disabled, key: {DISABLED}, disabled: true}}
"""
    text = two_upstreams.replace("\ntiers:", f"{models}\ntiers:").replace("\ncomplexity:", f"{tiers}\ncomplexity:")
    return await start_gateway(text.rstrip() + keys)


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=KEY, base_url=gateway.url, max_retries=0) as client:
        yield client
