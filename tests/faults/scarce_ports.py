"""In a network of its own: a gateway whose host has few ports left, for streams and for calls; what it saw, as JSON.

Each client's socket is bound to a port outside the few, so that only connections to the upstream take them.
"""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import uvloop

from gateway.app import App
from gateway.config.load import parse
from gateway.observe.logs import LineWriter
from gateway.simulator import Gate, Request, Simulator, Step, Wait, chunked, sse_answer
from gateway.simulator.step import Send
from tests.conftest import KEY
from tests.e2e.raw import RawClient, chat, post
from tests.simulator.wire import Parsed

FEW = 20
FIRST, LAST = 40_000, 40_000 + FEW - 1
GATEWAY, UPSTREAM, CLIENTS = 50_000, 50_001, 50_100
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'


async def client(port: int, number: int, *, stream: bool) -> RawClient:
    raw = RawClient(port)
    raw.socket.bind(("127.0.0.1", CLIENTS + number))
    await raw.send(post(chat("small", stream=stream), headers="Connection: close\r\n"))
    return raw


async def code_of(raw: RawClient) -> tuple[int, str | None]:
    answer = Parsed((await raw.rest())[0])
    return answer.status, answer.json.get("error", {}).get("code")  # type: ignore[attr-defined]


async def main() -> dict[str, object]:
    gate = Gate()

    def held(request: Request) -> list[Step]:
        head, *rest = sse_answer([EVENT], done=True)
        return [head, Send(chunked(EVENT)), Wait(gate), *rest]

    lines: list[bytes] = []
    with socket.create_server(("127.0.0.1", GATEWAY)) as listener:
        upstream = Simulator(held)
        await upstream.start(port=UPSTREAM)
        text = f"""
upstreams: {{u: {{base_url: "{upstream.url}"}}}}
model_defaults: {{max_retries: 0}}
models: {{small: {{upstream: u}}}}
keys: [{{name: k, key: {KEY}}}]
"""
        app = App(parse(text.encode(), "f", {}), LineWriter(lines.append))
        await app.start(listener)
        streams = [await client(GATEWAY, number, stream=True) for number in range(FEW)]
        for raw in streams:
            await raw.until(EVENT)
        without = [await code_of(await client(GATEWAY, 100 + n, stream=False)) for n in range(3)]
        gate.open()
        whole = [b"[DONE]" in (await raw.rest())[0] for raw in streams]
        upstream.script = Simulator().script
        after = [await code_of(await client(GATEWAY, 200 + n, stream=False)) for n in range(FEW)]
        await app.stop(0.0)
        await upstream.close()
    return {"without": without, "whole": whole, "after": after}


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(f"{FIRST} {LAST}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(main()), sys.stdout)
