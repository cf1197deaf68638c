import asyncio
import contextlib
import json
import signal
import socket
import sys
import urllib.error
import urllib.request

import pytest


@contextlib.asynccontextmanager
async def command(*arguments):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.simulator",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def models(url, key):
    request = urllib.request.Request(f"{url}/models", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)["object"]


async def test_the_command_serves_until_it_is_told_to_end():
    async with command("--port", "0", "--name", "east", "--tps", "30", "--api-key", "k") as process:
        line = (await process.stdout.readline()).decode()
        assert line.startswith("simulator east: http://127.0.0.1:")
        url = line.split()[-1]
        assert await asyncio.to_thread(models, url, "k") == "list"
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            await asyncio.to_thread(models, url, "wrong")
        refused.value.close()
        process.send_signal(signal.SIGTERM)
        output, errors = await process.communicate()
        assert (process.returncode, output, errors) == (0, b"", b"")


async def test_a_port_in_use_is_said_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with command("--port", str(port)) as process:
            output, errors = await process.communicate()
    assert (process.returncode, output) == (1, b"")
    assert errors.decode().startswith(f"simulator: cannot listen on 127.0.0.1:{port}: ")
    assert errors.count(b"\n") == 1
