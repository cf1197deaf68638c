"""`python -m gateway.simulator`: one simulator in the foreground, until SIGINT or SIGTERM."""

import argparse
import asyncio
import signal
import sys

from gateway.simulator.server import Simulator


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.simulator",
        description="A simulated OpenAI-compatible upstream. The model's name decides what it answers: "
        "<anything>[-<N>tps][-<N>tok][-<N>ms] for tokens per second, length in tokens and delay before the first byte; "
        "fault-<name> for a fault (see gateway/simulator/faults); fail-<NAME> for a 503 of this simulator alone.",
    )
    parser.add_argument("--port", type=int, default=9000, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--name", default="simulator", help="the upstream's own name (default: %(default)s)")
    parser.add_argument("--tps", type=float, default=0.0, help="tokens per second, 0 = at once (default: 0)")
    parser.add_argument("--api-key", help="answer 401 without this key")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    simulator = Simulator(
        name=arguments.name, tokens_per_second=arguments.tps, api_key=arguments.api_key, remember=False
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await simulator.start(arguments.host, arguments.port)
    sys.stdout.write(f"simulator {simulator.name}: {simulator.url}\n")
    sys.stdout.flush()
    await stopped.wait()
    await simulator.close()


def main() -> int:
    """Exit codes: 0 after a signal, 1 if the address cannot be used, 2 for bad arguments."""
    arguments = _arguments()
    try:
        asyncio.run(_serve(arguments))
    except OSError as fault:
        sys.stderr.write(f"simulator: cannot listen on {arguments.host}:{arguments.port}: {fault.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
