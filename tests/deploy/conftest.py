"""The shipped nginx.conf, run by the real nginx on loopback."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bench.process import free_port
from tests.e2e.conftest import closed_sockets

__all__ = ["closed_sockets"]

ROOT = Path(__file__).parent.parent.parent
TEMP_PATHS = ("client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path")

StartNginx = Callable[..., Awaitable[int]]


def installed(name: str) -> str:
    """Where a program is. Without it the test is skipped, but in CI, where it has to be, the test fails."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("CI"):  # noqa: TID251 - a test's own switch
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture
def nginx() -> str:
    return installed("nginx")


@pytest.fixture
def promtool() -> str:
    return installed("promtool")


def localized(folder: Path, port: int, *gateway_ports: int, read_timeout: str = "310s", also: str = "") -> Path:
    """The shipped files, addresses and paths replaced; `also` is one more directive of the proxied location."""
    text = (ROOT / "deploy/nginx.conf").read_text()
    temporary = "".join(f"    {name} {folder}/{name};\n" for name in TEMP_PATHS)
    for shipped, here in (
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("/var/log/nginx/access.log", f"{folder}/access.log"),
        ("/var/log/nginx/error.log", f"{folder}/error.log"),
        ("proxy_read_timeout 310s;", f"proxy_read_timeout {read_timeout};"),
        ("proxy_next_upstream error timeout;", f"proxy_next_upstream error timeout; {also}"),
        ("http {\n", "http {\n" + temporary),
    ):
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    path = folder / "nginx.conf"
    path.write_text(text)
    [line] = re.findall(r"^server .*", (ROOT / "deploy/gateways.conf").read_text(), re.MULTILINE)
    lines = [line.replace("127.0.0.1:8080 ", f"127.0.0.1:{gateway_port} ") for gateway_port in gateway_ports]
    (folder / "gateways.conf").write_text("\n".join(lines))
    return path


@pytest.fixture
async def start_nginx(nginx: str, tmp_path: Path) -> AsyncIterator[StartNginx]:
    """`await start_nginx(gateway_port, …)` is the port of an nginx before those gateways."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*gateway_ports: int, **changes: str) -> int:
            port = free_port()
            path = localized(tmp_path, port, *gateway_ports, **changes)
            switches = f"pid {tmp_path}/nginx.pid; daemon off; master_process off;"
            process = await asyncio.create_subprocess_exec(
                nginx, "-c", path, "-g", switches, stderr=asyncio.subprocess.DEVNULL
            )
            stack.push_async_callback(_end, process)
            await _until_listening(process, port)
            return port

        yield start


async def _until_listening(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            assert process.returncode is None, "nginx did not start"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                return


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    await process.wait()
