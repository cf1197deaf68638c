"""The command line: all promises, or those named. The only reader of the environment."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TypeVar

import uvloop

from bench.contestants import ROOT, redis_program
from bench.machine import describe
from bench.process import NotReady
from reliability.admission import admission
from reliability.leases import leases
from reliability.liveness import liveness
from reliability.outage import outage
from reliability.promise import Figure, Promise, Run
from reliability.redis_frozen import redis_frozen
from reliability.reloads import reloads
from reliability.rolling import rolling
from reliability.series import series
from reliability.slices import slices
from reliability.slow_clients import slow_clients
from reliability.soak import soak
from reliability.table import table
from reliability.truncation import truncation

T = TypeVar("T")

PROMISES: dict[str, Promise] = {
    "rolling": rolling,
    "reloads": reloads,
    "outage": outage,
    "slow-clients": slow_clients,
    "liveness": liveness,
    "series": series,
    "slices": slices,
    "truncation": truncation,
    "leases": leases,
    "admission": admission,
    "redis-frozen": redis_frozen,
    "soak": soak,
}
_WHOLE, _PART = ROOT / "reliability/results", ROOT / "build/reliability"

_EPILOG = """\
exit codes:
  0  every promise that was tried is kept
  1  one is broken, or could not be tried: see the end of the output
  2  the command line could not be understood, or this is not Linux with a redis-server
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    arguments = _parser().parse_args(argv)
    unknown = [name for name in arguments.names if name not in PROMISES]
    if unknown:
        print(f"reliability: no such promise: {', '.join(unknown)}", file=sys.stderr)
        return 2
    if sys.platform != "linux" or redis_program() is None:
        print("reliability: it reads /proc, and needs a redis-server", file=sys.stderr)
        return 2
    try:
        found = _run(_try(arguments.names or list(PROMISES), arguments.quick))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("reliability: stopped; nothing was written", file=sys.stderr)
        return 1
    text = table(found, describe(_environ()), quick=arguments.quick)
    folder: Path = arguments.output or (_PART if arguments.names or arguments.quick else _WHOLE)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(text)
    print(text)
    return 0 if all(figure.kept for figures in found.values() for figure in figures) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reliability",
        description="Tries what the gateway promises and takes longer than a test may, on real processes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(PROMISES)}")
    parser.add_argument("--quick", action="store_true", help="less of everything: some minutes in all")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="default: reliability/results, or build/reliability for a part or a quick run",
    )
    return parser


async def _try(names: Sequence[str], quick: bool) -> dict[str, list[Figure]]:
    """In turn. One that could not be tried is broken."""
    found: dict[str, list[Figure]] = {}
    for name in names:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
            run = Run(quick, Path(folder), _environ())
            try:
                found[name] = await PROMISES[name](run)
            except (NotReady, OSError, EOFError, TimeoutError) as error:
                found[name] = [Figure(f"{name} could be tried", str(error) or type(error).__name__, "yes", kept=False)]
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return found


def _run(work: Coroutine[None, None, T]) -> T:
    """SIGTERM ends it as SIGINT does: what was started is stopped."""

    async def until_done() -> T:
        loop = asyncio.get_running_loop()
        task = loop.create_task(work, name="reliability")
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(until_done())


def _environ() -> dict[str, str]:
    return dict(os.environ)  # noqa: TID251


if __name__ == "__main__":
    sys.exit(main())
