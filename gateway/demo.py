"""A gateway that needs nothing: two simulated providers on loopback, three tiers, a fresh key."""

import asyncio
import signal
import socket
import sys
import tempfile

from gateway.config.load import parse
from gateway.keys import new_key
from gateway.simulator import Simulator
from gateway.worker import serve

TOKENS_PER_SECOND = 20

_CONFIG = """\
server: {{listen: "{host}:{port}", workers: {workers}}}
store: {{url: "{store}"}}
upstreams:
  east: {{base_url: "{east}"}}
  west: {{base_url: "{west}"}}
model_defaults: {{max_retries: 0}}
models:
  small-east: {{upstream: east, context_window: 16384, price: {{input: 0.15, output: 0.60}}}}
  small-west: {{upstream: west, context_window: 16384, price: {{input: 0.15, output: 0.60}}}}
  large-east: {{upstream: east, context_window: 128000, price: {{input: 2.5, output: 10}}}}
  large-west: {{upstream: west, context_window: 128000, price: {{input: 2.5, output: 10}}}}
  shaky: {{upstream: east, name: fail-east, fallbacks: [small-west], price: {{input: 0.15, output: 0.60}}}}
  embed: {{upstream: west, kind: embeddings, price: {{input: 0.02}}}}
tiers:
  fast: [small-east, small-west]
  standard: [[large-east, large-west]]
  premium: [large-east, large-west, small-west]
complexity: {{simple: fast, medium: standard, complex: premium}}
aliases: {{gpt-4o-mini: fast}}
limits:
  demo: {{requests_per_minute: 60, tokens_per_minute: 200000, concurrent_streams: 10, budget: {{usd: 1, period: day}}}}
keys:
  - {{name: demo, key: "{key}", limits: demo}}
"""

_TOLD = """\
key: {key}
url: {url}

Try:

  # a stream, token by token
  curl -N {url}/v1/chat/completions -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
    -d '{{"model": "fast", "stream": true, "messages": [{{"role": "user", "content": "Hello"}}]}}'

  # its first provider fails, so the second one answers: see X-Fallback-Used in the headers
  curl -i {url}/v1/chat/completions -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
    -d '{{"model": "shaky", "messages": [{{"role": "user", "content": "Hello"}}]}}'

  # what this key may use, what is left of its limits, how the providers are, and the metrics
  curl {url}/v1/models -H "Authorization: Bearer {key}"
  curl {url}/v1/key -H "Authorization: Bearer {key}"
  curl {url}/health/ai
  curl {url}/metrics

Below is one log line a call. Ctrl-C ends it.
"""


async def demo(host: str, port: int, store: str, workers: int) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises OSError if the address is taken, and ConfigError."""
    key, _ = new_key("demo")

    def tell(address: tuple[str, int]) -> None:
        print(_TOLD.format(key=key, url="http://{}:{}".format(*address)), flush=True)

    async with _simulator("east") as east, _simulator("west") as west:
        if workers > 1:
            port = port or _free_port(host)  # before anybody listens, so that it can be told
        text = _CONFIG.format(
            host=host, port=port, workers=workers, store=store, east=east.url, west=west.url, key=key
        ).encode()
        config = parse(text, "demo", {})
        if workers == 1:
            await serve(config, lambda app: tell(app.address))
            return 0
        tell((host, port))
        return await _supervised(text)


async def _supervised(text: bytes) -> int:
    """The same, with the workers' parent in a process of its own: the providers need this one."""
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(text)
        file.flush()
        # Out of the terminal's reach: Ctrl-C would come twice, and a second signal cuts.
        gateway = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "serve", "--config", file.name, start_new_session=True
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, gateway.send_signal, number)
        return await gateway.wait()


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _simulator(name: str) -> Simulator:
    return Simulator(name=name, tokens_per_second=TOKENS_PER_SECOND, remember=False)
