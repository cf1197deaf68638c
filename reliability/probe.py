"""`python -m reliability.probe PORT SECONDS`: asks /healthz as a balancer does, and prints the p95 in ms.

A process of its own, so that what it measures is the gateway and not who loads it.
"""

import argparse
import asyncio
import sys
import time

from bench.tally import percentile
from reliability.client import ask, get

EVERY = 0.02
LATE = 10.0


async def _probe(port: int, seconds: float) -> list[float]:
    """Milliseconds, each on a connection of its own. A probe that fails, or takes longer, counts as `LATE`."""
    took: list[float] = []
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        try:
            async with asyncio.timeout(LATE):
                alive = (await ask(port, get("/healthz"))).status == 200
        except (OSError, EOFError, TimeoutError):
            alive = False
        took.append((time.monotonic() - began if alive else LATE) * 1000)
        await asyncio.sleep(EVERY)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability.probe")
    parser.add_argument("port", type=int)
    parser.add_argument("seconds", type=float)
    arguments = parser.parse_args()
    print(percentile(sorted(asyncio.run(_probe(arguments.port, arguments.seconds))), 95))
    return 0


if __name__ == "__main__":
    sys.exit(main())
