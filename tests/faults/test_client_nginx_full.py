"""An nginx that is out of connections says so in JSON."""

import asyncio
import contextlib
import signal
from pathlib import Path

from bench.process import free_port
from gateway.simulator import Silence, event, sse_answer
from tests.catalogue import fault
from tests.deploy.conftest import installed, localized
from tests.deploy.test_nginx import Reply
from tests.e2e.raw import RawClient
from tests.faults.rig import Rig, ask

EVENT = event({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]})


@fault("C13")
async def test_c13_of_nginx_a_client_gets_json_or_no_connection(rig: Rig, tmp_path: Path) -> None:
    await rig.start()
    rig.first.script = lambda request: [*sse_answer([EVENT])[:2], Silence()]
    port = free_port()
    path = localized(tmp_path, port, rig.gateway.port)
    path.write_text(path.read_text().replace("worker_connections 8192;", "worker_connections 16;"))
    switches = f"pid {tmp_path}/nginx.pid; daemon off; master_process off;"
    nginx = await asyncio.create_subprocess_exec(
        installed("nginx"),
        "-c",
        path,
        "-g",
        switches,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until_listening(port)
        ends = [await _through(port) for _ in range(20)]
    finally:
        nginx.send_signal(signal.SIGTERM)
        await nginx.wait()
    full = [Reply(end) for end in ends if not end.startswith(b"HTTP/1.1 200 ")]
    assert 0 < len(full) < 20
    assert {(reply.status, reply.error["code"], reply.headers["retry-after"]) for reply in full} == {
        (503, "overloaded", "1")
    }


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.01)


async def _through(port: int) -> bytes:
    """How a stream through it begins; empty if it does not."""
    client = RawClient(port)
    try:
        await client.send(ask("first/a", headers=""))
        async with asyncio.timeout(10):
            return await asyncio.get_running_loop().sock_recv(client.socket, 65536)
    except ConnectionError:
        return b""
