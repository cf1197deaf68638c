"""The command line: every protection of the table, or those that are named."""

import argparse
import signal
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutations.protection import ROOT, Protection
from tests.mutations.table import PROTECTIONS
from tests.mutations.trial import PROOF, TIMEOUT, Tried, Verdict, attempt, copy, run

AT_ONCE = 2

EPILOG = """\
exit codes:
  0  a test turned red for each of them
  1  one survived, or could not be tried
  2  the command line could not be understood
"""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations",
        description="Switch off each protection in turn, in a copy of the checkout, and see that a test turns red.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a protection; all of them by default")
    parser.add_argument("--list", action="store_true", help="say what there is, and try nothing")
    options = parser.parse_args(arguments)
    known = {protection.name: protection for protection in PROTECTIONS}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no such protection: {', '.join(unknown)}")
    chosen = [known[name] for name in options.names] or list(PROTECTIONS)
    if options.list:
        for protection in chosen:
            print(f"{protection.name}: {protection.protects}")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return prove(chosen)
    except KeyboardInterrupt:
        print("mutations: stopped", file=sys.stderr)
        return 1


def prove(chosen: Sequence[Protection]) -> int:
    """Returns the exit code."""
    with TemporaryDirectory() as folder:
        base = Path(folder)
        copy(ROOT, base)
        tests = dict.fromkeys(test for protection in chosen for test in protection.tests)
        unedited = run(base, tests, TIMEOUT * len(tests))
        if unedited.verdict is not Verdict.SURVIVED:
            print(unedited.output)
            print("mutations: the tests have to pass while every protection is on")
            return 1
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            proven = _count(pool.map(lambda protection: attempt(base, protection), chosen))
        finally:  # told to end, it begins no more
            pool.shutdown(cancel_futures=True)
    print(f"protections {proven}/{len(chosen)}")
    return 0 if proven == len(chosen) else 1


def _count(trials: Iterable[Tried]) -> int:
    """How many were proven; each is told when it is known."""
    proven = 0
    for tried in trials:
        proven += tried.verdict in PROOF
        print(f"{tried.protection.name}: {tried.verdict.value} ({tried.seconds:.1f} s), {tried.said}", flush=True)
        if tried.verdict not in PROOF:
            print(f"    {tried.protection.protects}\n    in {tried.protection.file}", flush=True)
    return proven


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
