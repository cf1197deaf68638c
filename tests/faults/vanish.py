"""`unshare --net python -m tests.faults.vanish`: a gateway, and its client in a namespace beyond a link that goes down.

Prints what became of the call, as JSON.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import uvloop

from gateway.app import App
from gateway.config.load import parse
from gateway.observe.logs import LineWriter
from gateway.simulator import Pause, Request, Send, Simulator, Step, chunked, event, sse_answer
from gateway.store.memory import MemoryStore
from tests.conftest import KEY
from tests.e2e.raw import chat, post

HERE, THERE = "192.0.2.1", "192.0.2.2"  # RFC 5737: of no real network
PORT = 8080
EVENT = event({"choices": [{"index": 0, "delta": {"content": "word"}, "finish_reason": None}]})
CONFIG = f"""
server: {{listen: "{HERE}:{PORT}", write_timeout: 500ms}}
upstreams: {{first: {{base_url: "%s"}}}}
models: {{small: {{upstream: first}}}}
limits: {{one: {{concurrent_streams: 1}}}}
keys: [{{name: tester, key: {KEY}, limits: one}}]
"""
CLIENT = """
import socket, sys, time
client = socket.create_connection((sys.argv[1], int(sys.argv[2])))
client.sendall(sys.stdin.buffer.read())
client.recv(1000)
print("begun", flush=True)
time.sleep(60)
"""


def run(*words: str) -> None:
    subprocess.run(words, check=True)


def talk(request: Request) -> Iterator[Step]:
    """500 events a second, as a model does: it takes a while until the kernel takes no more of them."""
    yield sse_answer([])[0]
    while True:
        yield Send(chunked(EVENT))
        yield Pause(0.002)


def link(pid: int) -> None:
    """Between this namespace and that of the process."""
    there = ("nsenter", "--net", "--target", str(pid), "ip")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(pid))
    run("ip", "address", "add", f"{HERE}/24", "dev", "here")
    run("ip", "link", "set", "here", "up")
    run(*there, "address", "add", f"{THERE}/24", "dev", "there")
    run(*there, "link", "set", "there", "up")


async def main() -> None:
    beyond = await asyncio.create_subprocess_exec("unshare", "--net", "sleep", "120")
    try:
        while not _is_beyond(beyond.pid):
            await asyncio.sleep(0.01)
        link(beyond.pid)
        sys.stdout.write(json.dumps(await vanish(beyond.pid)))
    finally:
        beyond.kill()
        await beyond.wait()


def _is_beyond(pid: int) -> bool:
    """In a namespace of its own by now."""
    own, its = (Path(f"/proc/{who}/ns/net").readlink() for who in ("self", pid))
    return own != its


async def vanish(pid: int) -> dict[str, object]:
    log = bytearray()
    async with Simulator(talk) as upstream:
        app = App(parse((CONFIG % upstream.url).encode(), "vanish.yaml", {}), LineWriter(log.extend))
        await app.start()
        words = ("nsenter", "--net", "--target", str(pid), sys.executable, "-c", CLIENT, HERE, str(PORT))
        client = await asyncio.create_subprocess_exec(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(post(chat("small")))
        client.stdin.close()
        assert await client.stdout.readline() == b"begun\n"
        run("ip", "link", "set", "here", "down")
        async with asyncio.timeout(20):
            departure = await upstream.until_left(upstream.requests[0])
            while not (calls := [line for line in map(json.loads, log.splitlines()) if line["event"] == "call"]):
                await asyncio.sleep(0.01)
        assert isinstance(app.store, MemoryStore)
        running = sum(len(account.running) for account in app.store._accounts.values())
        client.kill()
        await client.wait()
        await app.stop(0.0)
    found = {name: calls[0][name] for name in ("outcome", "code")}
    return {**found, "running": running, "upstream_left": departure.by_peer}


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
