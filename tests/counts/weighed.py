"""`gateway serve`, which tells on SIGUSR1 what the calls so far have left behind.

As a program: `python -m tests.counts.weighed FILE`, a configuration file.
"""

import asyncio
import gc
import signal
import sys
from collections import Counter
from pathlib import Path

import structlog

from gateway.app import App
from gateway.config.load import load
from gateway.worker import run, serve

log = structlog.get_logger()


def weigh(app: App) -> None:
    """`cycles`: the kinds of objects that only the collector found. `blocks`: of memory in use, all of Python's."""
    app.recorder.flush()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    cycles = Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.garbage)
    gc.garbage.clear()
    gc.collect()
    log.info("weighed", cycles=cycles, blocks=sys.getallocatedblocks())


def prepare(app: App) -> None:
    gc.disable()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, weigh, app)


if __name__ == "__main__":
    run(serve(load(Path(sys.argv[1]), {}), prepare))
