"""What llama.cpp's server says of its slots: each generates one answer at a time."""

import asyncio
import json
import urllib.request
from typing import Any


async def is_busy(url: str) -> bool:
    """Whether any slot generates."""

    def slots() -> list[dict[str, Any]]:
        with urllib.request.urlopen(url.removesuffix("/v1") + "/slots", timeout=10) as answer:
            return json.load(answer)

    return any(slot["is_processing"] for slot in await asyncio.to_thread(slots))


async def until_idle(url: str) -> None:
    async with asyncio.timeout(10):
        while await is_busy(url):
            await asyncio.sleep(0.01)
