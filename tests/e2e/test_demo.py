"""`gateway demo`: the very lines that it prints work."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.test_cli import ROOT

LAST_WORDS = "Ctrl-C ends it."


@dataclass
class Demo:
    """A running demo and what it printed before its first log line."""

    process: subprocess.Popen[str]
    told: str

    def value(self, name: str) -> str:
        return re.findall(rf"^{name}: (.+)$", self.told, re.MULTILINE)[0]

    @property
    def commands(self) -> list[str]:
        """The curl lines, as they would be pasted into a shell."""
        return re.findall(r"^  (curl (?:.*\\\n)*.*)$", self.told, re.MULTILINE)

    def command(self, word: str) -> str:
        [found] = [command for command in self.commands if word in command]
        return found


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    if shutil.which("curl") is None:
        if os.environ.get("CI"):  # noqa: TID251
            pytest.fail("needs curl")
        pytest.skip("needs curl")
    command = [sys.executable, "-m", "gateway", "demo"]
    with subprocess.Popen(command, cwd=ROOT, env={}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = ""
        while LAST_WORDS not in told:
            line = process.stdout.readline()
            assert line, told
            told += line
        yield Demo(process, told)
        process.kill()


def shell(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=20, check=True).stdout


def test_it_prints_its_key_and_url(demo: Demo) -> None:
    assert re.fullmatch(r"sk-gw-[A-Za-z0-9_-]{43}", demo.value("key"))
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", demo.value("url"))


def test_the_printed_stream_comes_token_by_token(demo: Demo) -> None:
    arrivals: list[float] = []
    text = b""
    with subprocess.Popen(["sh", "-c", demo.command('"model": "fast"')], stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        while data := os.read(curl.stdout.fileno(), 65536):
            arrivals.append(time.monotonic())
            text += data
    assert curl.returncode == 0
    events = [line.removeprefix("data: ") for line in text.decode().splitlines() if line]
    assert events.pop() == "[DONE]"
    words = "".join(json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events)
    assert words.startswith("Hello! This is east, a simulated provider")
    assert len(arrivals) > len(events) / 2, "most events come alone"
    assert arrivals[-1] - arrivals[0] > 0.5, "over a while"


def test_the_printed_fallback_is_seen(demo: Demo) -> None:
    head, _, body = shell(demo.command('"model": "shaky"')).replace("\r\n", "\n").partition("\n\n")
    assert head.startswith("HTTP/1.1 200 OK")
    assert re.search(r"^X-Fallback-Used: true$", head, re.MULTILINE)
    assert re.search(r"^X-Provider: west$", head, re.MULTILINE)
    assert json.loads(body)["choices"][0]["message"]["content"].startswith("Hello! This is west")


def test_the_other_printed_lines_work(demo: Demo) -> None:
    names = {model["id"] for model in json.loads(shell(demo.command("/v1/models")))["data"]}
    assert {"fast", "standard", "premium", "auto"} <= names
    assert json.loads(shell(demo.command("/v1/key")))["limits"]["name"] == "demo"
    assert json.loads(shell(demo.command("/health/ai")))["status"] == "healthy"
    assert "gateway_requests_total" in shell(demo.command("/metrics"))
    assert len(demo.commands) == 6


def test_ctrl_c_ends_it(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(timeout=10) == 0
