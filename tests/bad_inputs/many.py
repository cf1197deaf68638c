"""The same again and again, on one connection, and what that leaves in the metrics."""

import asyncio
from collections.abc import Iterable

from tests.conftest import Gateway
from tests.e2e.answers import get
from tests.e2e.raw import RawClient


async def pipelined(gateway: Gateway, requests: Iterable[bytes]) -> bytes:
    """All answers; the last of the requests has to end the connection."""
    client = RawClient(gateway.port)
    await client.send(b"")
    sender = asyncio.get_running_loop().create_task(client.send(b"".join(requests)), name="sender")
    try:
        answers, _ = await client.rest()
    finally:
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)
    return answers


async def series(gateway: Gateway) -> set[str]:
    """With their labels."""
    text = (await get(gateway, "/metrics")).body.decode()
    return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}
