"""A supervisor that is not told by the command line alone: impatient, or with a worker that dies at its start."""

import argparse
import os
import sys
from pathlib import Path

from gateway.observe.multiprocess import FOLDER_VARIABLE, make_folder
from gateway.reload import STARTED, ConfigFile
from gateway.supervisor import Launch, supervise


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stuck-after", type=float, default=10.0)
    parser.add_argument("--crash", metavar="METRICS_ID", help="the worker of that name dies at its start")
    parser.add_argument("config", type=Path)
    arguments = parser.parse_args()
    worker = [sys.executable, "-m", "gateway", "worker", "--config", str(arguments.config)]
    if arguments.crash is not None:
        worker = [sys.executable, "-m", "tests.processes.crash", arguments.crash, *worker]
    with make_folder() as folder:
        settings = ConfigFile(arguments.config, {}, kept=folder / STARTED).load().server
        os.environ[FOLDER_VARIABLE] = str(folder)  # noqa: TID251 - where prometheus_client looks
        return supervise(Launch(tuple(worker), {FOLDER_VARIABLE: str(folder)}, folder), settings, arguments.stuck_after)


if __name__ == "__main__":
    sys.exit(main())
