"""The command line. The only reader of the environment."""

import argparse
import http.client
import json
import os
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path

from gateway import __version__
from gateway.config.draft07 import json_schema
from gateway.config.load import ConfigError, Content, load
from gateway.config.values import NAME, NAME_RULE
from gateway.core.call import Ask, Capability, Endpoint
from gateway.demo import demo
from gateway.explain import explain
from gateway.keys import new_key
from gateway.observe.multiprocess import FOLDER_VARIABLE, make_folder
from gateway.reload import KEPT, STARTED, ConfigFile, pinned
from gateway.supervisor import Launch, supervise
from gateway.worker import Place, bind_to_parent, run, serve

OK, FAILED, USAGE = 0, 1, 2

_CONFIG_HELP = "default: $GATEWAY_CONFIG, else config/routes.yaml"
_EPILOG = """\
exit codes:
  0  done; for check, explain and healthcheck: valid, would be served, ready
  1  the configuration has faults, the call would be refused, the gateway is not ready, or it could not listen
  2  the command line could not be understood
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return command(arguments)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        print(f"{len(error.faults)} fault(s); nothing was started", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return OK
    except OSError as error:
        print(f"gateway: {error.strerror or error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway",
        description="A reverse proxy for LLMs: keys, tiers, fallback, and streams passed through unbuffered.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    serve = add("serve", _serve, "Serve until SIGTERM or SIGINT, then let calls under way end.")
    _add_config(serve)
    serve.add_argument("--listen", metavar="HOST:PORT", help="instead of server.listen")
    _add_worker(commands.add_parser("worker"))
    check = add("check", _check, "Check a configuration file and print every fault with its line.")
    check.add_argument("config", type=Path, nargs="?", default=_default_config(), metavar="FILE", help=_CONFIG_HELP)
    add("schema", _schema, "Print the JSON Schema (draft-07) of the configuration file, for editors.")
    _add_explain(add("explain", _explain, "Say where a call would go, in which order, and why not elsewhere."))
    keys = add("keys", _new_key, "Make a key: printed once, with the YAML line that lets it in.")
    keys.add_argument("action", choices=("new",))
    keys.add_argument("--name", type=_name, required=True, help="of its owner, as logs and metrics show it")
    keys.add_argument("--limits", type=_name, metavar="L", help="the name of its limits")
    health = add("healthcheck", _healthcheck, "Exit 0 if /readyz answers 200; for containers.")
    _add_config(health)
    health.add_argument("--listen", metavar="HOST:PORT", help="instead of server.listen")
    demo = add("demo", _demo, "Start two simulated providers and a gateway before them; needs nothing.")
    demo.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="default: any free port")
    demo.add_argument("--store", default="memory://", metavar="URL", help="where limits are kept, such as redis://HOST")
    demo.add_argument("--workers", type=int, default=1, metavar="N", help="processes; more than one needs a --store")
    return parser


def _add_worker(command: argparse.ArgumentParser) -> None:
    """What a supervisor starts; nobody else needs it, so no help tells of it."""
    command.set_defaults(run=_worker)
    _add_config(command)
    command.add_argument("--listen")
    command.add_argument("--listener", type=int, required=True)
    command.add_argument("--heartbeat", type=int, required=True)
    command.add_argument("--metrics-id", required=True)
    command.add_argument("--parent", type=int, required=True)


def _add_explain(command: argparse.ArgumentParser) -> None:
    _add_config(command)
    command.add_argument("--model", required=True, help="a tier, alias or model, or auto")
    command.add_argument(
        "--key", metavar="NAME", help="a key's name in the configuration; default: one that may do all"
    )
    command.add_argument("--complexity", metavar="C", help="as the caller would send it: simple, medium or complex")
    command.add_argument("--provider", metavar="P", help="as the caller would send it: an upstream's name")
    command.add_argument("--endpoint", choices=[*Endpoint], default="chat")
    command.add_argument(
        "--needs",
        action="append",
        choices=[*Capability],
        default=[],
        help="what the call needs of the model; may be given several times",
    )


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", type=Path, default=_default_config(), metavar="FILE", help=_CONFIG_HELP)


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise argparse.ArgumentTypeError(NAME_RULE)
    return text


def _default_config() -> Path:
    return Path(_environ().get("GATEWAY_CONFIG", "config/routes.yaml"))


def _environ() -> dict[str, str]:
    return dict(os.environ)  # noqa: TID251


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        print(f"gateway: --listen wants HOST:PORT, not {listen!r}", file=sys.stderr)
        raise SystemExit(USAGE)
    return host.strip("[]"), int(port)


def _serve(arguments: argparse.Namespace) -> int:
    file = _config_file(arguments)
    content = Content.of(file.path)
    config = file.parse(content)
    if config.server.workers == 1:
        return _run(serve(config, file=file))
    command = [sys.executable, "-m", "gateway", "worker", "--config", str(arguments.config)]
    if arguments.listen is not None:
        command += ["--listen", arguments.listen]
    with make_folder() as folder:
        replace(file, kept=folder / STARTED).keep(content)
        os.environ[FOLDER_VARIABLE] = str(folder)  # noqa: TID251
        launch = Launch(tuple(command), _environ(), folder)
        try:
            return supervise(launch, config.server)
        except OSError as error:
            return _cannot_serve(error)


def _worker(arguments: argparse.Namespace) -> int:
    folder = Path(_environ()[FOLDER_VARIABLE])
    place = Place(arguments.listener, arguments.heartbeat, arguments.metrics_id, folder, arguments.parent)
    bind_to_parent(place)
    file = _config_file(arguments, folder / KEPT)
    config, current = file.load_or_kept()
    started_with = ConfigFile(folder / STARTED, _environ(), file.listen).load()
    return _run(serve(pinned(config, started_with), place=place, file=file, current=current))


def _config_file(arguments: argparse.Namespace, kept: Path | None = None) -> ConfigFile:
    listen = None if arguments.listen is None else _address(arguments.listen)
    return ConfigFile(arguments.config, _environ(), listen, kept)


def _demo(arguments: argparse.Namespace) -> int:
    host, port = _address(arguments.listen)
    return _run(demo(host, port, arguments.store, arguments.workers))


def _run(service: Coroutine[None, None, int | None]) -> int:
    try:
        return run(service) or OK
    except OSError as error:
        return _cannot_serve(error)


def _cannot_serve(error: OSError) -> int:
    print(f"gateway: cannot serve: {error.strerror or error}", file=sys.stderr)
    return FAILED


def _check(arguments: argparse.Namespace) -> int:
    config = load(arguments.config, _environ())
    for warning in config.warnings:
        print(f"{warning} (warning)")
    routes = config.routes
    print(
        f"{arguments.config}: {len(routes.models)} models in {len(routes.tiers)} tiers for {len(config.callers)} keys"
    )
    return OK


def _schema(_: argparse.Namespace) -> int:
    print(json.dumps(json_schema(), indent=2))
    return OK


def _explain(arguments: argparse.Namespace) -> int:
    config = load(arguments.config, _environ())
    needs = frozenset(map(Capability, arguments.needs))
    ask = Ask(arguments.model, {}, complexity=arguments.complexity, provider=arguments.provider, needs=needs)
    try:
        text, served = explain(config, ask, Endpoint(arguments.endpoint), arguments.key)
    except KeyError:
        print(f"gateway: no usable key is named {arguments.key!r}", file=sys.stderr)
        return USAGE
    print(text)
    return OK if served else FAILED


def _new_key(arguments: argparse.Namespace) -> int:
    key, line = new_key(arguments.name, arguments.limits)
    print(f"{key}\n\nThis is the only time the key is shown. Below `keys:` in the configuration goes:\n\n  {line}")
    return OK


def _healthcheck(arguments: argparse.Namespace) -> int:
    if arguments.listen is None:
        server = load(arguments.config, _environ()).server
        host, port = server.host, server.port
    else:
        host, port = _address(arguments.listen)
    connection = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=2)  # noqa: S104
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"gateway: no answer from {host}:{port}: {error}", file=sys.stderr)
        return FAILED
    finally:
        connection.close()
    print(f"/readyz: {status}")
    return OK if status == http.client.OK else FAILED


if __name__ == "__main__":
    sys.exit(main())
