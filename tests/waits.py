"""How long calls wait for a store that is away, without what a busy machine adds to that."""

import asyncio
import contextlib
from collections.abc import Iterator

# The promise is 150 ms; the rest is for what else a test does.
EXTRA_WAIT = 0.15 + 0.35


@contextlib.contextmanager
def timed(waits: list[float], timeout: float) -> Iterator[None]:
    """Adds the seconds spent within to `waits`. Of what is beyond `timeout` only what a timer set now was not late."""
    loop = asyncio.get_running_loop()
    fired: list[float] = []
    began = loop.time()
    timer = loop.call_later(timeout, lambda: fired.append(loop.time()))
    try:
        yield
    finally:
        timer.cancel()
        now = loop.time()
        waits.append(timeout + now - fired[0] if fired else min(timeout, now - began))
