"""A hundred reloads between two configurations while clients call: each call is of one of them, whole."""

import signal
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from reliability.client import Answer
from reliability.load import Load
from reliability.promise import Figure, Run, none
from reliability.serving import Place, Serving, Settings, place

CLIENTS = 16
PRICES = {"first": 1.0, "second": 3.0}  # USD per million tokens, in and out


def version(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


@dataclass
class Mixtures:
    """Calls that saw more than one configuration: by their answer, by their line in the log."""

    upstreams: dict[str, str]  # by version
    answers: int = 0
    lines: int = 0
    versions: set[str] = field(default_factory=set)

    def see(self, answer: Answer) -> None:
        """Who really answered is in the id that the upstream itself gave."""
        told = answer.headers
        expected = self.upstreams.get(told["x-gateway-config-version"])
        self.versions.add(told["x-gateway-config-version"])
        served_by = told["x-upstream-request-id"].split("_")[1]
        self.answers += not (expected == served_by == told["x-provider"])

    def read(self, call: dict[str, Any]) -> None:
        expected = self.upstreams.get(call["config_version"], "")
        price = PRICES.get(expected, 0.0)
        cost = (call["prompt_tokens"] + call["completion_tokens"]) * price / 1e6
        self.lines += call["upstream"] != expected or abs(call["cost_usd"] - cost) > 1e-9


async def reloads(run: Run) -> list[Figure]:
    count = 10 if run.quick else 100
    async with place(run) as here:
        texts = {name: _config(here, name) for name in PRICES}
        async with here.gateway(Settings(), texts["first"]) as gateway:
            mixtures = Mixtures({version(text): name for name, text in texts.items()})
            load = Load(gateway.port, "both", mixtures.see)
            async with load.running(CLIENTS):
                for number in range(count):
                    await load.until(CLIENTS)
                    await _take(gateway, texts["second" if number % 2 == 0 else "first"])
                await load.until(CLIENTS)
            served = load.served
            lines = await _lines(gateway, served)
    for line in lines:
        mixtures.read(line)
    calls = f"{served:,}, {count} reloads"
    bad = load.failed.total() + load.cut
    return [
        none("reloads under load: requests failed", bad, calls),
        none("reloads under load: requests that saw a mixture", mixtures.answers + mixtures.lines, calls),
        Figure("reloads under load: versions seen", str(len(mixtures.versions)), "2", len(mixtures.versions) == 2),
    ]


def _config(here: Place, upstream: str) -> str:
    price = PRICES[upstream]
    model = f"  both: {{upstream: {upstream}, price: {{input: {price}, output: {price}}}}}\n"
    return here.config(Settings()).replace("tiers:\n", f"{model}tiers:\n")


async def _take(gateway: Serving, text: str) -> None:
    """Until every worker runs it; one load takes a second at least."""
    before = len(gateway.told("configuration reloaded"))
    gateway.file.write_text(text)
    gateway.send(signal.SIGHUP)
    await gateway.until("configuration reloaded", before + len(gateway.workers))


async def _lines(gateway: Serving, count: int) -> list[dict[str, Any]]:
    """Of all calls: the last are written a tick after they ended."""
    await gateway.until_calls(count)
    return gateway.calls
