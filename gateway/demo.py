"""A gateway that needs nothing: two simulated providers on loopback, three tiers, a fresh key."""

from gateway.app import App, serve
from gateway.config.load import parse
from gateway.keys import new_key
from gateway.simulator import Simulator

TOKENS_PER_SECOND = 20

_CONFIG = """\
server: {{listen: "{host}:{port}"}}
upstreams:
  east: {{base_url: "{east}"}}
  west: {{base_url: "{west}"}}
model_defaults: {{max_retries: 0}}
models:
  small-east: {{upstream: east, context_window: 16384, price: {{input: 0.15, output: 0.60}}}}
  small-west: {{upstream: west, context_window: 16384, price: {{input: 0.15, output: 0.60}}}}
  large-east: {{upstream: east, context_window: 128000, price: {{input: 2.5, output: 10}}}}
  large-west: {{upstream: west, context_window: 128000, price: {{input: 2.5, output: 10}}}}
  shaky: {{upstream: east, name: fail-east, fallbacks: [small-west]}}
  embed: {{upstream: west, kind: embeddings}}
tiers:
  fast: [small-east, small-west]
  standard: [[large-east, large-west]]
  premium: [large-east, large-west, small-west]
complexity: {{simple: fast, medium: standard, complex: premium}}
aliases: {{gpt-4o-mini: fast}}
keys:
  - {{name: demo, key: "{key}"}}
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

  # what this key may use, how the providers are, and the metrics
  curl {url}/v1/models -H "Authorization: Bearer {key}"
  curl {url}/health/ai
  curl {url}/metrics

Below is one log line a call. Ctrl-C ends it.
"""


async def demo(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError if the address is taken."""
    key, _ = new_key("demo")

    def tell(app: App) -> None:
        print(_TOLD.format(key=key, url="http://{}:{}".format(*app.address)), flush=True)

    async with _simulator("east") as east, _simulator("west") as west:
        text = _CONFIG.format(host=host, port=port, east=east.url, west=west.url, key=key)
        await serve(parse(text.encode(), "demo", {}), tell)


def _simulator(name: str) -> Simulator:
    return Simulator(name=name, tokens_per_second=TOKENS_PER_SECOND, remember=False)
