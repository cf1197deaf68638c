"""The command line: the whole benchmark, or a comparison of two checkouts. The only reader of the environment."""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import uvloop

from bench import benchmark, comparison
from bench.contestants import ROOT
from bench.plots import draw
from bench.process import NotReady
from bench.report import table
from bench.results import Results
from bench.scenarios import scenarios

T = TypeVar("T")

_WHOLE, _PART = ROOT / "bench/results", ROOT / "build/bench"
_BEGUN = time.monotonic()

_EPILOG = """\
exit codes:
  0  measured; whether the goals were met is in the table
  1  something that was measured died or answered wrongly: see the end of the output
  2  the command line could not be understood, or this is not Linux
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    arguments = _parser().parse_args(argv)
    if sys.platform != "linux":
        print("bench: CPU and memory are read from /proc, so it runs on Linux only", file=sys.stderr)
        return 2
    try:
        code: int = arguments.run(arguments)
    except NotReady as fault:
        print(f"bench: FAILED: {fault}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("bench: stopped; nothing was written", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="What the gateway costs beside the upstream asked directly, nginx, and a bare aiohttp proxy.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = list(dict.fromkeys(scenario.name for scenario in scenarios()))
    parser.set_defaults(run=_benchmark)
    parser.add_argument("--quick", action="store_true", help="a smoke run of some seconds; its figures mean nothing")
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of each scenario's own, nine for most")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help=f"begins so; may be repeated: {', '.join(names)}"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="default: bench/results, or build/bench for a part or a smoke run"
    )
    commands = parser.add_subparsers(metavar="COMMAND")
    text = "Measure the gateway of this checkout against that of another, in turn, and print the median ratio."
    compare = commands.add_parser("compare", help=text, description=text)
    compare.set_defaults(run=_compare)
    compare.add_argument("--against", type=Path, required=True, metavar="PATH", help="the folder that holds `gateway/`")
    compare.add_argument("--scenario", choices=comparison.LOADS, default="streams", help="default: %(default)s")
    compare.add_argument("--rounds", type=int, default=9, metavar="N", help="default: %(default)s")
    report = commands.add_parser("report", help="Write the table and the plots of results.json anew.")
    report.set_defaults(run=_report)
    return parser


def _benchmark(arguments: argparse.Namespace) -> int:
    choice = benchmark.Choice(tuple(arguments.only), arguments.quick, arguments.rounds)
    results = _run(benchmark.run(choice, _environ(), _say))
    folder: Path = arguments.output or (_PART if arguments.only or arguments.quick else _WHOLE)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    _write(results, folder)
    for failure in results.failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if results.failures else 0


def _report(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.output or _WHOLE
    _write(msgspec.json.decode((folder / "results.json").read_bytes(), type=Results), folder)
    return 0


def _write(results: Results, folder: Path) -> None:
    text = table(results)
    (folder / "table.md").write_text(text)
    draw(results, folder)
    print(text)


def _compare(arguments: argparse.Namespace) -> int:
    if not (arguments.against / "gateway").is_dir():
        print(f"bench: there is no gateway/ in {arguments.against}", file=sys.stderr)
        return 2
    contest = comparison.Contest(arguments.against.resolve(), arguments.scenario, arguments.rounds)
    text, failures = _run(comparison.run(contest, _environ(), _say))
    print(text)
    return 1 if failures else 0


def _run(work: Coroutine[None, None, T]) -> T:
    """SIGTERM ends it as SIGINT does: what was started is stopped."""

    async def until_done() -> T:
        loop = asyncio.get_running_loop()
        task = loop.create_task(work, name="bench")
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(until_done())


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGUN:4.0f} s  {text}", file=sys.stderr, flush=True)


def _environ() -> dict[str, str]:
    return dict(os.environ)  # noqa: TID251


if __name__ == "__main__":
    sys.exit(main())
